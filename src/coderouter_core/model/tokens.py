"""How many tokens a text will cost, without a vocabulary."""

from __future__ import annotations

import re

#: Common sub-word shapes: a word with its leading space, digits by threes, runs of punctuation or blanks.
_PIECE = re.compile(
    r" ?[A-Za-zÀ-ɏ]+|\d{1,3}|[぀-ヿ]|[㐀-鿿가-힯]|[^\S\n]+|\n+|[^\w\s]{1,2}|\w",
)
_LONG_WORD = 7


def estimate_tokens(text: str) -> int:
    """About the tokens of `text` for a current 200k-entry BPE vocabulary.

    Words of up to seven letters count one, longer ones one more for every six letters;
    CJK characters count one each.
    """
    count = 0
    for match in _PIECE.finditer(text):
        length = match.end() - match.start()
        count += 1 if length <= _LONG_WORD else 1 + (length - _LONG_WORD) // 6
    return count
