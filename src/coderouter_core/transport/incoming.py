"""One response as it comes in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from coderouter_core.transport.connection import Connection


class Incoming(httpx.AsyncByteStream):
    """Status, headers, and the pieces of the body that nobody has taken yet.

    Lives longer than its turn on the connection, which may serve the next request while the end
    of this body is still being read. `done` with an `error` is a body that broke.
    """

    __slots__ = (
        "_connection",
        "begun",
        "done",
        "error",
        "headed",
        "headers",
        "pieces",
        "size",
        "started",
        "status",
    )

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.pieces: list[bytes] = []
        self.size = 0
        self.started = False  # a byte came
        self.headed = False  # the headers are complete
        self.begun = False  # a byte of the body came
        self.done = False
        self.error: Exception | None = None

    def fail(self, error: Exception) -> None:
        """The rest will not come. What came before can still be read."""
        if not self.done:
            self.error = error
            self.done = True

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self.pieces and not self.done:
            await self._connection.more(self)
        if self.pieces:
            data = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
            self.pieces.clear()
            self.size = 0
            self._connection.taken(self)
            return data
        if self.error is not None:
            raise self.error
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Done with it. A body that was not read to its end costs the connection."""
        self._connection.abandon(self)
