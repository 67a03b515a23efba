"""Remember what a router tells of itself."""

from __future__ import annotations

import threading

from coderouter_core.events import Event
from coderouter_core.hookspecs import hookimpl
from coderouter_core.model import Attempt


class Recorder:
    """A plugin and a sink: keeps every event and every attempt, for the thread of the test."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.attempts: list[Attempt] = []
        self._finished = threading.Condition()

    @hookimpl
    def observe_attempt(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)

    def saw(self, event: Event) -> None:
        with self._finished:
            self.events.append(event)
            self._finished.notify_all()

    def events_of(self, request_id: str | None) -> list[Event]:
        return [event for event in self.events if event.request_id == request_id]

    def attempts_of(self, request_id: str | None) -> list[Attempt]:
        return [attempt for attempt in self.attempts if attempt.request_id == request_id]

    def wait_finished(self, request_id: str | None, timeout_s: float = 5.0) -> bool:
        """Wait until the request has ended in the router too, which is after its client has the answer.

        A request that never began, refused at the door, has nothing to wait for.
        """
        with self._finished:
            if not self._has(request_id, "request-received"):
                return True
            return self._finished.wait_for(lambda: self._has(request_id, "request-finished"), timeout_s)

    def wait_event(self, name: str, timeout_s: float = 5.0) -> bool:
        """Wait until an event of this name has come; False when it has not in time."""
        with self._finished:
            return self._finished.wait_for(lambda: any(each.name == name for each in self.events), timeout_s)

    def _has(self, request_id: str | None, name: str) -> bool:
        return any(event.name == name for event in self.events_of(request_id))
