"""A tool call's arguments, which models write as text, as the object that tools take."""

from __future__ import annotations

import re
from typing import Any

import orjson

#: Broken JSON longer than this is not repaired: the scan runs in Python.
_MOST_REPAIRED = 256 * 1024
_MARKS = re.compile(r'["\\{}\[\],]')
_CLOSERS = {"{": "}", "[": "]"}


def parsed(text: str) -> dict[str, Any]:
    """The object in `text`. Cut-off JSON is closed where it was cut; what is no object at all is kept under ``_raw``."""
    if not text.strip():
        return {}
    value = _loads(text)
    if isinstance(value, str):
        # Encoded twice.
        value = _loads(value)
    if value is None and len(text) <= _MOST_REPAIRED:
        value = _closed(text)
    return value if isinstance(value, dict) else {"_raw": text}


def _loads(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _closed(text: str) -> Any:
    """`text` with its open strings, lists and objects closed; without its last member where that one is unfinished."""
    stack: list[str] = []
    quoted = False
    comma, depth_at_comma = 0, 0
    at = 0
    while found := _MARKS.search(text, at):
        mark, at = found.group(), found.end()
        if quoted:
            if mark == "\\":
                at += 1
            quoted = mark != '"'
        elif mark == '"':
            quoted = True
        elif mark == ",":
            comma, depth_at_comma = found.start(), len(stack)
        elif mark in _CLOSERS:
            stack.append(_CLOSERS[mark])
        elif stack and mark != "\\":
            stack.pop()
    tail = "".join(reversed(stack))
    value = _loads(
        text[: len(text) - 1 if quoted and at > len(text) else None] + ('"' if quoted else "") + tail
    )
    if value is None and comma:
        value = _loads(text[:comma] + "".join(reversed(stack[:depth_at_comma])))
    return value
