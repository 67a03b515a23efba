"""What lately happened, in bounded memory, by appends that cost next to nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TypeVar

from attrs import Factory, define, field

from coderouter_core.api import Attempt, Event

T = TypeVar("T")

#: The newest that are kept: events, ended requests, and attempts of each provider.
MOST_EVENTS = 300
MOST_REQUESTS = 200
MOST_ATTEMPTS = 1000
#: Requests under way whose model is remembered.
MOST_UNDER_WAY = 2000
#: Minutes that charts show.
MINUTES = 60
#: Durations kept of each minute, the newest, for its percentiles.
MOST_DURATIONS = 256
#: Kinds of actions (by event, provider and plugin) that are counted apart.
MOST_ACTIONS = 200

#: Events of every request, which are the way of things and nobody's action.
ROUTINE = frozenset(
    {
        "request-received",
        "request-finished",
        "try-provider",
        "provider-ok",
        "cache-observed",
        "auto-router-resolved",
        "auto-router-fallthrough",
        "mode-alias-resolved",
        "coderouter-startup",
        "coderouter-shutdown",
        "adapter-note",
        "client-disconnected",
        "provider-failed",
        "provider-failed-midstream",
    }
)


@define
class Minute:
    """Requests that ended in one minute of Unix time. `again` are those that took more than one attempt."""

    minute: int
    ok: int = 0
    failed: int = 0
    left: int = 0
    again: int = 0
    tokens: int = 0
    durations: deque[float] = Factory(lambda: deque(maxlen=MOST_DURATIONS))


@define
class Action:
    """How often something was done about a provider, or about a request; `why` and `at` are of the last time."""

    count: int = 0
    why: str = ""
    at: float = 0.0


@define(eq=False)
class Record:
    """Fed by the observing hooks, read when somebody looks. `*_seen` count everything that ever came.

    `requests` are the events of their ends, each with the model that was asked for; until then it is in `models`.
    """

    events: deque[Event] = field(factory=lambda: deque(maxlen=MOST_EVENTS))
    events_seen: int = 0
    requests: deque[tuple[Event, str]] = field(factory=lambda: deque(maxlen=MOST_REQUESTS))
    requests_seen: int = 0
    models: dict[str | None, str] = field(factory=dict)
    attempts: dict[str, deque[Attempt]] = field(factory=dict)
    attempts_seen: dict[str, int] = field(factory=dict)
    minutes: deque[Minute] = field(factory=lambda: deque(maxlen=MINUTES + 1))
    actions: dict[tuple[str, str, str], Action] = field(factory=dict)

    def attempt(self, attempt: Attempt) -> None:
        """An attempt ended."""
        name = attempt.provider.name
        kept = self.attempts.get(name)
        if kept is None:
            kept = self.attempts[name] = deque(maxlen=MOST_ATTEMPTS)
        kept.append(attempt)
        self.attempts_seen[name] = self.attempts_seen.get(name, 0) + 1

    def event(self, event: Event) -> None:
        """Something happened."""
        self.events.append(event)
        self.events_seen += 1
        if event.name == "request-finished":
            self.requests.append((event, self.models.pop(event.request_id, "")))
            self.requests_seen += 1
            self._count(event)
        elif event.name == "request-received":
            if len(self.models) < MOST_UNDER_WAY:
                self.models[event.request_id] = event.fields.get("model", "")
        elif event.name not in ROUTINE:
            self._act(event)

    def newest_requests(self, since: int) -> Sequence[tuple[Event, str]]:
        """Ends of requests after the first `since` that ever came, as far as they are kept."""
        return _newest(self.requests, self.requests_seen - since)

    def _count(self, event: Event) -> None:
        number = int(event.at // 60)
        minutes = self.minutes
        minute = minutes[-1] if minutes else None
        if minute is None or minute.minute < number:
            minute = Minute(number)
            minutes.append(minute)
        fields = event.fields
        outcome = fields.get("outcome")
        if outcome == "ok":
            minute.ok += 1
        elif outcome == "cancelled":
            minute.left += 1
        else:
            minute.failed += 1
        if fields.get("attempts", 0) > 1:
            minute.again += 1
        minute.tokens += fields.get("output_tokens") or 0
        minute.durations.append(fields.get("duration_ms") or 0.0)

    def _act(self, event: Event) -> None:
        fields = event.fields
        key = (event.name, str(fields.get("provider") or ""), str(fields.get("plugin") or ""))
        action = self.actions.get(key)
        if action is None:
            if len(self.actions) >= MOST_ACTIONS:
                return
            action = self.actions[key] = Action()
        action.count += 1
        action.why = str(fields.get("reason") or fields.get("hint") or fields.get("error") or "")[:200]
        action.at = event.at


def _newest(kept: deque[T], count: int) -> Sequence[T]:
    if count <= 0:
        return ()
    return list(kept) if count >= len(kept) else [kept[at] for at in range(len(kept) - count, len(kept))]
