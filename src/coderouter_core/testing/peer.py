"""One connection to a scripted upstream: requests read from it, bytes written to it, its end noticed."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from http import HTTPStatus
from typing import Any

from attrs import define, field

#: Requests of agents hold whole repositories.
MAX_HEAD = 256 * 1024


@define(eq=False)
class Received:
    """A request as it came. Times are of `time.monotonic`.

    `headers` have lower-case names; `path` is as sent, with its query. `gone_at` is when the other side
    hung up before its answer was complete. `step` is what it was answered with.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    raw: bytes = field(repr=False)
    at: float
    gone_at: float | None = None
    step: Any = None
    _gone: threading.Event = field(factory=threading.Event, init=False, repr=False)

    @cached_property
    def body(self) -> Any:
        """The body as JSON; None where it is not."""
        try:
            return json.loads(self.raw)
        except ValueError:
            return None

    def hung_up(self) -> None:
        if self.gone_at is None:
            self.gone_at = time.monotonic()
            self._gone.set()

    def wait_gone(self, timeout_s: float = 5.0) -> bool:
        """Wait until the other side has hung up; False when it has not within `timeout_s`."""
        return self._gone.wait(timeout_s)


class Peer(asyncio.StreamReaderProtocol):
    """A connection. `serve` is run with it, and what it writes is written at once."""

    def __init__(self, serve: Callable[[Peer], Awaitable[None]]) -> None:
        self.reader = asyncio.StreamReader(limit=MAX_HEAD)
        super().__init__(self.reader, self._opened)
        self._serve = serve
        self._gone = asyncio.Event()
        #: The request that is being answered.
        self.current: Received | None = None

    async def _opened(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        try:
            await self._serve(self)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            self._left()
        finally:
            writer.close()

    def eof_received(self) -> bool:
        self._left()
        return bool(super().eof_received())

    def connection_lost(self, exc: Exception | None) -> None:
        self._left()
        super().connection_lost(exc)

    def _left(self) -> None:
        self._gone.set()
        if self.current is not None:
            self.current.hung_up()

    async def request(self) -> Received | None:
        """The next request; None when the other side has none."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode("latin-1").rstrip().split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        return Received(method, path, headers, await self._body(headers), time.monotonic())

    async def _body(self, headers: Mapping[str, str]) -> bytes:
        if "chunked" not in headers.get("transfer-encoding", ""):
            return await self.reader.readexactly(int(headers.get("content-length", "0")))
        parts = []
        while size := int((await self.reader.readline()).split(b";")[0], 16):
            parts.append(await self.reader.readexactly(size))
            await self.reader.readline()
        await self.reader.readline()
        return b"".join(parts)

    async def head(self, status: int, headers: Mapping[str, str]) -> None:
        """The status line and the headers."""
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = "Unheard Of"
        lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        await self.write("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def write(self, data: bytes) -> None:
        """Raises ConnectionResetError once the other side has gone."""
        if self._gone.is_set():
            raise ConnectionResetError
        self._writer.write(data)
        await self._writer.drain()

    async def pause(self, seconds: float) -> None:
        """Let `seconds` pass. Raises ConnectionResetError as soon as the other side goes."""
        if seconds > 0:
            try:
                await asyncio.wait_for(self._gone.wait(), seconds)
            except TimeoutError:
                return
        if self._gone.is_set():
            raise ConnectionResetError

    def drop(self) -> None:
        """End the connection at once, without an answer."""
        self.current = None
        self._writer.transport.abort()

    def reset(self) -> None:
        """End the connection by RST, as a dying process does."""
        self.current = None
        open_socket: socket.socket = self._writer.get_extra_info("socket")
        open_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
