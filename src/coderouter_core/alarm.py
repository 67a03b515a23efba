"""A timer for deadlines that are nearly always put off before they come."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod


class Alarm(ABC):
    """Rings at `_due`, in the event loop's own time; None while nothing is waited for.

    The timer outlives the wait: the next deadline is nearly always later, so the timer that is already running only
    has to look again when it goes off. A stream of ten thousand pieces sets one timer instead of ten thousand. To be
    closed, or it keeps what it knows until then.
    """

    __slots__ = ("_due", "_loop", "_timer", "_timer_at")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def close(self) -> None:
        """Let go of the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, due: float) -> None:
        self._due = due
        if self._timer is None or due < self._timer_at:
            self._start(due)

    @abstractmethod
    def _ring(self) -> None:
        """It is `_due`."""

    def _start(self, at: float) -> None:
        self.close()
        self._timer = self._loop.call_at(at, self._look)
        self._timer_at = at

    def _look(self) -> None:
        self._timer = None
        if self._due is None:
            return
        if self._due > self._loop.time():
            self._start(self._due)
        else:
            self._ring()
