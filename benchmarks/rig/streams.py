"""Streamed answers: read many at once, count their chunks, see which of them end as they should."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

import httptools
import uvloop
from attrs import define, frozen

from rig.processes import NotRun, Running
from rig.sides import HOST

T = TypeVar("T")

#: What stands once in every chunk of the upstream, in whatever dialect it arrives.
MARK = b" word"
LAST_FRAMES = (b"data: [DONE]", b"event: message_stop")
CONNECT_LIMIT_S = 10.0
#: So many connections are opened at once, then a pause: no queue of a listening socket is to overflow.
OPENED_AT_ONCE, OPENING_PAUSE_S = 50, 0.1
#: The part of a measure's time that goes before it.
WARM_UP = 0.1


@frozen
class Ask:
    """What every stream of a measure asks, and how many chunks it must bring."""

    port: int
    path: str
    body: bytes
    chunks: int

    def encoded(self) -> bytes:
        head = (
            f"POST {self.path} HTTP/1.1\r\nhost: {HOST}:{self.port}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(self.body)}\r\n\r\n"
        )
        return head.encode() + self.body


@define(eq=False)
class Tally:
    """What all connections of a measure saw together. `whole`: streams that ended with every chunk."""

    chunks: int = 0
    whole: int = 0
    wrong: int = 0
    reason: str = ""


class Reader(asyncio.Protocol):
    """Reads one stream, and then the next where `again`. `started` is done with its first chunk, `over` when it stops."""

    def __init__(self, ask: Ask, tally: Tally, *, again: bool) -> None:
        self._ask = ask
        self._tally = tally
        self._again = again
        self._chunks = 0
        self._tail = b""
        loop = asyncio.get_running_loop()
        self.started: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._begin()

    def _begin(self) -> None:
        self._chunks, self._tail = 0, b""
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(self._ask.encoded())

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"not HTTP: {error}")

    def on_body(self, body: bytes) -> None:
        text = self._tail + body
        # What is kept for the next piece holds no whole mark, so that each is counted once.
        found = text.count(MARK)
        self._tail = text[-64:].rpartition(MARK)[2]
        self._chunks += found
        self._tally.chunks += found
        if found and not self.started.done():
            self.started.set_result(None)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        ended = any(last in self._tail for last in LAST_FRAMES)
        if status != 200 or not ended or self._chunks != self._ask.chunks:
            self._fail(f"status {status}, {self._chunks} of {self._ask.chunks} chunks, ended: {ended}")
            return
        self._tally.whole += 1
        if self._again:
            asyncio.get_running_loop().call_soon(self._begin)
        else:
            self.close()

    def _fail(self, reason: str) -> None:
        if not self.over.done():
            self._tally.wrong += 1
            self._tally.reason = reason
        self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the connection was closed inside a stream ({exc})")

    def close(self) -> None:
        """Stop reading, wherever it stands."""
        for waited_for in (self.started, self.over):
            if not waited_for.done():
                waited_for.set_result(None)
        self._transport.close()


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a measure on a loop of its own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


async def _opened(ask: Ask, tally: Tally, count: int, *, again: bool) -> list[Reader]:
    loop = asyncio.get_running_loop()
    readers: list[Reader] = []
    while len(readers) < count:
        batch = min(OPENED_AT_ONCE, count - len(readers))
        async with asyncio.timeout(CONNECT_LIMIT_S):
            pairs = await asyncio.gather(
                *(
                    loop.create_connection(lambda: Reader(ask, tally, again=again), HOST, ask.port)
                    for _ in range(batch)
                )
            )
        readers += [reader for _, reader in pairs]
        if len(readers) < count:
            await asyncio.sleep(OPENING_PAUSE_S)
    return readers


async def _closed(readers: list[Reader]) -> None:
    for reader in readers:
        reader.close()
    await asyncio.sleep(0)


async def flat_out(ask: Ask, parallel: int, seconds: float) -> float:
    """Chunks a second over `parallel` connections, one stream after the other."""
    tally = Tally()
    readers = await _opened(ask, tally, parallel, again=True)
    try:
        await asyncio.sleep(seconds * WARM_UP)
        before, began = tally.chunks, asyncio.get_running_loop().time()
        await asyncio.sleep(seconds)
        rate = (tally.chunks - before) / (asyncio.get_running_loop().time() - began)
    finally:
        await _closed(readers)
    if tally.wrong or not tally.chunks:
        raise NotRun(f"{tally.wrong} streams flat out failed: {tally.reason or 'nothing came'}")
    return rate


async def cpu_per_chunk(ask: Ask, parallel: int, seconds: float, process: Running) -> float:
    """Microseconds of `process` for each chunk of paced streams, their begin and end left out."""
    tally = Tally()
    readers = await _opened(ask, tally, parallel, again=False)
    try:
        async with asyncio.timeout(CONNECT_LIMIT_S):
            await asyncio.gather(*(reader.started for reader in readers))
        chunks, cpu = tally.chunks, process.cpu_s()
        await asyncio.sleep(seconds)
        chunks, cpu = tally.chunks - chunks, process.cpu_s() - cpu
    finally:
        await _closed(readers)
    if tally.wrong or not chunks:
        raise NotRun(f"{tally.wrong} paced streams failed: {tally.reason or 'nothing came'}")
    return cpu / chunks * 1e6


async def slow(ask: Ask, count: int, limit_s: float) -> Tally:
    """`count` streams at once; those that have not ended after `limit_s` are cut and not counted as whole."""
    tally = Tally()
    began = asyncio.get_running_loop().time()
    readers = await _opened(ask, tally, count, again=False)
    try:
        left = limit_s - (asyncio.get_running_loop().time() - began)
        await asyncio.wait([reader.over for reader in readers], timeout=max(0.0, left))
    finally:
        await _closed(readers)
    return tally
