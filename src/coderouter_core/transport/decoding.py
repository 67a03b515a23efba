"""Undo a content encoding that nobody asked for, piece by piece."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

#: What one step of inflating may give. A small body that inflates to gigabytes is handed out in
#: pieces of this size, so whoever reads it can stop.
STEP_BYTES = 256 * 1024

_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


class DecodingError(Exception):
    """The body is not what its ``content-encoding`` says, or in one that is not known here."""


class Decoded:
    """The decoded pieces of a body whose ``content-encoding`` is gzip or deflate."""

    def __init__(self, pieces: AsyncIterator[bytes], encoding: str) -> None:
        self._pieces = pieces
        self._encoding = encoding
        self._inflate: zlib._Decompress | None = None
        self._rest = b""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while True:
            if self._rest and (piece := self._step()):
                return piece
            if not self._rest:
                try:
                    self._rest = await self._pieces.__anext__()
                except StopAsyncIteration:
                    if tail := self._flush():
                        return tail
                    raise

    def _step(self) -> bytes:
        inflate = self._inflate
        if inflate is None or inflate.eof:
            # A gzip body may have several members, one after the other.
            inflate = self._inflate = zlib.decompressobj(self._window(self._rest[0]))
        try:
            piece = inflate.decompress(self._rest, STEP_BYTES)
        except zlib.error as error:
            raise DecodingError(f"the body is not {self._encoding}: {error}") from error
        self._rest = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
        return piece

    def _flush(self) -> bytes:
        if self._inflate is None or self._inflate.eof:
            return b""
        tail = self._inflate.flush()
        if not self._inflate.eof:
            raise DecodingError(f"the {self._encoding} body ends too early")
        return tail

    def _window(self, first: int) -> int:
        if self._encoding in ("gzip", "x-gzip"):
            return _GZIP
        if self._encoding == "deflate":
            # Some servers send the bare format; the zlib one begins with method 8 in the low bits.
            return _ZLIB if first & 0x0F == 8 else _RAW
        raise DecodingError(f"the body is encoded as {self._encoding[:40]!r}, which was not asked for")
