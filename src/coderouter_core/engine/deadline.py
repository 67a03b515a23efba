"""An end for waits that take too long, one after the other."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class Deadline:
    """What `asyncio.timeout_at` is for one wait, for all waits of one task, of which none is inside of another.

    The timer outlives the wait: the next deadline is nearly always later, so the timer that is already running only
    has to look again when it goes off. To be closed, or it keeps what it knows until then.
    """

    __slots__ = ("_cancelling", "_due", "_late", "_loop", "_task", "_timer", "_timer_at")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._due: float | None = None
        self._late = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def at(self, due: float) -> Self:
        """The context of a wait that ends, with a `TimeoutError`, at `due` in the event loop's time."""
        self._due = due
        if self._timer is None or due < self._timer_at:
            self._set_timer(due)
        return self

    def __enter__(self) -> None:
        task = self._task = self._task or asyncio.current_task()
        assert task is not None, "only a task can be told to stop waiting"
        self._cancelling = task.cancelling()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._due = None
        if self._late:
            self._late = False
            assert self._task is not None
            # Somebody else may have cancelled the task as well, and then it is to end.
            if self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
                raise TimeoutError from error

    def close(self) -> None:
        """Let go of the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self, at: float) -> None:
        self.close()
        self._timer = self._loop.call_at(at, self._look)
        self._timer_at = at

    def _look(self) -> None:
        self._timer = None
        if self._due is None:
            return
        if self._due > self._loop.time():
            self._set_timer(self._due)
        elif self._task is not None:
            self._late = True
            self._task.cancel()
