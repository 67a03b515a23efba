"""Give up clients that do not read what they asked for."""

from __future__ import annotations

import asyncio


class Unread:
    """What piles up on `transport`. A client that takes nothing of it for `patience_s` is cut off.

    One that is suspended, or means harm, would hold an upstream's answer for ever: its system confirms that it is
    there, so the connection never ends by itself. Slowness is no reason, whatever little it reads.
    """

    __slots__ = ("_left", "_loop", "_patience_s", "_timer", "_transport")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, patience_s: float
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._patience_s = patience_s
        self._left = 0
        self._timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Look whether it gets less."""
        self._left = self._transport.get_write_buffer_size()
        self._timer = self._loop.call_later(self._patience_s, self._look)

    def over(self) -> None:
        """It was read, or nobody is there who could."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        if self._transport.get_write_buffer_size() < self._left:
            self.watch()
        else:
            self._transport.abort()
