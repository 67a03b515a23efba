"""JSON as upstreams and clients really write it: the value where it has the type that is meant, else nothing."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

#: Fields whose text comes in pieces, of which one may end with the first half of a character.
_IN_PIECES = frozenset(
    ("content", "refusal", "reasoning_content", "reasoning", "arguments", "text", "thinking", "partial_json")
)
_WHOLE = ("arguments", "input")
_MOST_WHOLE = 1 << 63
_HALF = re.compile("[\ud800-\udfff]")
_UNKNOWN = "\ufffd"


def loads(raw: bytes) -> Any:
    """JSON, and what is not quite JSON but is sent as such: lone surrogates, ``NaN``, ``-Infinity``. ValueError for
    anything else.

    A lone surrogate, half a character that JSON wrote as two escapes, is left where its other half may stand in the
    next piece of a text (see `Halves`), and is U+FFFD anywhere else.
    """
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        try:
            return _mended(json.loads(raw))
        except (RecursionError, OverflowError) as error:
            raise ValueError("nested too deep, or a number too large") from error


def strict(raw: bytes) -> Any:
    """JSON, and nothing else. ValueError for anything else."""
    return orjson.loads(raw)


def _mended(value: Any, *, key: str = "", pieces: bool = True) -> Any:
    """`value` as JSON can hold it, but for halves of characters in fields that are pieces of a text."""
    if isinstance(value, str):
        return value if pieces and key in _IN_PIECES else whole(value)
    if isinstance(value, dict):
        # What is inside of arguments that came as an object is not a piece of anything.
        pieces = pieces and key not in _WHOLE
        return {whole(name): _mended(inner, key=name, pieces=pieces) for name, inner in value.items()}
    if isinstance(value, list):
        return [_mended(inner, pieces=pieces and key not in _WHOLE) for inner in value]
    if isinstance(value, int) and abs(value) >= _MOST_WHOLE:
        return float(value)
    return value


def whole(text: str) -> str:
    """`text` with a mark in place of each half of a character."""
    return text if text.isascii() else _HALF.sub(_UNKNOWN, text)


class Halves:
    """Puts characters together of which an upstream sent the halves in two pieces of a text."""

    __slots__ = ("_high",)

    def __init__(self) -> None:
        self._high = ""

    def __bool__(self) -> bool:
        """Whether half a character is held."""
        return bool(self._high)

    def take(self, piece: str) -> str:
        """What is whole of `piece`, and of the half that was held before it."""
        if not piece or (not self._high and piece.isascii()):
            return piece
        if not self._high and not _HALF.search(piece):
            return piece
        text = (self._high + piece).encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        self._high = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
        return whole(text.removesuffix(self._high))

    def end(self) -> str:
        """What is left when nothing follows."""
        high, self._high = self._high, ""
        return _UNKNOWN if high else ""


def count(value: Any) -> int:
    """`value` as a number of tokens; 0 for anything that is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return max(0, value)
    if isinstance(value, float) and 0 < value < 1e15:
        return int(value)
    return 0


def table(value: Any) -> dict[str, Any]:
    """`value` where it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def string(value: Any) -> str:
    """`value` where it is a string, else an empty one."""
    return value if isinstance(value, str) else ""
