"""Connections that are used again, and those that are not."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from coderouter_core.transport import connection
from coderouter_core.transport.sockets import has_something_to_say

if TYPE_CHECKING:
    from tests.transport.conftest import Client, Peer, Play, Wire

    from coderouter_core.transport import HttpTransport

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def polite(peer: Peer) -> None:
    """Answers for as long as it is asked."""
    while True:
        await peer.request()
        peer.send(OK)


def times(
    wire: Wire, count: int, pause_s: float = 0.0, *, until_closed: bool = False
) -> Client[list[tuple[int, bytes]]]:
    """A client that asks so often, one after the other; `until_closed`: when it has seen the last connection end."""

    async def client(transport: HttpTransport, url: str) -> list[tuple[int, bytes]]:
        answers = []
        for _ in range(count):
            answers.append(await wire.get(method="POST", body=b"{}")(transport, url))
            await asyncio.sleep(pause_s)
            if until_closed:
                await wire.disconnected(transport)
        return answers

    return client


def test_a_connection_carries_one_request_after_the_other(wire: Wire) -> None:
    wire.run(polite, times(wire, 5))

    assert wire.accepted == 1


def test_an_answer_that_came_whole_frees_its_connection_unread(wire: Wire) -> None:
    async def client(transport: HttpTransport, url: str) -> bytes:
        incoming = await wire.send(transport, url)
        await asyncio.sleep(0.005)
        await wire.get()(transport, url)
        return await anext(incoming)

    assert wire.run(polite, client) == b"ok"
    assert wire.accepted == 1


def test_closing_an_answer_that_came_whole_leaves_its_connection_to_the_next(wire: Wire) -> None:
    async def client(transport: HttpTransport, url: str) -> tuple[int, bytes]:
        first = await wire.send(transport, url)
        await asyncio.sleep(0.005)
        second = await wire.send(transport, url, body=b"slow")
        await first.aclose()
        return second.status, b"".join([piece async for piece in second])

    async def play(peer: Peer) -> None:
        while True:
            _, body = await peer.request()
            await peer.send_apart(*([OK[:-1], OK[-1:]] if body else [OK]))

    assert wire.run(play, client) == (200, b"ok")
    assert wire.accepted == 1


def test_a_connection_that_answered_head_is_not_used_again(wire: Wire) -> None:
    async def play(peer: Peer) -> None:
        while True:
            head, _ = await peer.request()
            peer.send(OK[:-2] if head.startswith(b"HEAD") else OK)

    async def client(transport: HttpTransport, url: str) -> list[tuple[int, bytes]]:
        return [await wire.get(method=method)(transport, url) for method in ("HEAD", "GET")]

    assert wire.run(play, client) == [(200, b""), (200, b"ok")]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok", id="says-close"),
        pytest.param(b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", id="http-1.0"),
        pytest.param(OK + b"HTTP/1.1 200 OK\r\n", id="begins-another-answer"),
        pytest.param(OK + b"rubbish", id="goes-on-after-the-end"),
    ],
)
def test_a_connection_is_not_used_again_when_the_answer(wire: Wire, answer: bytes) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        peer.send(answer)
        await peer.gone()

    assert wire.run(play, times(wire, 2)) == [(200, b"ok"), (200, b"ok")]
    assert wire.accepted == 2


def test_a_server_that_speaks_unasked_is_not_asked_again(wire: Wire) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send_apart(OK, b"HTTP/1.1 408 Timeout\r\ncontent-length: 0\r\n\r\n")
        await peer.gone()

    assert wire.run(play, times(wire, 2, until_closed=True)) == [(200, b"ok"), (200, b"ok")]
    assert wire.accepted == 2


def test_a_connection_that_the_server_closed_meanwhile_is_not_used(wire: Wire) -> None:
    asked = []

    async def play(peer: Peer) -> None:
        asked.append(await peer.request())
        peer.send(OK)

    assert wire.run(play, times(wire, 2, until_closed=True)) == [(200, b"ok"), (200, b"ok")]
    assert len(asked) == 2


def test_a_connection_that_is_looked_at_and_still_open_is_used(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LOOK_AFTER_S", 0.0)

    wire.run(polite, times(wire, 3))

    assert wire.accepted == 1


def test_an_end_that_the_event_loop_has_not_seen_yet_is_seen_before_use() -> None:
    async def looks() -> list[bool]:
        ours, theirs = socket.socketpair()
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
        before = has_something_to_say(transport)
        theirs.close()
        after = has_something_to_say(transport)
        transport.abort()
        return [before, after]

    assert asyncio.run(looks()) == [False, True]


def closes_on(number: int, after: bytes = b"", wait_s: float = 0.0) -> tuple[Play, list[bytes]]:
    """A server whose connections answer until their request `number`, which they read and leave."""
    asked: list[bytes] = []

    async def play(peer: Peer) -> None:
        for _ in range(number - 1):
            asked.append((await peer.request())[1])
            peer.send(OK)
        asked.append((await peer.request())[1])
        await asyncio.sleep(wait_s)
        peer.send(after)

    return play, asked


def test_a_request_that_meets_the_end_of_a_kept_connection_is_sent_once_more(wire: Wire) -> None:
    play, asked = closes_on(2)

    assert wire.run(play, times(wire, 2)) == [(200, b"ok"), (200, b"ok")]
    assert len(asked) == 3


def test_a_request_is_sent_no_more_than_twice(wire: Wire) -> None:
    async def play(peer: Peer) -> None:
        asked.append(await peer.request())
        if len(asked) == 1:
            peer.send(OK)
            asked.append(await peer.request())

    asked: list[tuple[bytes, bytes]] = []

    with pytest.raises(httpx.RemoteProtocolError, match="without an answer"):
        wire.run(play, times(wire, 2))
    assert len(asked) == 3


def test_a_request_on_a_fresh_connection_is_never_sent_again(wire: Wire) -> None:
    play, asked = closes_on(1)

    with pytest.raises(httpx.RemoteProtocolError, match="without an answer"):
        wire.run(play, times(wire, 1))
    assert len(asked) == 1


def test_a_request_that_was_answered_by_a_byte_is_never_sent_again(wire: Wire) -> None:
    play, asked = closes_on(2, after=b"H")

    with pytest.raises(httpx.RemoteProtocolError, match="without an answer"):
        wire.run(play, times(wire, 2))
    assert len(asked) == 2


def test_a_request_that_was_worked_on_is_never_sent_again(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CLOSED_IDLE_S", 0.01)
    play, asked = closes_on(2, wait_s=0.05)

    with pytest.raises(httpx.RemoteProtocolError, match="without an answer"):
        wire.run(play, times(wire, 2))
    assert len(asked) == 2


def test_a_connection_that_idled_too_long_is_not_used(wire: Wire) -> None:
    wire.run(polite, times(wire, 2, pause_s=0.02), idle_s=0.01)

    assert wire.accepted == 2


def test_idle_connections_that_are_too_old_go_when_another_comes(wire: Wire) -> None:
    async def client(transport: HttpTransport, url: str) -> int:
        await asyncio.gather(*(wire.get()(transport, url) for _ in range(8)))
        await asyncio.sleep(0.06)
        await wire.get()(transport, url)
        return len(transport._connections)

    assert wire.run(polite, client, idle_s=0.05) == 1


def test_idle_connections_that_nobody_needs_go_although_another_is_busy(wire: Wire) -> None:
    async def client(transport: HttpTransport, url: str) -> int:
        await asyncio.gather(*(wire.get()(transport, url) for _ in range(8)))
        for _ in range(10):
            await asyncio.sleep(0.02)
            await wire.get()(transport, url)
        return len(transport._connections)

    assert wire.run(polite, client, idle_s=0.1) == 1


def test_connections_that_the_server_closed_are_forgotten(wire: Wire) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        peer.send(OK)

    async def client(transport: HttpTransport, url: str) -> int:
        await asyncio.gather(*(wire.get()(transport, url) for _ in range(8)))
        await wire.disconnected(transport)
        return len(transport._keep)

    assert wire.run(play, client) == 0


def test_no_more_idle_connections_are_kept_than_allowed(wire: Wire) -> None:
    async def client(transport: HttpTransport, url: str) -> int:
        await asyncio.gather(*(wire.get()(transport, url) for _ in range(8)))
        return len(transport._connections)

    assert wire.run(polite, client, max_idle=3) == 3


def test_a_connection_serves_only_its_own_origin(wire: Wire) -> None:
    async def client(transport: HttpTransport, url: str) -> list[tuple[int, bytes]]:
        return [
            await wire.get()(transport, url),
            await wire.get()(transport, url.replace("127.0.0.1", "localhost")),
        ]

    assert wire.run(polite, client) == [(200, b"ok"), (200, b"ok")]
    assert wire.accepted == 2


def test_two_hundred_at_a_time_get_their_own_answers(wire: Wire) -> None:
    async def play(peer: Peer) -> None:
        while True:
            _, body = await peer.request()
            await asyncio.sleep(0.001)
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    async def client(transport: HttpTransport, url: str) -> list[bool]:
        async def ask(number: int) -> bool:
            body = b"%d " % number * 500
            return await wire.get(method="POST", body=body)(transport, url) == (200, body)

        return [all(await asyncio.gather(*(ask(number) for number in range(200)))) for _ in range(2)]

    assert wire.run(play, client) == [True, True]


def test_closing_the_transport_fails_what_is_on_its_way(wire: Wire) -> None:
    async def play(peer: Peer) -> None:
        await peer.gone()

    async def client(transport: HttpTransport, url: str) -> None:
        asking = asyncio.ensure_future(wire.get()(transport, url))
        await asyncio.sleep(0.02)
        await transport.aclose()
        await asking

    with pytest.raises(httpx.ReadError, match="was closed"):
        wire.run(play, client)


def test_a_closed_transport_keeps_no_connection(wire: Wire) -> None:
    async def client(transport: HttpTransport, url: str) -> int:
        await transport.aclose()
        with pytest.raises(httpx.ConnectError, match="the transport was closed"):
            await wire.get()(transport, url)
        return len(transport._connections)

    assert wire.run(polite, client) == 0
