"""Hypercorn's connections, mended where a router that runs for weeks needs it."""

from __future__ import annotations

from hypercorn.asyncio import run
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Event, Updated


class Connection(TCPServer):
    """A connection that is closed as soon as its client has closed it.

    Hypercorn 0.18 waits for the keep-alive timer first: every client that goes leaves a socket in
    CLOSE_WAIT, and a descriptor, for that long.
    """

    is_over = False

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


def mend() -> None:
    """Have hypercorn make its connections of this class, unless it makes them of one built on it."""
    if not issubclass(run.TCPServer, Connection):  # type: ignore[attr-defined]
        run.TCPServer = Connection  # type: ignore[attr-defined]
