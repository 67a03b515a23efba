"""Take what is much in parts, so that it keeps nobody waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import Self

#: Bytes of a slice: some 80 frames, a millisecond or two where all of them are decoded.
SLICE = 16 * 1024
#: Bytes of a request from which each thing that is done with it may take a millisecond.
LARGE = 512 * 1024


async def turn(size: int) -> None:
    """Others have their turn, where what was done with a request of `size` bytes may have taken a while."""
    if size > LARGE:
        await asyncio.sleep(0)


class Slices:
    """The bytes of `chunks`, none longer than `SLICE`; between two of one chunk others have their turn."""

    def __init__(self, chunks: AsyncIterable[bytes]) -> None:
        self._chunks = chunks.__aiter__()
        self._chunk = b""
        self._at = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._at >= len(self._chunk):
            self._chunk, self._at = await self._chunks.__anext__(), 0
            if len(self._chunk) <= SLICE:
                self._at = len(self._chunk)
                return self._chunk
        else:
            await asyncio.sleep(0)
        at, self._at = self._at, self._at + SLICE
        return self._chunk[at : self._at]
