"""A listener between a client and a router: every exchange as it went over the wire, and what was wrong with it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import h11
from attrs import define, field, frozen

from coderouter_core.testing import ServedRouter, Upstream
from coderouter_core.testing.checked import PATHS
from coderouter_core.testing.loop import LoopThread
from coderouter_core.wire.grammar import problems

DIALECTS = {path: dialect for dialect, path in PATHS.items()}


@frozen
class Exchange:
    """A request and its answer."""

    method: str
    path: str
    status: int
    streamed: bool
    body: bytes = field(repr=False)

    @property
    def complaints(self) -> list[str]:
        """What a client could stumble over."""
        where = f"{self.method} {self.path}"
        if self.status >= 400:
            return [f"{where}: {self.status}: {self.body.decode()}"]
        dialect = DIALECTS.get(self.path.partition("?")[0])
        if dialect is None or not self.streamed:
            return []
        return [f"{where}: {problem}" for problem in problems(dialect, self.body)]


@define
class Line:
    """The bytes of one connection, from either side."""

    asked: bytearray = field(factory=bytearray)
    answered: bytearray = field(factory=bytearray)

    def exchanges(self) -> Iterator[Exchange]:
        """Those that were asked and answered whole."""
        asking, answering = h11.Connection(h11.SERVER), h11.Connection(h11.CLIENT)
        asking.receive_data(bytes(self.asked))
        answering.receive_data(bytes(self.answered))
        while isinstance(request := asking.next_event(), h11.Request):
            if _rest(asking) is None:
                return
            bare = h11.Request(method=request.method, target=request.target, headers=[(b"host", b"any")])
            answering.send(bare)
            answering.send(h11.EndOfMessage())
            response = answering.next_event()
            if not isinstance(response, h11.Response) or (body := _rest(answering)) is None:
                return
            headers = dict(response.headers)
            streamed = headers.get(b"content-type", b"").startswith(b"text/event-stream")
            target = request.target.decode()
            yield Exchange(request.method.decode(), target, response.status_code, streamed, body)
            if answering.our_state is not h11.DONE or answering.their_state is not h11.DONE:
                return
            asking.send(h11.Response(status_code=200, headers=[(b"content-length", b"0")]))
            asking.send(h11.EndOfMessage())
            asking.start_next_cycle()
            answering.start_next_cycle()


def _rest(connection: h11.Connection) -> bytes | None:
    """The body of what was begun; None when it does not end."""
    body = bytearray()
    while isinstance(event := connection.next_event(), h11.Data):
        body += event.data
    return bytes(body) if isinstance(event, h11.EndOfMessage) else None


class Wiretap:
    """Stands before a router, at `url`, and keeps what goes by. Use it in a ``with`` statement."""

    def __init__(self, router: ServedRouter | Upstream) -> None:
        self._router = router
        self._port = int(router.url.rpartition(":")[2])
        self._lines: list[Line] = []

    def __enter__(self) -> Self:
        self._loop = LoopThread("wiretap")
        server = self._loop.run(asyncio.start_server(self._relay, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.close()

    @property
    def exchanges(self) -> list[Exchange]:
        return [exchange for line in self._lines for exchange in line.exchanges()]

    @property
    def complaints(self) -> list[str]:
        """What the client could stumble over, in any exchange."""
        return [complaint for exchange in self.exchanges for complaint in exchange.complaints]

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line()
        self._lines.append(line)
        back, there = await asyncio.open_connection("127.0.0.1", self._port)
        asking = asyncio.create_task(_pump(reader, there, line.asked))
        answering = asyncio.create_task(_pump(back, writer, line.answered))
        # Whoever leaves first ends it for both, as it would be without a listener.
        await asyncio.wait({asking, answering}, return_when=asyncio.FIRST_COMPLETED)
        for task in (asking, answering):
            task.cancel()
        await asyncio.gather(asking, answering, return_exceptions=True)
        there.close()
        writer.close()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter, kept: bytearray) -> None:
    while piece := await source.read(65536):
        kept += piece
        target.write(piece)
        await target.drain()
