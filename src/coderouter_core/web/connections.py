"""Hypercorn's connections, mended where a router that runs for weeks needs it."""

from __future__ import annotations

from typing import Any

import hypercorn.protocol
from hypercorn.asyncio import run
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Closed, Event, Updated
from hypercorn.protocol.h2 import H2Protocol


class Connection(TCPServer):
    """A connection that is closed as soon as its client has closed it.

    Hypercorn 0.18 waits for the keep-alive timer first: every client that goes leaves a socket in
    CLOSE_WAIT, and a descriptor, for that long.
    """

    is_over = False

    async def run(self) -> None:
        try:
            await super().run()
        except Exception:
            # What applications raise is caught before. This is a client that sent what hypercorn did not think of: the
            # connection has ended of it, and who can send such things must not be able to fill the log with them.
            await self.config.log.exception("Error in a connection")

    async def _read_data(self) -> None:
        try:
            await super()._read_data()
        finally:
            self.is_over = True
            await self.idle_task.stop()

    async def protocol_send(self, event: Event) -> None:
        # An answer that ends after its client has gone would start the timer again.
        if not (isinstance(event, Updated) and self.is_over):
            await super().protocol_send(event)


class Nobody:
    """Takes what still comes for a stream that is over."""

    async def handle(self, event: Any) -> None:
        """It is of no use to anybody."""


class Streams(dict[int, Any]):
    """The streams of a connection by number.

    A client may send on for a while when its request was answered early, as a refused one is. Hypercorn 0.18 ends
    the whole connection on the first byte of it, with every other stream.
    """

    def __missing__(self, _number: int) -> Nobody:
        return Nobody()


class Http2(H2Protocol):
    """HTTP/2 whose answers end with their connection.

    Hypercorn 0.18 has an answer wait until its last bytes are sent; whoever sends them has stopped by then when the
    client has left, and the application, the connection and its descriptor would stay for ever.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.streams = Streams()

    async def handle(self, event: Event) -> None:
        await super().handle(event)
        if isinstance(event, Closed):
            for buffer in list(self.stream_buffers.values()):
                await buffer.close()


def mend() -> None:
    """Have hypercorn make its connections of these classes, unless it makes them of some built on these."""
    hypercorn.protocol.H2Protocol = Http2  # type: ignore[attr-defined]
    if not issubclass(run.TCPServer, Connection):  # type: ignore[attr-defined]
        run.TCPServer = Connection  # type: ignore[attr-defined]
