"""Wait for something to happen on a connection, until a deadline."""

from __future__ import annotations

import asyncio

from coderouter_core.alarm import Alarm


class Waiting(Alarm):
    """One wait at a time."""

    __slots__ = ("_future",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._future: asyncio.Future[bool] | None = None

    async def until(self, due: float | None) -> bool:
        """Wait for `wake`. False when it did not come by `due`, in the event loop's own time."""
        future: asyncio.Future[bool] = self._loop.create_future()
        self._future = future
        if due is None:
            self._due = None
        else:
            self._set(due)
        try:
            return await future
        finally:
            # A wait that was woken has let go already, and another may have begun since.
            if self._future is future:
                self._future = self._due = None

    def wake(self) -> None:
        """End the wait, if there is one."""
        self._end(True)

    def _ring(self) -> None:
        self._end(False)

    def _end(self, result: bool) -> None:
        future, self._future, self._due = self._future, None, None
        if future is not None and not future.done():
            future.set_result(result)
