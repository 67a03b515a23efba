"""What of a ledger does not work just now, and telling it without flooding."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from coderouter_core.model import Clock

#: One kind of failure is told once in so many seconds.
QUIET_S = 60.0


class Failures:
    """Kinds of failure and what was last said of each. Any thread may tell; `on_failure` is called in the loop."""

    def __init__(self, clock: Clock, on_failure: Callable[[str], None]) -> None:
        self._clock = clock
        self._on_failure = on_failure
        self._loop: asyncio.AbstractEventLoop | None = None
        self._now: dict[str, str] = {}
        self._told: dict[str, float] = {}

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say in which loop to tell."""
        self._loop = loop

    def failed(self, kind: str, text: str) -> None:
        """`kind` fails from now on, until it `worked`."""
        self._now[kind] = text
        self.tell(kind, text)

    def worked(self, kind: str) -> None:
        """`kind` works again."""
        if self._now:
            self._now.pop(kind, None)

    def failing(self, kind: str) -> bool:
        return kind in self._now

    def text(self) -> str | None:
        """All that fails, as a sentence each; None when nothing does."""
        return "; ".join(list(self._now.values())) or None

    def tell(self, kind: str, text: str) -> None:
        """Tell `text`, if nothing of its kind was told lately."""
        now = self._clock.monotonic()
        if self._loop is None or now - self._told.get(kind, now - QUIET_S) < QUIET_S:
            return
        self._told[kind] = now
        # The loop may be closed: then nobody listens any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._on_failure, text)
