"""A plugin's counter of tokens, which may have to load a vocabulary first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from coderouter_core.hooks.implementations import expected

#: Seconds that loading may take; those who want a count wait for it no longer, and it is not tried again.
LOAD_LIMIT_S = 30.0


class Counter:
    """Counts with `count`, after its coroutine function `load` where it has one. Before that, after that failed, and
    for pieces on which it fails itself, `otherwise` tells the tokens. `failed` is told of every failure."""

    def __init__(
        self,
        count: Callable[[str], int],
        otherwise: Callable[[str], int],
        failed: Callable[[Exception], None],
        limit_s: float = LOAD_LIMIT_S,
    ) -> None:
        self._count = count
        self._otherwise = otherwise
        self._failed = failed
        self._limit_s = limit_s
        self._load: Callable[[], Awaitable[None]] | None = getattr(count, "load", None)
        self._loading: asyncio.Task[None] | None = None
        self.exact = self._load is None

    async def load(self) -> None:
        """Return when it counts with `count`, or never will."""
        if self.exact:
            return
        if self._loading is None:
            self._loading = asyncio.create_task(self._loaded())
        # A client that leaves must not end the loading for which others wait.
        await asyncio.shield(self._loading)

    def __call__(self, text: str) -> int:
        if self.exact:
            try:
                return expected(self._count(text), int)  # type: ignore[no-any-return]
            except Exception as error:
                self._failed(error)
        return self._otherwise(text)

    async def _loaded(self) -> None:
        assert self._load is not None
        try:
            async with asyncio.timeout(self._limit_s):
                await self._load()
        except Exception as error:
            self._failed(error)
        else:
            self.exact = True
