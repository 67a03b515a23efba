"""How long a connection lives, how it ends, and who else may be on it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h2.config
import h2.connection
import h2.events
import pytest

from coderouter_core.testing import self_signed

if TYPE_CHECKING:
    from tests.web.http1.conftest import Server, Serving

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: "


def answer_on(client: socket.socket) -> bytes:
    """An answer in chunks."""
    got = b""
    while not got.endswith(b"\r\n0\r\n\r\n"):
        piece = client.recv(65536)
        if not piece:
            break
        got += piece
    return got


class Waiting:
    """An application that answers when it is told to; of a `streamed` answer it keeps the end back."""

    def __init__(self, *, streamed: bool = False) -> None:
        self._streamed = streamed
        self.asked = threading.Event()
        self.go = threading.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": []}
        if self._streamed:
            await send(start)
            await send({"type": "http.response.body", "body": b"soon", "more_body": True})
        self.asked.set()
        while not self.go.is_set():  # noqa: ASYNC110  (another thread sets it)
            await asyncio.sleep(0.005)
        if not self._streamed:
            await send(start)
        await send({"type": "http.response.body", "body": b"late"})


async def brief(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["http_version"].encode()})


def ends(client: socket.socket) -> bool:
    """Wait for the end of the connection, of whatever kind; False when there comes something else."""
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("first", [b"", GET], ids=["new", "used"])
def test_an_idle_connection_is_closed_in_time(serving: Serving, reader: str, first: bytes) -> None:
    with serving(brief, reader, keep_alive_timeout=0.1).open() as client:
        # Where this takes longer than it should, it is closed all the sooner.
        with contextlib.suppress(ConnectionError):
            client.sendall(first)
            if first:
                answer_on(client)

        assert ends(client)


def test_a_head_that_comes_too_slowly_is_given_up(serving: Serving, reader: str) -> None:
    with serving(brief, reader, keep_alive_timeout=0.2).open() as client:
        client.settimeout(0.01)
        ended = False
        # Far longer than an idle connection may live.
        for _ in range(2000):
            try:
                client.sendall(b"x")
                ended = client.recv(1) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                ended = True
            break

    assert ended


def test_an_answer_may_take_longer_than_an_idle_connection(serving: Serving, reader: str) -> None:
    app = Waiting()
    with serving(app, reader, keep_alive_timeout=0.05).open() as client:
        client.sendall(GET)
        app.asked.wait(10)
        threading.Timer(0.2, app.go.set).start()

        assert b"late" in answer_on(client)


def test_an_idle_connection_is_closed_when_the_server_ends(serving: Serving, reader: str) -> None:
    server = serving(brief, reader, keep_alive_timeout=600, graceful_timeout=600)
    with server.open() as client:
        client.sendall(GET)
        answer_on(client)
        server.stop()

        assert client.recv(1) == b""


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_an_answer_under_way_is_finished_when_the_server_ends(
    serving: Serving, reader: str, streamed: bool
) -> None:
    app = Waiting(streamed=streamed)
    server = serving(app, reader, keep_alive_timeout=600, graceful_timeout=600)
    with server.open() as client:
        client.sendall(GET)
        app.asked.wait(10)
        server.stop()
        app.go.set()

        assert (b"late" in answer_on(client), client.recv(1)) == (True, b"")


def test_the_last_answer_of_a_server_that_ends_says_so(serving: Serving) -> None:
    app = Waiting()
    server = serving(app, "httptools")
    with server.open() as idle, server.open() as client:
        client.sendall(GET)
        app.asked.wait(10)
        server.stop()
        idle.recv(1)  # it has been told
        app.go.set()

        assert b"\r\nconnection: close\r\n" in answer_on(client)


def test_an_answer_that_never_ends_is_cut_when_the_server_has_waited(serving: Serving, reader: str) -> None:
    app = Waiting()
    server = serving(app, reader, graceful_timeout=0.1)
    with server.open() as client:
        client.sendall(GET)
        app.asked.wait(10)
        server.stop()

        assert client.recv(65536)[:12] == b"HTTP/1.1 500"


def test_a_client_that_resets_the_connection_harms_nobody(serving: Serving, reader: str) -> None:
    server = serving(brief, reader)
    with server.open() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.sendall(GET * 3)

    with server.open() as other:
        other.sendall(GET)
        assert b"1.1" in answer_on(other)


def exchanged(client: socket.socket, spoken: h2.connection.H2Connection, stream: int) -> bytes:
    """The body of the answer in an HTTP/2 stream."""
    body = b""
    client.sendall(spoken.data_to_send())
    while data := client.recv(65536):
        for event in spoken.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                body += event.data
            if isinstance(event, h2.events.StreamEnded) and event.stream_id == stream:
                return body
        client.sendall(spoken.data_to_send())
    return body


def http2(*, ask: bool) -> h2.connection.H2Connection:
    spoken = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    if ask:
        spoken.initiate_connection()
        head = {":method": "GET", ":path": "/", ":scheme": "http", ":authority": "localhost"}
        spoken.send_headers(1, head.items(), end_stream=True)
    return spoken


def test_a_client_that_knows_http2_is_answered_in_it(serving: Serving, reader: str) -> None:
    with serving(brief, reader).open() as client:
        assert exchanged(client, http2(ask=True), 1) == b"2"


def test_the_preface_of_http2_may_come_in_pieces(serving: Serving) -> None:
    spoken = http2(ask=True)
    sent = spoken.data_to_send()
    with serving(brief, "httptools").open() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(24):
            client.sendall(sent[at : at + 1])
        client.sendall(sent[24:])

        assert exchanged(client, spoken, 1) == b"2"


@pytest.mark.parametrize("before", [b"", GET], ids=["at-once", "after-a-request"])
def test_a_connection_is_upgraded_to_http2(serving: Serving, reader: str, before: bytes) -> None:
    spoken = http2(ask=False)
    settings = spoken.initiate_upgrade_connection()
    assert settings is not None
    with serving(brief, reader).open() as client:
        if before:
            client.sendall(before)
            answer_on(client)
        client.sendall(UPGRADE + b"h2c\r\nHTTP2-Settings: " + settings + b"\r\n\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)

        assert (head[:12], exchanged(client, spoken, 1)) == (b"HTTP/1.1 101", b"2")


def test_a_websocket_is_the_application_s_matter(serving: Serving, reader: str) -> None:
    key = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    with serving(brief, reader).open() as client:
        client.sendall(UPGRADE + b"websocket\r\n" + key)

        assert client.recv(65536)[:12] == b"HTTP/1.1 403"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    return self_signed(tmp_path_factory.mktemp("tls"))


def secured(server: Server, certificate: Path, protocol: str) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(certificate))
    context.check_hostname = False
    context.set_alpn_protocols([protocol])
    return context.wrap_socket(server.open())


def test_over_tls_requests_are_served_as_without(serving: Serving, reader: str, certificate: Path) -> None:
    async def schemes(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["scheme"].encode()})

    with secured(serving(schemes, reader, certificate=certificate), certificate, "http/1.1") as client:
        answers = []
        for _ in range(2):
            client.sendall(GET)
            answers.append(b"https" in answer_on(client))

    assert answers == [True, True]


def test_over_tls_http2_is_agreed_upon(serving: Serving, reader: str, certificate: Path) -> None:
    with secured(serving(brief, reader, certificate=certificate), certificate, "h2") as client:
        assert (client.selected_alpn_protocol(), exchanged(client, http2(ask=True), 1)) == ("h2", b"2")
