"""What the transport makes of what servers send."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from tests.transport.conftest import Peer, Play, Wire

    from coderouter_core.transport import HttpTransport

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def says(*pieces: bytes) -> Play:
    """A server that reads the request, sends the pieces and closes."""

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send_apart(*pieces)

    return play


@pytest.mark.parametrize(
    ("sent", "status", "body"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", 200, b"hello", id="length"),
        pytest.param(
            CHUNKED + b"3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nx-t: 1\r\n\r\n", 200, b"hello", id="chunked"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nhello", 200, b"hello", id="until-the-end"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\nhello", 200, b"hello", id="http-1.0"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", id="no-content"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, b"", id="empty"),
        pytest.param(b"HTTP/1.1 529 Busy\r\ncontent-length: 2\r\n\r\nno", 529, b"no", id="error-status"),
        pytest.param(
            b"HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n", 302, b"", id="redirect"
        ),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: x\r\n\r\n"
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            200,
            b"ok",
            id="informational-first",
        ),
    ],
)
def test_an_answer_is_read(wire: Wire, sent: bytes, status: int, body: bytes) -> None:
    assert wire.run(says(sent), wire.get()) == (status, body)


def test_headers_come_as_they_were_sent(wire: Wire) -> None:
    async def headers(transport: HttpTransport, url: str) -> list[tuple[bytes, bytes]]:
        response = await transport.handle_async_request(httpx.Request("GET", url))
        return response.headers.raw

    sent = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-empty:\r\nX-A: \xff2\r\ncontent-length: 0\r\n\r\n"

    assert wire.run(says(sent), headers) == [
        (b"X-A", b"1"),
        (b"x-empty", b""),
        (b"X-A", b"\xff2"),
        (b"content-length", b"0"),
    ]


def test_an_informational_answer_leaves_no_headers_behind(wire: Wire) -> None:
    async def names(transport: HttpTransport, url: str) -> list[bytes]:
        incoming = await wire.send(transport, url)
        return [name for name, _ in incoming.headers]

    sent = b"HTTP/1.1 103 Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"

    assert wire.run(says(sent), names) == [b"content-length"]


def test_a_head_request_has_no_body_whatever_the_headers_say(wire: Wire) -> None:
    sent = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n"

    assert wire.run(says(sent), wire.get(method="HEAD")) == (200, b"")


def test_a_chunked_answer_may_be_split_at_every_byte(wire: Wire) -> None:
    whole = CHUNKED + "5;ext=1\r\nhällo\r\n".encode("latin-1") + b"a\r\n0123456789\r\n0\r\nx-t: 1\r\n\r\n"
    split_at = iter(range(1, len(whole)))

    async def play(peer: Peer) -> None:
        for at in split_at:
            await peer.request()
            await peer.send_apart(whole[:at], whole[at:])

    async def client(transport: HttpTransport, url: str) -> set[tuple[int, bytes]]:
        return {await wire.get()(transport, url) for _ in range(1, len(whole))}

    assert wire.run(play, client) == {(200, b"h\xe4llo0123456789")}
    assert wire.accepted == 1


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        pytest.param(b"", "closed the connection without an answer", id="nothing"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nx-a: ", "closed the connection without an answer", id="half-a-head"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello",
            "closed the connection in the middle of its answer",
            id="short-body",
        ),
        pytest.param(CHUNKED + b"5\r\nhello\r\n", "in the middle of its answer", id="no-last-chunk"),
        pytest.param(CHUNKED + b"5\r\nhel", "in the middle of its answer", id="half-a-chunk"),
        pytest.param(CHUNKED + b"zz\r\n", "does not speak HTTP/1.1", id="bad-chunk-size"),
        pytest.param(b"<html>welcome</html>", "does not speak HTTP/1.1", id="not-http"),
        pytest.param(b"HTTP/2 200 OK\r\n\r\n", "does not speak HTTP/1.1", id="other-version"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
            "does not speak HTTP/1.1",
            id="two-lengths",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
            "transfer encoding that was not asked for",
            id="compressed-transfer",
        ),
        pytest.param(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nhello",
            "change the protocol",
            id="switching-protocols",
        ),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "change the protocol", id="bare-101"),
    ],
)
def test_what_is_not_a_whole_answer_is_an_error(wire: Wire, sent: bytes, words: str) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match=words):
        wire.run(says(sent), wire.get())


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nx-long: " + b"x" * 300_000, id="one-header"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"x-many: 123456789\r\n" * 20_000, id="many-headers"),
        pytest.param(b"HTTP/1.1 " + b"100 Continue\r\nx-a: 1\r\n\r\nHTTP/1.1 " * 20_000, id="many-heads"),
        pytest.param(CHUNKED + b"1;x=" + b"x" * 300_000, id="chunk-extension"),
        pytest.param(CHUNKED + b"1\r\na\r\n0\r\nx-trailer: " + b"x" * 300_000, id="trailer"),
    ],
)
def test_headers_without_end_are_given_up(wire: Wire, sent: bytes) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="more than 64 KiB of headers"):
        wire.run(says(*(sent[at : at + 20_000] for at in range(0, len(sent), 20_000))), wire.get())


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        pytest.param(b"", "reset the connection without an answer", id="before-headers"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello",
            "reset the connection in the middle of its answer",
            id="in-the-body",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nhello", "in the middle of its answer", id="until-the-end"),
    ],
)
def test_a_reset_is_a_read_error(wire: Wire, sent: bytes, words: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send_apart(sent, b"")
        peer.reset()

    with pytest.raises(httpx.ReadError, match=words):
        wire.run(play, wire.get())


def test_what_came_before_a_break_is_handed_out(wire: Wire) -> None:
    async def client(transport: HttpTransport, url: str) -> bytes:
        incoming = await wire.send(transport, url)
        first = await anext(incoming)
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(incoming)
        return first

    assert wire.run(says(CHUNKED + b"5\r\nhello\r\n"), client) == b"hello"


def test_what_one_read_brings_comes_as_one_piece(wire: Wire) -> None:
    async def client(transport: HttpTransport, url: str) -> list[bytes]:
        return [piece async for piece in await wire.send(transport, url)]

    sent = CHUNKED + b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"

    assert wire.run(says(sent), client) == [b"hello"]


def test_the_client_of_httpx_works_over_it(wire: Wire) -> None:
    async def client(transport: HttpTransport, url: str) -> str:
        async with httpx.AsyncClient(transport=transport) as ours:
            return (await ours.post(url, json={"a": 1}, timeout=5)).raise_for_status().text

    body = gzip.compress(b"hello")
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(body)

    assert wire.run(says(head + body), client) == "hello"
