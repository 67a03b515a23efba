"""Content encodings that nobody asked for."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator

import pytest

from coderouter_core.transport.decoding import STEP_BYTES, Decoded, DecodingError

TEXT = b"data: {}\n\n" * 5_000


def deflated(data: bytes) -> bytes:
    """The bare format, without the header of zlib."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def decoded(data: bytes, encoding: str, size: int = 1_000) -> list[bytes]:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(data), size):
            yield data[at : at + size]

    async def read() -> list[bytes]:
        return [piece async for piece in Decoded(pieces(), encoding)]

    return asyncio.run(read())


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        pytest.param(gzip.compress(TEXT), "gzip", id="gzip"),
        pytest.param(gzip.compress(TEXT), "x-gzip", id="x-gzip"),
        pytest.param(gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:]), "gzip", id="two-members"),
        pytest.param(zlib.compress(TEXT), "deflate", id="deflate"),
        pytest.param(deflated(TEXT), "deflate", id="bare-deflate"),
    ],
)
def test_a_body_is_inflated_as_it_comes(data: bytes, encoding: str, size: int) -> None:
    assert b"".join(decoded(data, encoding, size)) == TEXT


def test_what_can_be_inflated_is_handed_out_before_the_end() -> None:
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    begun = packer.compress(b"data: 1\n\n") + packer.flush(zlib.Z_SYNC_FLUSH)

    async def pieces() -> AsyncIterator[bytes]:
        yield begun
        raise AssertionError("the first piece was enough")

    assert asyncio.run(anext(Decoded(pieces(), "gzip"))) == b"data: 1\n\n"


def test_a_small_body_that_inflates_to_a_huge_one_comes_in_steps() -> None:
    pieces = decoded(gzip.compress(bytes(20_000_000)), "gzip", 100_000)

    assert max(map(len, pieces)) <= STEP_BYTES
    assert sum(map(len, pieces)) == 20_000_000


@pytest.mark.parametrize(
    ("data", "encoding", "words"),
    [
        pytest.param(gzip.compress(TEXT)[:-9], "gzip", "ends too early", id="cut"),
        pytest.param(b"data: {}\n\n", "gzip", "is not gzip", id="plain"),
        pytest.param(b"\x78\x9cnonsense", "deflate", "is not deflate", id="broken"),
        pytest.param(b"xx", "br", "'br', which was not asked for", id="unknown"),
        pytest.param(b"xx", "gzip, gzip", "'gzip, gzip', which was not asked for", id="twice"),
    ],
)
def test_a_body_that_is_not_what_it_says_is_an_error(data: bytes, encoding: str, words: str) -> None:
    with pytest.raises(DecodingError, match=words):
        decoded(data, encoding)


def test_an_empty_body_is_empty_in_every_encoding() -> None:
    assert decoded(b"", "br") == []
