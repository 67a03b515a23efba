"""An end for waits that take too long, one after the other."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from coderouter_core.alarm import Alarm


class Deadline(Alarm):
    """What `asyncio.timeout_at` is for one wait, for all waits of one task, of which none is inside of another."""

    __slots__ = ("_cancelling", "_late", "_task")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._late = False

    def at(self, due: float) -> Self:
        """The context of a wait that ends, with a `TimeoutError`, at `due` in the event loop's time."""
        self._set(due)
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

    def _ring(self) -> None:
        if self._task is not None:
            self._late = True
            self._task.cancel()
