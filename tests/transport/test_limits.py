"""How long servers may take."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from tests.transport.conftest import Peer, Wire

    from coderouter_core.transport import HttpTransport

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"


async def silent(peer: Peer) -> None:
    await peer.gone()


@contextmanager
def deaf() -> Iterator[int]:
    """A port that neither accepts nor refuses: its queue is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for caller in (first, second):
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def test_a_silent_server_is_given_up(wire: Wire) -> None:
    with pytest.raises(httpx.ReadTimeout, match=r"127\.0\.0\.1:\d+ gave no answer within 0.05 s"):
        wire.run(silent, wire.get(head=0.05))


def test_a_head_that_drips_is_given_up(wire: Wire) -> None:
    async def drip(peer: Peer) -> None:
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nx-drip: ")
        while not peer.writer.is_closing():
            peer.send(b"x")
            await asyncio.sleep(0.005)

    with pytest.raises(httpx.ReadTimeout, match=r"gave no answer within 0.1 s"):
        wire.run(drip, wire.get(head=0.1, read=0.05))


def test_the_silence_allowed_limits_the_head_where_nothing_else_does(wire: Wire) -> None:
    with pytest.raises(httpx.ReadTimeout, match=r"gave no answer within 0.05 s"):
        wire.run(silent, wire.get(read=0.05))


def test_a_server_that_falls_silent_is_given_up(wire: Wire) -> None:
    async def stall(peer: Peer) -> None:
        await peer.request()
        peer.send(HEAD + b"he")
        await peer.gone()

    with pytest.raises(httpx.ReadTimeout, match=r"fell silent in the middle of its answer for 0.05 s"):
        wire.run(stall, wire.get(head=5, first_byte=5, read=0.05))


def test_the_first_byte_of_the_body_has_a_limit_of_its_own(wire: Wire) -> None:
    async def think(peer: Peer) -> None:
        await peer.request()
        peer.send(HEAD)
        await asyncio.sleep(0.1)
        peer.send(b"hello")

    assert wire.run(think, wire.get(head=5, first_byte=5, read=0.02)) == (200, b"hello")


def test_a_body_that_never_begins_is_given_up(wire: Wire) -> None:
    async def think(peer: Peer) -> None:
        await peer.request()
        peer.send(HEAD)
        await peer.gone()

    with pytest.raises(httpx.ReadTimeout, match=r"gave no answer within 0.05 s"):
        wire.run(think, wire.get(head=5, first_byte=0.05, read=5))


def test_the_limit_for_the_first_byte_begins_with_the_request(wire: Wire) -> None:
    async def think(peer: Peer) -> None:
        await peer.request()
        await asyncio.sleep(0.1)
        peer.send(HEAD)
        await asyncio.sleep(0.1)
        peer.send(b"hello")

    with pytest.raises(httpx.ReadTimeout, match=r"gave no answer within 0.15 s"):
        wire.run(think, wire.get(head=5, first_byte=0.15, read=5))


def test_a_slow_body_may_take_as_long_as_it_moves(wire: Wire) -> None:
    async def crawl(peer: Peer) -> None:
        await peer.request()
        peer.send(HEAD)
        for byte in b"hello":
            peer.send(bytes([byte]))
            await asyncio.sleep(0.15)

    assert wire.run(crawl, wire.get(head=0.6, first_byte=0.6, read=0.6)) == (200, b"hello")


def test_a_slow_reader_is_not_a_silent_server(wire: Wire) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send_apart(HEAD + b"he", b"llo")

    async def client(transport: HttpTransport, url: str) -> bytes:
        incoming = await wire.send(transport, url, read=0.05)
        first = await anext(incoming)
        await asyncio.sleep(0.1)
        return first + b"".join([piece async for piece in incoming])

    assert wire.run(play, client) == b"hello"


def test_a_timer_of_one_request_does_not_hit_the_next(wire: Wire) -> None:
    async def play(peer: Peer) -> None:
        for pause_s in (0.0, 0.6):
            await peer.request()
            await asyncio.sleep(pause_s)
            peer.send(HEAD + b"hello")

    async def client(transport: HttpTransport, url: str) -> tuple[int, bytes]:
        await wire.get(head=0.5)(transport, url)
        return await wire.get(head=5)(transport, url)

    assert wire.run(play, client) == (200, b"hello")
    assert wire.accepted == 1


def test_a_shorter_limit_counts_although_a_longer_one_is_running(wire: Wire) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        peer.send(HEAD + b"hello")
        await peer.gone()

    async def client(transport: HttpTransport, url: str) -> None:
        await wire.get(head=600)(transport, url)
        await wire.get(head=0.05)(transport, url)

    with pytest.raises(httpx.ReadTimeout):
        wire.run(play, client)


def test_a_port_that_does_not_accept_is_given_up(wire: Wire) -> None:
    with deaf() as port:

        async def client(transport: HttpTransport, url: str) -> None:
            await wire.get(connect=0.05)(transport, f"http://127.0.0.1:{port}/")

        with pytest.raises(httpx.ConnectTimeout, match=r"accepted no connection within 0.05 s"):
            wire.run(silent, client)


def test_a_server_that_does_not_read_is_given_up(wire: Wire) -> None:
    given_up = asyncio.Event()

    async def client(transport: HttpTransport, url: str) -> None:
        try:
            await wire.get(method="POST", body=bytes(30_000_000), write=0.1)(transport, url)
        finally:
            given_up.set()

    async def play(peer: Peer) -> None:
        await given_up.wait()

    with pytest.raises(httpx.WriteTimeout, match=r"took nothing of the request for 0.1 s"):
        wire.run(play, client)


@pytest.mark.parametrize("phase", ["connect", "tls", "head", "body"])
def test_cancelling_closes_the_connection_at_once(wire: Wire, phase: str) -> None:
    async def play(peer: Peer) -> None:
        if phase == "body":
            await peer.request()
            peer.send(HEAD + b"he")
        await peer.gone()

    async def client(transport: HttpTransport, url: str) -> int:
        if phase == "connect":
            url = f"http://127.0.0.1:{port}/"
        elif phase == "tls":
            url = url.replace("http://", "https://")
        asking = asyncio.ensure_future(wire.get(connect=60, head=60, read=60)(transport, url))
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        return len(transport._connections)

    # That the server sees the end, and that nothing is left over, every run of `wire` checks.
    with deaf() as port:
        assert wire.run(play, client) == 0


def test_cancelling_after_the_end_leaves_the_connection_to_its_next_request(wire: Wire) -> None:
    async def play(peer: Peer) -> None:
        while True:
            await peer.request()
            peer.send(HEAD + b"hello")

    async def client(transport: HttpTransport, url: str) -> list[tuple[int, bytes]]:
        answers = []
        for turns in range(30):
            asking = asyncio.ensure_future(wire.get()(transport, url))
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            answers.append(await wire.get()(transport, url))
        return answers

    assert wire.run(play, client) == [(200, b"hello")] * 30


def test_leaving_an_answer_early_closes_its_connection(wire: Wire) -> None:
    ended = []

    async def play(peer: Peer) -> None:
        await peer.request()
        peer.send(HEAD + b"he")
        await peer.gone()
        ended.append(True)

    async def client(transport: HttpTransport, url: str) -> int:
        incoming = await wire.send(transport, url)
        await anext(incoming)
        await incoming.aclose()
        return len(transport._connections)

    assert wire.run(play, client) == 0
    assert ended == [True]
