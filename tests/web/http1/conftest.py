"""Applications served over real sockets by either reader of HTTP/1, and clients that send bytes as they are."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen
from hypercorn.asyncio import serve as hypercorn_serve

from coderouter_core.testing.loop import PATIENCE_S, LoopThread, fast_loop
from coderouter_core.web import http1
from coderouter_core.web.serve import listen

App = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


@frozen
class Said:
    """A response as it came, without its date. `whole`: its body ended as it should."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    whole: bool = True


class Server:
    """`app` on a port of its own. `config` are hypercorn's settings."""

    def __init__(self, app: App, reader: str, certificate: Path | None = None, **config: Any) -> None:
        self._socket = listen("127.0.0.1", 0)
        self.port: int = self._socket.getsockname()[1]
        self._loop = LoopThread("http1", fast_loop)
        self.settings = http1.settle(http1.Choice(reader), app)
        self.settings.bind = [f"fd://{self._socket.fileno()}"]
        self.settings.errorlog = self.settings.accesslog = None
        self.settings.include_server_header = False
        if certificate is not None:
            self.settings.certfile = self.settings.keyfile = str(certificate)
        for name, value in config.items():
            setattr(self.settings, name, value)
        self._serving = self._loop.run(self._start(app))

    async def _start(self, app: App) -> asyncio.Task[None]:
        self._stop = asyncio.Event()
        return asyncio.create_task(hypercorn_serve(app, self.settings, shutdown_trigger=self._stop.wait))  # type: ignore[arg-type]

    def stop(self) -> None:
        """Tell it to end; it takes its time."""
        self._loop.call(self._stop.set)

    def close(self) -> None:
        async def finish() -> None:
            self._stop.set()
            await asyncio.wait_for(self._serving, PATIENCE_S)

        try:
            self._loop.run(finish())
        finally:
            self._loop.close()
            self._socket.detach()

    def open(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)

    def ask(self, sent: bytes, *, hang_up: bool = False) -> bytes:
        """Everything that comes back for `sent` until the connection ends."""
        with self.open() as client:
            client.sendall(sent)
            if hang_up:
                client.shutdown(socket.SHUT_WR)
            return read_all(client)

    def said(self, sent: bytes, *, hang_up: bool = False, method: str = "GET") -> list[Said]:
        """The responses to `sent`, the first of which is to a request of that method."""
        return parse(self.ask(sent, hang_up=hang_up), method)


def read_all(client: socket.socket) -> bytes:
    got = b""
    while piece := client.recv(65536):
        got += piece
    return got


def read_until(client: socket.socket, end: bytes) -> bytes:
    """What comes, up to what ends with `end`."""
    got = b""
    while not got.endswith(end):
        piece = client.recv(65536)
        if not piece:
            raise AssertionError(f"the connection ended after {got!r}")
        got += piece
    return got


def parse(raw: bytes, *methods: str) -> list[Said]:
    """The responses in `raw`, to requests of these methods; further ones were GETs."""
    found: list[Said] = []
    asked = list(methods)
    while raw:
        head, _, raw = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = [line.split(": ", 1) for line in lines]
        headers = {name.lower(): value for name, value in pairs if name.lower() != "date"}
        status = int(first.split(" ")[1])
        if status == 100:
            found.append(Said(status, headers))
            continue
        method = asked.pop(0) if asked else "GET"
        if method == "HEAD" or status in (204, 304):
            found.append(Said(status, headers))
            continue
        body, raw, complete = _body(raw, headers)
        found.append(Said(status, headers, body, complete))
    return found


def _body(raw: bytes, headers: dict[str, str]) -> tuple[bytes, bytes, bool]:
    if "content-length" in headers:
        size = int(headers["content-length"])
        return raw[:size], raw[size:], len(raw) >= size
    if "transfer-encoding" not in headers:
        return raw, b"", True
    body = b""
    while raw:
        size_line, _, raw = raw.partition(b"\r\n")
        size = int(size_line, 16)
        body, raw = body + raw[:size], raw[size + 2 :]
        if size == 0:
            return body, raw, True
    return body, b"", False


async def whole_body(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def tell(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers with everything that it was told. The port of a client is another each time."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    told = {**scope, "body": await whole_body(receive), "client": [scope["client"][0]], "server": ["here"]}
    body = json.dumps(told, default=lambda value: value.decode("latin-1"), sort_keys=True).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", b"text/x")]})
    await send({"type": "http.response.body", "body": body})


async def lifespan(receive: Any, send: Any) -> None:
    for what in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{what}.complete"})


def http_only(app: App) -> App:
    async def with_lifespan(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await (lifespan(receive, send) if scope["type"] == "lifespan" else app(scope, receive, send))

    return with_lifespan


@frozen
class Serving:
    """Starts servers that end with the test."""

    _ends: ExitStack = field(alias="ends")

    def __call__(self, app: App, reader: str, **config: Any) -> Server:
        server = Server(app if app is tell else http_only(app), reader, **config)
        self._ends.callback(server.close)
        return server


@pytest.fixture
def serving() -> Iterator[Serving]:
    with ExitStack() as ends:
        yield Serving(ends)


@pytest.fixture(scope="session")
def tellers() -> Iterator[dict[str, Server]]:
    """`tell`, read by each."""
    with ExitStack() as ends:
        servers = {reader: Server(tell, reader) for reader in (http1.HTTPTOOLS, http1.H11)}
        for server in servers.values():
            ends.callback(server.close)
        yield servers


@pytest.fixture(params=[http1.HTTPTOOLS, http1.H11])
def reader(request: pytest.FixtureRequest) -> str:
    """Each of the two in turn: what a test says is true of both."""
    return str(request.param)
