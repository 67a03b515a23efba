"""About how many tokens a text is, without a vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from attrs import frozen

#: What each byte of UTF-8 is to a tokenizer, in one letter: lower case, upper case, digit, blank, line end, and
#: punctuation; then, by the first byte of a character, scripts that cost alike. The other bytes of a character
#: are left out, so that a character is one letter.
_ALIKE = (
    (range(0x100), b"p"),
    (b"abcdefghijklmnopqrstuvwxyz", b"a"),
    (b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"A"),
    (b"0123456789", b"0"),
    (b" ", b" "),
    (b"\t", b"\t"),
    (b"\r\n", b"\n"),
    (range(0xC2, 0xD0), b"L"),  # Latin with marks, Greek
    (range(0xD0, 0xD6), b"R"),  # Cyrillic
    (range(0xD6, 0xE0), b"S"),  # Hebrew, Arabic
    (b"\xe0", b"I"),  # Indic, Thai
    (b"\xe1", b"L"),
    (b"\xe2", b"q"),  # typographic signs
    (b"\xe3", b"K"),  # kana, CJK punctuation
    (range(0xE4, 0xEA), b"J"),  # Han
    (range(0xEA, 0xEE), b"H"),  # Hangul
    (range(0xEE, 0xF0), b"f"),  # full-width forms
    (range(0xF0, 0x100), b"q"),  # emoji
)
_REST_OF_A_CHARACTER = bytes(range(0x80, 0xC0))

#: Tokens for each occurrence of a pattern of those letters. A least-squares fit, on the relative error, of
#: o200k's counts of 2,500-character pieces of prose, code in seven languages, JSON, tool definitions, tool calls,
#: logs, tables, numbers, keys in hex and base64, and messages in sixteen languages; ``benchmarks/tokens.py`` shows
#: how good it is.
_ASCII = (
    (b"a", 0.245),
    (b"A", 0.376),
    (b"0", 2.466),
    (b" ", 0.173),
    (b"\n", 0.601),
    (b"p", 0.350),
    (b"aaaaaa", -0.824),
    (b"a\n", 1.227),
    (b"00", -3.392),
    (b"000", -2.053),
    (b"    ", -0.524),
    (b" p", 0.717),
    (b"pppppppp", -2.294),
)
_OTHER = (
    (b"L", 0.671),
    (b"aL", 0.710),
    (b"L ", -1.877),
    (b"R", 0.528),
    (b"R ", -1.700),
    (b"S", 0.415),
    (b"I", 0.217),
    (b"IIII", 1.107),
    (b"q", 0.608),
    (b"K", 0.572),
    (b"J", 1.367),
    (b"JJJJ", -2.857),
    (b"H", 0.756),
    (b"f", 0.201),
)


def _letters() -> bytes:
    table = bytearray(256)
    for alike, letter in _ALIKE:
        for byte in alike:
            table[byte] = letter[0]
    return bytes(table)


_LETTERS = _letters()


def estimate_tokens(text: str) -> int:
    """About the tokens of `text` for a current vocabulary of 200,000 entries.

    Within 15 % on a screenful or more of prose, code, JSON, Chinese or Japanese; a few words may be further off.
    """
    raw = text.encode("utf-8", "replace")
    letters = raw.translate(_LETTERS, _REST_OF_A_CHARACTER)
    tokens = 0.0
    for pattern, each in _ASCII:
        tokens += letters.count(pattern) * each
    if len(letters) != len(raw):
        for pattern, each in _OTHER:
            tokens += letters.count(pattern) * each
    # Every token is at least a byte, and a run of one sign rarely makes a token of more than sixteen.
    return min(max(round(tokens), -(-len(raw) // 16)), len(raw))


class Tokenizer(Protocol):
    """Counts tokens by a vocabulary that may have to be loaded first, and estimates them until it is."""

    @property
    def exact(self) -> bool:
        """Whether it counts by its vocabulary by now."""

    async def load(self) -> None:
        """Return when it is exact, or never will be. Loads only once, whoever waits for it."""

    def __call__(self, text: str) -> int:
        """The tokens of a piece of text."""


@frozen
class Counting:
    """How the tokens of a prompt are told: what `count` says of its text, times `factor`.

    `factor` is what upstreams report for the model's family against what `count` says. `tokenizer` is what counts
    where that is no estimate.
    """

    count: Callable[[str], int] = estimate_tokens
    factor: float = 1.0
    tokenizer: Tokenizer | None = None


ESTIMATE = Counting()


@frozen
class PromptSize:
    """Tokens of a prompt before any factor: those of its text by some count, and those of images and files.

    `exact` says that a tokenizer counted the text, and not the estimate.
    """

    text: int
    media: int
    exact: bool = False
