"""What becomes of what an application sends, and what it is told of its client."""

from __future__ import annotations

import asyncio
import queue
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.web.http1.conftest import App, Server, Serving

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
LAST_HEAD = LAST.replace(b"GET", b"HEAD")
OLD = b"GET / HTTP/1.0\r\n\r\n"
#: More than all buffers on the way between two sockets.
LARGE = 64 * 1024 * 1024


def answering(
    *bodies: bytes, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = (), failing: bool = False
) -> App:
    """An application that sends these, the last of them as such unless it is `failing` then."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        for number, body in enumerate(bodies):
            more = failing or number < len(bodies) - 1
            await send({"type": "http.response.body", "body": body, "more_body": more})
        if failing:
            raise RuntimeError("as it was told to")

    return app


async def broken(scope: dict[str, Any], receive: Any, send: Any) -> None:
    raise RuntimeError("as it was told to")


async def silent(scope: dict[str, Any], receive: Any, send: Any) -> None:
    return


LENGTH = ((b"Content-Length", b"5"),)

#: What each reader makes of it: request, application, status, framing, body, whether it is whole.
ANSWERS = {
    "length": (LAST, answering(b"hello", headers=LENGTH), 200, "content-length", b"hello", True),
    "length-in-pieces": (
        LAST,
        answering(b"he", b"llo", headers=LENGTH),
        200,
        "content-length",
        b"hello",
        True,
    ),
    "chunks": (LAST, answering(b"he", b"", b"llo"), 200, "transfer-encoding", b"hello", True),
    "chunks-asked-for": (
        LAST,
        answering(b"hello", headers=((b"Transfer-Encoding", b"chunked"),)),
        200,
        "transfer-encoding",
        b"hello",
        True,
    ),
    "until-the-end": (OLD, answering(b"he", b"llo"), 200, "connection", b"hello", True),
    "head-with-length": (LAST_HEAD, answering(b"hello", headers=LENGTH), 200, "content-length", b"", True),
    "head-without": (LAST_HEAD, answering(b"hello"), 200, "transfer-encoding", b"", True),
    "204": (LAST, answering(b"", status=204), 204, "connection", b"", True),
    "204-with-a-body": (LAST, answering(b"hello", status=204), 204, "connection", b"", True),
    "304": (LAST, answering(b"", status=304, headers=LENGTH), 304, "content-length", b"", True),
    "failure-before": (GET, broken, 500, "content-length", b"", True),
    "nothing": (GET, silent, 500, "content-length", b"", True),
    "failure-in-the-middle": (GET, answering(b"hel", failing=True), 200, "transfer-encoding", b"hel", False),
    "too-little": (GET, answering(b"h", b"e", headers=LENGTH), 200, "content-length", b"h", False),
    "too-much": (GET, answering(b"hell", b"oh", headers=LENGTH), 200, "content-length", b"hell", False),
}


@pytest.mark.parametrize(
    ("sent", "app", "status", "framing", "body", "whole"), ANSWERS.values(), ids=ANSWERS.keys()
)
def test_an_answer_comes_as_its_application_sent_it(
    serving: Serving,
    reader: str,
    sent: bytes,
    app: App,
    status: int,
    framing: str,
    body: bytes,
    whole: bool,
) -> None:
    method = sent.partition(b" ")[0].decode()

    (said,) = serving(app, reader, keep_alive_timeout=600).said(sent, method=method)

    # Too little is noticed with the last piece, by one before it is sent and by the other after.
    got = said.body[: len(body)]
    assert (said.status, framing in said.headers, got, said.whole) == (status, True, body, whole)


@pytest.mark.parametrize(
    "header",
    [
        (b"X", b"a\r\nY: b"),
        (b"X", b"a\nb"),
        (b"X", b"a\rb"),
        (b"X", b"a\0b"),
        (b"X\r\nY", b"a"),
        (b"X Y", b"a"),
    ],
    ids=["crlf", "lf", "cr", "nul", "crlf-in-the-name", "space-in-the-name"],
)
def test_a_header_cannot_hold_another(serving: Serving, reader: str, header: tuple[bytes, bytes]) -> None:
    (said,) = serving(answering(b"hello", headers=(header,)), reader).said(GET)

    assert said.status == 500


def test_a_client_that_waits_is_told_to_go_on(tellers: dict[str, Server], reader: str) -> None:
    with tellers[reader].open() as client:
        client.sendall(LAST[:-2] + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        first = client.recv(25)
        client.sendall(b"hello")

        assert first.startswith(b"HTTP/1.1 100 \r\n")


def test_an_answer_is_not_asked_for_before_its_time(serving: Serving) -> None:
    """Who is refused by the headers alone need not send the body."""
    ask = GET[:-2] + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"

    answers = serving(answering(b"no", status=413), "httptools").said(ask)

    assert [(said.status, said.headers.get("connection")) for said in answers] == [(413, "close")]


def test_an_answer_that_ended_before_its_request_ends_the_connection(serving: Serving, reader: str) -> None:
    ask = GET[:-2] + b"Content-Length: 5\r\n\r\n"

    (said,) = serving(answering(b"he", b"llo"), reader, keep_alive_timeout=600).said(ask)

    assert (said.status, said.body) == (200, b"hello")


def test_a_refusal_reaches_a_client_that_is_still_sending(serving: Serving) -> None:
    ask = GET[:-2] + b"Content-Length: %d\r\n\r\n" % LARGE
    with serving(answering(b"no", status=413), "httptools").open() as client:
        client.sendall(ask)
        answer = client.recv(65536)
        client.sendall(bytes(1024 * 1024))
        rest = client.recv(65536)

    assert (answer[:13], rest) == (b"HTTP/1.1 413 ", b"")


class Watching:
    """An application that never answers. What it receives is in `received`, which begins when it may `go`."""

    def __init__(self) -> None:
        self.received: queue.Queue[dict[str, Any]] = queue.Queue()
        self.go = threading.Event()
        self.go.set()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        while not self.go.is_set():  # noqa: ASYNC110  (another thread sets it)
            await asyncio.sleep(0.01)
        while True:
            message = await receive()
            self.received.put(message)
            if message["type"] == "http.disconnect":
                return


def test_an_application_is_told_that_its_client_left(serving: Serving, reader: str) -> None:
    app = Watching()
    with serving(app, reader).open() as client:
        client.sendall(GET)
        app.received.get(timeout=10)

    assert app.received.get(timeout=10) == {"type": "http.disconnect"}


def test_an_application_is_told_that_its_client_left_in_the_middle_of_its_request(
    serving: Serving, reader: str
) -> None:
    app = Watching()
    with serving(app, reader).open() as client:
        client.sendall(GET[:-2] + b"Content-Length: 5\r\n\r\nhel")
        first = app.received.get(timeout=10)

    assert (first["body"], app.received.get(timeout=10)) == (b"hel", {"type": "http.disconnect"})


def test_a_client_that_only_hung_up_is_answered(serving: Serving, reader: str) -> None:
    with serving(answering(b"hello", headers=LENGTH), reader).open() as client:
        client.sendall(GET)
        client.shutdown(socket.SHUT_WR)
        got = b""
        while piece := b"" if got.endswith(b"hello") else client.recv(65536):
            got += piece

    assert got.endswith(b"\r\n\r\nhello")


def test_a_client_that_hung_up_is_not_waited_for_when_it_was_answered(serving: Serving) -> None:
    async def late(scope: dict[str, Any], receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        await answering(b"late")(scope, receive, send)

    (said,) = serving(late, "httptools", keep_alive_timeout=600).said(GET, hang_up=True)

    assert said.body == b"late"


def test_an_answer_that_has_begun_is_not_followed_by_a_refusal(serving: Serving, reader: str) -> None:
    async def early(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"early", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    with serving(early, reader).open() as client:
        client.sendall(GET[:-2] + b"Transfer-Encoding: chunked\r\n\r\n")
        got = b""
        while b"early" not in got:
            got += client.recv(65536)
        client.sendall(b"this is no chunk\r\n")
        rest = b"".join(iter(lambda: client.recv(65536), b""))

    assert (rest.count(b"HTTP/1.1"), rest.endswith(b"0\r\n\r\n")) == (0, False)


def test_a_client_waits_when_its_body_is_not_taken(serving: Serving, reader: str) -> None:
    app = Watching()
    app.go.clear()
    with serving(app, reader).open() as client:
        client.sendall(GET[:-2] + b"Content-Length: %d\r\n\r\n" % LARGE)
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.sendall(bytes(LARGE))
    app.go.set()


def test_a_body_larger_than_the_buffers_arrives(tellers: dict[str, Server], reader: str) -> None:
    body = b"0123456789abcdef" * 100_000

    (said,) = tellers[reader].said(LAST[:-2] + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    assert said.body.count(b"0123456789abcdef") == 100_000


def test_an_application_waits_for_a_client_that_does_not_read(serving: Serving, reader: str) -> None:
    sent: list[int] = []

    async def pour(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/sent":
            await send({"type": "http.response.body", "body": b"%d" % len(sent)})
            return
        for _ in range(1024):
            await send({"type": "http.response.body", "body": bytes(LARGE // 1024), "more_body": True})
            sent.append(1)
        await send({"type": "http.response.body", "body": b""})

    server = serving(pour, reader)
    with server.open() as client:
        client.sendall(LAST)
        client.recv(1, socket.MSG_PEEK)
        (told,) = server.said(LAST.replace(b"/", b"/sent", 1))
        size = sum(len(piece) for piece in iter(lambda: client.recv(1 << 20), b""))

    assert (int(told.body) < 1024, size > LARGE) == (True, True)


def test_nobody_waits_for_room_on_a_connection_that_is_gone(serving: Serving, reader: str) -> None:
    ended: queue.Queue[bool] = queue.Queue()

    async def pour(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1024):
            await send({"type": "http.response.body", "body": bytes(LARGE // 1024), "more_body": True})
        ended.put(True)

    with serving(pour, reader).open() as client:
        client.sendall(LAST)
        client.recv(1)

    assert ended.get(timeout=10)
