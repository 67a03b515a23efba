"""What all connections of one server share."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from hypercorn.config import Config

if TYPE_CHECKING:
    from coderouter_core.web.http1.connection import ClientConnection


class Site:
    """`app` is the ASGI application. `settings` are hypercorn's, and of these are heeded: ``keep_alive_timeout``,
    ``h11_max_incomplete_size``, ``root_path``, the logger and the headers of every response."""

    def __init__(self, app: Any, settings: Config) -> None:
        self.app = app
        self.settings = settings
        self.connections: set[ClientConnection] = set()
        self.draining = False
        self._fixed = b""
        self._fixed_at = 0
        self._watch: asyncio.Task[None] | None = None

    @property
    def keep_alive_s(self) -> float:
        return self.settings.keep_alive_timeout

    @property
    def most_head(self) -> int:
        return self.settings.h11_max_incomplete_size

    def fixed(self) -> bytes:
        """The header lines of every response: the date, made once a second."""
        now = int(time.time())
        if now != self._fixed_at:
            self._fixed_at = now
            headers = self.settings.response_headers("h11")
            self._fixed = b"".join(b"%b: %b\r\n" % header for header in headers)
        return self._fixed

    def watch(self, terminated: Any) -> None:
        """Drain the connections once hypercorn says that it ends. One task for all of them."""
        self.draining = terminated.is_set()
        if self._watch is None:
            self._watch = asyncio.get_running_loop().create_task(self._drain(terminated))

    async def _drain(self, terminated: Any) -> None:
        await terminated.wait()
        self.draining = True
        for connection in list(self.connections):
            connection.drain()
