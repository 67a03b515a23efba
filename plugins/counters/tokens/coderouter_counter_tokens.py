"""Exact counts of tokens, by a BPE vocabulary that comes in the wheel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from coderouter_core.api import hookimpl

#: The vocabulary of OpenAI's current models; others differ from it by a nearly constant factor, which the core learns.
ENCODING = "o200k_base"
#: Characters that are told apart at once. The time for one long run of a sign grows with the square of its length.
PIECE = 1_024
#: Blanks that are looked at to find where a piece may end.
LOOKS = 16


def count(text: str) -> int:
    """The tokens of `text`. What UTF-8 cannot say counts as a replacement character."""
    return _counted([piece if piece.isascii() else _encodable(piece) for piece in _pieces(text)])


class Vocabulary:
    """Counts tokens. Loading takes about half a second, off the event loop, and sixty megabytes that stay."""

    async def load(self) -> None:
        # Nothing is counted there: each thread that counts keeps a scratch buffer of sixteen megabytes.
        await asyncio.to_thread(_counted, [])

    def __call__(self, text: str) -> int:
        return count(text)


class TokensCounter:
    @hookimpl
    def token_counter(self) -> Callable[[str], int]:
        return Vocabulary()


def _counted(pieces: list[str]) -> int:
    # Here: even without its vocabulary the library is of several megabytes, and most routers never count.
    import toktok  # type: ignore[import-untyped]

    return sum(toktok.batch_count(pieces, ENCODING, threads=1))


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
