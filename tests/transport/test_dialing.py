"""Opening connections."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from coderouter_core.transport import dialing
from coderouter_core.transport.dialing import Address, first_to_accept

if TYPE_CHECKING:
    from tests.transport.conftest import Peer, Wire

    from coderouter_core.transport import HttpTransport


async def polite(peer: Peer) -> None:
    await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


@contextmanager
def ports() -> Iterator[tuple[Address, Address]]:
    """One that refuses, and one that neither accepts nor refuses."""
    with (
        socket.socket() as refusing,
        socket.socket() as deaf,
        socket.socket() as first,
        socket.socket() as second,
    ):
        refusing.bind(("127.0.0.1", 0))
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for caller in (first, second):
            caller.setblocking(False)
            caller.connect_ex(deaf.getsockname())
        yield at(refusing.getsockname()[1]), at(deaf.getsockname()[1])


def at(port: int) -> Address:
    return socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)


def reached(wire: Wire, *before: str) -> int:
    """The port that is reached when an open one comes after those that do not answer."""

    async def client(transport: HttpTransport, url: str) -> int:
        with ports() as (refusing, deaf):
            order = [{"refusing": refusing, "deaf": deaf}[name] for name in before]
            sock = await first_to_accept([*order, at(httpx.URL(url).port or 0)])
            with sock:
                return int(sock.getpeername()[1]) - (httpx.URL(url).port or 0)

    async def play(peer: Peer) -> None:
        await peer.gone()

    return wire.run(play, client)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param((), id="alone"),
        pytest.param(("refusing",), id="after-one-that-refuses"),
        pytest.param(("deaf",), id="after-one-that-does-not-answer"),
        pytest.param(("refusing", "deaf", "refusing"), id="after-many"),
    ],
)
def test_the_open_port_is_reached(wire: Wire, before: tuple[str, ...]) -> None:
    assert reached(wire, *before) == 0


def test_a_refusal_says_more_than_other_failures(wire: Wire) -> None:
    async def client(transport: HttpTransport, url: str) -> None:
        with ports() as (refusing, _):
            unreachable: Address = (*refusing[:4], ("255.255.255.255", 1))
            await first_to_accept([unreachable, refusing])

    with pytest.raises(ConnectionRefusedError):
        wire.run(polite, client)


def test_the_losers_of_a_race_are_closed(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialing, "STAGGER_S", 0.0)
    races = 0

    async def client(transport: HttpTransport, url: str) -> None:
        nonlocal races
        # Until somebody lost after it had been accepted: whether one does is up to the system.
        while races < 10 or (wire.accepted <= races and races < 1000):
            (await first_to_accept([at(httpx.URL(url).port or 0)] * 5)).close()
            races += 1

    async def play(peer: Peer) -> None:
        await peer.gone()

    wire.run(play, client)  # which looks for sockets that were left open

    assert wire.accepted > races


def test_giving_up_while_several_are_tried_leaves_nothing(wire: Wire) -> None:
    async def client(transport: HttpTransport, url: str) -> None:
        with ports() as (_, deaf):
            async with asyncio.timeout(0.3):
                await first_to_accept([deaf, deaf, deaf])

    with pytest.raises(TimeoutError):
        wire.run(polite, client)


def test_a_name_is_looked_up(wire: Wire) -> None:
    async def client(transport: HttpTransport, url: str) -> tuple[int, bytes]:
        return await wire.get(connect=5)(transport, url.replace("127.0.0.1", "localhost"))

    assert wire.run(polite, client) == (200, b"ok")


def test_a_refused_connection_says_by_whom(wire: Wire) -> None:
    async def client(transport: HttpTransport, url: str) -> None:
        with ports() as (refusing, _):
            await wire.get()(transport, f"http://127.0.0.1:{refusing[4][1]}/")

    with pytest.raises(httpx.ConnectError, match=r"^connection refused by 127\.0\.0\.1:\d+$"):
        wire.run(polite, client)


def test_a_name_that_cannot_be_one_leads_nowhere(wire: Wire) -> None:
    async def client(transport: HttpTransport, url: str) -> None:
        await wire.get()(transport, f"http://{'a' * 64}.localhost:1/")

    with pytest.raises(httpx.ConnectError, match="leads to no address"):
        wire.run(polite, client)
