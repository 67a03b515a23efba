"""Put our connections under hypercorn, which keeps sockets, TLS, HTTP/2, lifespan and shutdown."""

from __future__ import annotations

import asyncio
from typing import Any

from hypercorn.asyncio import run
from hypercorn.config import Config
from hypercorn.utils import parse_socket_addr

from coderouter_core.web import connections
from coderouter_core.web.http1.connection import ClientConnection
from coderouter_core.web.http1.exchange import Ends
from coderouter_core.web.http1.site import Site


class Settings(Config):
    """Hypercorn's settings. With a `site`, HTTP/1 is ours."""

    site: Site | None = None


class Connection(connections.Connection):
    """A connection whose bytes we read ourselves for as long as they are HTTP/1.

    HTTP/2, by ALPN or by its preface, and upgrades are hypercorn's: it is given its streams back, with the bytes
    from which it has to go on.
    """

    async def run(self) -> None:
        site = getattr(self.config, "site", None)
        tls = self.writer.get_extra_info("ssl_object")
        if site is None or (tls is not None and tls.selected_alpn_protocol() == "h2"):
            await super().run()
            return
        try:
            ends = self._ends("http" if tls is None else "https")
        except OSError:  # It has gone again.
            self.writer.close()
            return
        site.watch(self.context.terminated)
        if not await self._serve(site, ends):
            await super().run()

    def _ends(self, scheme: str) -> Ends:
        socket = self.writer.get_extra_info("socket")
        return Ends(
            client=parse_socket_addr(socket.family, socket.getpeername()),
            server=parse_socket_addr(socket.family, socket.getsockname()),
            scheme=scheme,
            root_path=self.config.root_path,
            state=self.state,
        )

    async def _serve(self, site: Site, ends: Ends) -> bool:
        """False when hypercorn has to go on."""
        transport: Any = self.writer.transport
        streams = transport.get_protocol()

        def hand_over(rest: bytes) -> None:
            transport.set_protocol(streams)
            if connection.full:
                streams.pause_writing()
            self.reader.feed_data(rest)

        connection = ClientConnection(site, ends, transport, hand_over)
        held = _held(self.reader)
        transport.set_protocol(connection)
        connection.begin(held, self.reader.at_eof())
        try:
            return await connection.ended
        except asyncio.CancelledError:
            await connection.abandon()
            raise


def _held(reader: asyncio.StreamReader) -> bytes:
    """What `reader` has already, without waiting for more."""
    reading = reader.read(2**20)
    try:
        reading.send(None)
    except StopIteration as done:
        return bytes(done.value)
    reading.close()
    return b""


def install() -> None:
    """Have hypercorn make its connections of this class. Twice is once."""
    connections.mend()
    run.TCPServer = Connection  # type: ignore[attr-defined]
