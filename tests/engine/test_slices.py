"""Much that comes at once is taken in slices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from coderouter_core.engine.slices import SLICE, Slices


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
