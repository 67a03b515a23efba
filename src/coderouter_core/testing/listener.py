"""A port on loopback that can be closed and opened again."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

from coderouter_core.testing.peer import Peer


class Listener:
    """Owns a port of 127.0.0.1, any free one where none is named. Each connection is a `Peer` run with `serve`.

    While it is shut the port stays taken: a bound socket that does not listen refuses connections, and
    nobody else gets its port.
    """

    def __init__(self, serve: Callable[[Peer], Awaitable[None]], port: int = 0) -> None:
        self.connections = 0
        self._serve = serve
        self._peers: set[Peer] = set()
        self._server: asyncio.Server | None = None
        self._socket = _bound(port)
        self.port: int = self._socket.getsockname()[1]

    async def open(self) -> None:
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(self._peer, sock=self._socket, backlog=512)

    def shut(self) -> None:
        """Refuse connections, and drop those that wait for a request."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._socket = _bound(self.port)
        for peer in self._peers:
            if peer.current is None:
                peer.drop()

    def close(self) -> None:
        """Let go of the port and of every connection."""
        self.shut()
        self._socket.close()
        for peer in self._peers:
            peer.drop()

    def _peer(self) -> Peer:
        return Peer(self._run)

    async def _run(self, peer: Peer) -> None:
        self.connections += 1
        self._peers.add(peer)
        try:
            await self._serve(peer)
        finally:
            self._peers.discard(peer)


def _bound(port: int) -> socket.socket:
    # asyncio switches Nagle's waiting off, which costs 40 ms an answer, only for what is said to be TCP.
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind(("127.0.0.1", port))
    return taken
