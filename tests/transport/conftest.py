"""A server on loopback whose connections are played by hand, byte by byte."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import uvloop

from coderouter_core.transport import HttpTransport
from coderouter_core.transport.incoming import Incoming

T = TypeVar("T")

#: Nothing in these tests takes this long unless it hangs.
PATIENCE_S = 10

NO_HEADERS: Mapping[str, str] = {}


class Peer:
    """The server's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def request(self) -> tuple[bytes, bytes]:
        """Head and body of the next request."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return head, await self.reader.readexactly(length)

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def send_apart(self, *pieces: bytes) -> None:
        """Each piece in a read of its own on the other side."""
        for piece in pieces:
            self.writer.write(piece)
            await self.a_moment()

    async def a_moment(self) -> None:
        """Long enough for the other side, in the same event loop, to have read what was sent."""
        for _ in range(3):
            await asyncio.sleep(0.0005)

    async def gone(self) -> None:
        """Wait until the client has closed the connection."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            pass

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.writer.transport.abort()


Play = Callable[[Peer], Awaitable[None]]
Client = Callable[[HttpTransport, str], Awaitable[T]]


class Wire:
    """Runs a client against a play on a real socket, and looks for what is left over.

    A run fails when it leaves a task, a socket, a timer, a connection that the server still sees, or
    an error that nobody took.
    """

    def __init__(self, new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self._new_loop = new_loop
        self.accepted = 0
        self._errors: list[dict[str, Any]] = []

    def run(
        self,
        play: Play,
        client: Client[T],
        *,
        server_tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        **options: Any,
    ) -> T:
        with asyncio.Runner(loop_factory=self._new_loop) as runner:
            result = runner.run(self._run(play, client, server_tls, host, options))
        assert self._errors == []
        return result

    async def send(
        self,
        transport: HttpTransport,
        url: str,
        *,
        method: str = "GET",
        body: bytes = b"",
        headers: Mapping[str, str] = NO_HEADERS,
        **timeouts: float,
    ) -> Incoming:
        """Send one request; the response when its headers are there."""
        request = httpx.Request(method, url, headers=headers, content=body, extensions={"timeout": timeouts})
        response = await transport.handle_async_request(request)
        assert isinstance(response.stream, Incoming)
        return response.stream

    def get(self, **how: Any) -> Client[tuple[int, bytes]]:
        """A client that sends one request, as `send` does, and reads the whole answer."""

        async def client(transport: HttpTransport, url: str) -> tuple[int, bytes]:
            incoming = await self.send(transport, url, **how)
            return incoming.status, b"".join([piece async for piece in incoming])

        return client

    async def disconnected(self, transport: HttpTransport) -> None:
        """Wait until every connection of the transport has ended."""
        assert await settles(lambda: not transport._connections), "a connection is still held"

    async def _run(
        self, play: Play, client: Client[T], tls: ssl.SSLContext | None, host: str, options: dict[str, Any]
    ) -> T:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self._errors.append(context))
        before = sockets()
        open_peers: set[asyncio.Task[Any] | None] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.accepted += 1
            open_peers.add(asyncio.current_task())
            peer = Peer(reader, writer)
            try:
                await play(peer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass  # the client left, which the test may well want
            finally:
                open_peers.discard(asyncio.current_task())
                writer.close()

        server = await asyncio.start_server(serve, host, 0, ssl=tls, backlog=512)
        port = server.sockets[0].getsockname()[1]
        transport = HttpTransport(**options)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await client(transport, f"{'https' if tls else 'http'}://{host}:{port}/")
        finally:
            await transport.aclose()
            assert await settles(lambda: not open_peers), "the server still sees a connection"
            server.close()
            assert await settles(lambda: asyncio.all_tasks() == {asyncio.current_task()}), asyncio.all_tasks()
            assert await settles(lambda: sockets() <= before), "sockets were left open"
            assert timers(loop) == []


def timers(loop: asyncio.AbstractEventLoop) -> list[asyncio.TimerHandle]:
    """Those that are running, where the loop tells."""
    return [timer for timer in getattr(loop, "_scheduled", ()) if not timer.cancelled()]


def sockets() -> int:
    """How many this process holds, where the platform tells."""
    fds = Path("/proc/self/fd")
    return sum(_target(fd).startswith("socket:") for fd in fds.iterdir()) if fds.is_dir() else 0


def _target(fd: Path) -> str:
    try:
        return os.readlink(fd)
    except FileNotFoundError:
        return ""  # the one that lists the others


async def settles(condition: Callable[[], bool]) -> bool:
    """Whether the condition holds within a second."""
    for _ in range(200):
        if condition():
            return True
        await asyncio.sleep(0.005)
    return False


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def wire(request: pytest.FixtureRequest) -> Wire:
    return Wire(request.param)
