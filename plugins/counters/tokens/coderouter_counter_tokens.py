"""Exact counts of tokens, by a BPE vocabulary that comes in the wheel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import toktok  # type: ignore[import-untyped]

from coderouter_core.api import Router, hookimpl

#: The vocabulary of OpenAI's current models; others differ from it by a nearly constant factor, which the core learns.
ENCODING = "o200k_base"
#: Characters that are told apart at once. The time for one long run of a sign grows with the square of its length.
PIECE = 1_024
#: Blanks that are looked at to find where a piece may end.
LOOKS = 16


def count(text: str) -> int:
    """The tokens of `text`. What UTF-8 cannot say counts as a replacement character."""
    pieces = [piece if piece.isascii() else _encodable(piece) for piece in _pieces(text)]
    return sum(toktok.batch_count(pieces, ENCODING, threads=1))


class TokensCounter:
    """Loads the vocabulary beside the start, in a thread; before that the first count would wait for it."""

    @hookimpl
    def token_counter(self) -> Callable[[str], int]:
        return count

    @hookimpl
    def service(self, router: Router) -> AbstractAsyncContextManager[None]:  # noqa: ARG002
        return _loaded()


@asynccontextmanager
async def _loaded() -> AsyncIterator[None]:
    await asyncio.to_thread(count, "once")
    yield


def _pieces(text: str) -> list[str]:
    """`text` in pieces, cut before a blank between words where there is one: a token ends there anyway."""
    found: list[str] = []
    at = 0
    while len(text) - at > PIECE:
        cut = _blank(text, at + PIECE // 2, at + PIECE)
        found.append(text[at:cut])
        at = cut
    found.append(text[at:])
    return found


def _blank(text: str, first: int, end: int) -> int:
    """The place of a single blank in a part of `text`; its end where a few looks show none."""
    cut = end
    for _ in range(LOOKS):
        cut = text.rfind(" ", first, cut)
        if cut < 0:
            break
        if not (text[cut - 1].isspace() or text[cut + 1].isspace()):
            return cut
    return end


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
