"""Much that comes at once is taken in slices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from coderouter_core.api import hookimpl
from coderouter_core.engine.slices import LARGE, SLICE, Slices
from coderouter_core.testing import Script, make_router


async def said(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@pytest.mark.parametrize("size", [1, SLICE, SLICE + 1, 3 * SLICE])
def test_nothing_is_lost_between_slices(size: int) -> None:
    chunk = bytes(at % 251 for at in range(size))

    async def read() -> list[bytes]:
        return [each async for each in Slices(said(b"first", chunk, b"last"))]

    assert b"".join(asyncio.run(read())) == b"first" + chunk + b"last"


def test_no_slice_is_longer_than_it_may_be() -> None:
    async def read() -> list[int]:
        return [len(each) async for each in Slices(said(b"x" * (2 * SLICE + 5)))]

    assert asyncio.run(read()) == [SLICE, SLICE, 5]


def test_between_two_slices_others_have_their_turn() -> None:
    turns: list[str] = []

    async def read() -> None:
        async for _ in Slices(said(b"x" * (3 * SLICE))):
            turns.append("slice")

    async def other() -> None:
        for _ in range(3):
            turns.append("other")
            await asyncio.sleep(0)

    async def both() -> None:
        await asyncio.gather(read(), other())

    asyncio.run(both())
    assert turns == ["slice", "other", "slice", "other", "slice", "other"]


class Turns:
    """Notes when a request was reviewed, when the event loop had its turn after that, and when an attempt was."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @hookimpl
    def review_request(self) -> None:
        self.seen.append("request")
        asyncio.get_running_loop().call_soon(self.seen.append, "turn")

    @hookimpl
    def review_attempt(self) -> None:
        self.seen.append("attempt")


def test_between_two_steps_of_a_large_request_others_have_their_turn() -> None:
    turns = Turns()
    with make_router(turns, Script(only="hello")) as router:
        router.ask("x" * LARGE)

    assert turns.seen == ["request", "turn", "attempt"]
