"""Wait for something to happen on a connection, until a deadline."""

from __future__ import annotations

import asyncio


class Waiting:
    """One wait at a time.

    The timer outlives the wait: the next deadline is nearly always later, so the timer that is
    already running only has to look again when it goes off. A stream of ten thousand pieces sets
    one timer instead of ten thousand.
    """

    __slots__ = ("_due", "_future", "_loop", "_timer", "_timer_at")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._future: asyncio.Future[bool] | None = None
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    async def until(self, due: float | None) -> bool:
        """Wait for `wake`. False when it did not come by `due`, in the event loop's own time."""
        future: asyncio.Future[bool] = self._loop.create_future()
        self._future = future
        self._due = due
        if due is not None and (self._timer is None or due < self._timer_at):
            self._set_timer(due)
        try:
            return await future
        finally:
            # A wait that was woken has let go already, and another may have begun since.
            if self._future is future:
                self._future = self._due = None

    def wake(self) -> None:
        """End the wait, if there is one."""
        self._end(True)

    def close(self) -> None:
        """Let go of the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self, result: bool) -> None:
        future, self._future, self._due = self._future, None, None
        if future is not None and not future.done():
            future.set_result(result)

    def _set_timer(self, at: float) -> None:
        self.close()
        self._timer = self._loop.call_at(at, self._look)
        self._timer_at = at

    def _look(self) -> None:
        self._timer = None
        if self._due is None:
            return
        if self._due <= self._loop.time():
            self._end(False)
        else:
            self._set_timer(self._due)
