"""What goes out, and large bodies both ways."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx
import pytest

from coderouter_core.transport.connection import UNREAD_BYTES

if TYPE_CHECKING:
    from tests.transport.conftest import Client, Peer, Play, Wire

    from coderouter_core.transport import HttpTransport

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
LARGE = bytes(range(256)) * 80_000


def hears(said: list[tuple[bytes, bytes]]) -> Play:
    async def play(peer: Peer) -> None:
        said.append(await peer.request())
        peer.send(OK)

    return play


def sends(request: httpx.Request) -> Client[int]:
    async def client(transport: HttpTransport, url: str) -> int:
        request.url = httpx.URL(url).join(request.url.raw_path.decode())
        response = await transport.handle_async_request(request)
        await response.aclose()
        return response.status_code

    return client


def bare(*headers: tuple[bytes, bytes]) -> httpx.Request:
    """A request without the headers that httpx adds."""
    return httpx.Request("POST", "http://x/v1?a=b%20c", headers=headers, stream=httpx.ByteStream(b"{}"))


def test_a_request_goes_out_as_it_is(wire: Wire) -> None:
    said: list[tuple[bytes, bytes]] = []

    wire.run(hears(said), sends(bare((b"Host", b"h"), (b"X-A", b"1"), (b"Content-Length", b"2"))))

    assert said == [(b"POST /v1?a=b%20c HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nContent-Length: 2\r\n\r\n", b"{}")]


def test_host_and_length_are_added_where_they_are_missing(wire: Wire) -> None:
    said: list[tuple[bytes, bytes]] = []

    wire.run(hears(said), sends(bare()))

    ((head, body),) = said
    assert head.startswith(b"POST /v1?a=b%20c HTTP/1.1\r\nhost: 127.0.0.1:")
    assert head.endswith(b"\r\ncontent-length: 2\r\n\r\n")
    assert body == b"{}"


def test_a_body_that_comes_in_pieces_goes_out_with_its_length(wire: Wire) -> None:
    said: list[tuple[bytes, bytes]] = []

    async def pieces() -> AsyncIterator[bytes]:
        yield b"{"
        yield b"}"

    wire.run(hears(said), sends(httpx.Request("POST", "http://x/", content=pieces())))

    assert b"transfer-encoding" not in said[0][0].lower()
    assert said[0][1] == b"{}"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([(b"x-a", b"1\r\nx-b: 2")], id="crlf-in-a-value"),
        pytest.param([(b"x-a", b"1\nx-b: 2")], id="lf-in-a-value"),
        pytest.param([(b"x-a", b"1\rx-b: 2")], id="cr-in-a-value"),
        pytest.param([(b"x-a", b"1\0")], id="nul-in-a-value"),
        pytest.param([(b"x-a: 1\r\nx-b", b"2")], id="crlf-in-a-name"),
    ],
)
def test_a_header_with_a_line_break_is_not_sent(wire: Wire, headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(httpx.LocalProtocolError, match="a line break or a NUL"):
        wire.run(hears([]), sends(bare(*headers)))
    assert wire.accepted == 0


@pytest.mark.parametrize("length", [b"1", b"3", b"x", b"2, 2"])
def test_a_length_that_is_not_the_bodys_is_not_sent(wire: Wire, length: bytes) -> None:
    with pytest.raises(httpx.LocalProtocolError, match="the body has 2 bytes"):
        wire.run(hears([]), sends(bare((b"content-length", length))))
    assert wire.accepted == 0


def test_only_http_and_https_are_spoken(wire: Wire) -> None:
    async def client(transport: HttpTransport, url: str) -> None:
        await wire.get()(transport, "ftp://127.0.0.1/")

    with pytest.raises(httpx.UnsupportedProtocol, match="not 'ftp'"):
        wire.run(hears([]), client)


def test_a_large_body_goes_out_to_a_slow_reader(wire: Wire) -> None:
    said: list[bytes] = []

    async def play(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        digest, left = hashlib.sha256(), len(LARGE)
        while left:
            data = await peer.reader.read(1_000_000)
            digest.update(data)
            left -= len(data)
            await asyncio.sleep(0.0005)
        said.append(digest.digest())
        peer.send(OK)

    assert wire.run(play, wire.get(method="POST", body=LARGE, write=5)) == (200, b"ok")
    assert said == [hashlib.sha256(LARGE).digest()]


def test_an_answer_may_come_before_the_request_has_gone(wire: Wire) -> None:
    async def play(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        await peer.gone()

    async def client(transport: HttpTransport, url: str) -> tuple[tuple[int, bytes], int]:
        answer = await wire.get(method="POST", body=LARGE, write=5)(transport, url)
        return answer, len(transport._connections)

    # Not kept: the server waits for the rest of a request that will not come.
    assert wire.run(play, client) == ((413, b"no"), 0)


def test_a_server_that_leaves_while_the_request_goes_out_is_an_error(wire: Wire) -> None:
    async def play(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.reset()

    with pytest.raises(httpx.ReadError, match="without an answer"):
        wire.run(play, wire.get(method="POST", body=LARGE, write=5))


def test_a_large_answer_waits_for_a_slow_reader(wire: Wire) -> None:
    drained: list[int] = []

    async def play(peer: Peer) -> None:
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(LARGE))
        for at in range(0, len(LARGE), 65_536):
            peer.send(LARGE[at : at + 65_536])
            await peer.writer.drain()
            drained.append(at)

    async def client(transport: HttpTransport, url: str) -> tuple[int, bool, bytes]:
        incoming = await wire.send(transport, url, read=5)
        await asyncio.sleep(0.1)
        unread, waits = incoming.size, len(drained) < len(LARGE) // 65_536
        digest = hashlib.sha256()
        async for piece in incoming:
            unread = max(unread, incoming.size)
            digest.update(piece)
            await asyncio.sleep(0.0005)
        return unread, waits, digest.digest()

    unread, waits, digest = wire.run(play, client)
    assert unread <= 2 * UNREAD_BYTES
    assert waits
    assert digest == hashlib.sha256(LARGE).digest()


def test_a_connection_that_was_held_up_reads_on_for_its_next_request(wire: Wire) -> None:
    body = bytes(UNREAD_BYTES + 1)

    async def play(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send_apart(
                b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (len(body) + 1) + body, b"!"
            )

    async def client(transport: HttpTransport, url: str) -> list[int]:
        sizes = []
        for _ in range(3):
            incoming = await wire.send(transport, url)
            await asyncio.sleep(0.02)
            sizes.append(len(b"".join([piece async for piece in incoming])))
        return sizes

    assert wire.run(play, client) == [len(body) + 1] * 3
    assert wire.accepted == 1
