"""The free text of a custom tool's call, out of the function call that a model made instead.

The text is asked for as ``{"input": "…"}``. Models also name it otherwise, wrap it in a fence or a here-document, or
leave the JSON away; what they meant is taken out of all of these.
"""

from __future__ import annotations

import json
import re
from typing import Any

from coderouter_core.wire.arguments import parsed

_KEYS = ("input", "patch", "command", "code", "content", "text", "script")
_HEAD = re.compile(r'\s*\{\s*"(?:' + "|".join(_KEYS) + r')"\s*:\s*"')
#: A head that is longer than this is none.
_LONGEST_HEAD = 256
#: Whole characters of a JSON string; a surrogate only with its other half.
_WHOLE = re.compile(
    r'(?:[^"\\]'
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|\\u(?![dD][89abAB])[0-9a-fA-F]{4}"
    r"|\\[^u])*"
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = frozenset('"\\/bfnrtu')
#: How a wrapping begins.
_WRAPPINGS = ("```", "apply_patch", "cat <<", "<<")
_FENCE = re.compile(r"\s*```[\w.+-]*[ \t]*\r?\n(?P<text>.*?)\r?\n?```\s*", re.DOTALL)
_HERE = re.compile(
    r"\s*(?:apply_patch|cat)?\s*<<-?\s*(?P<quote>['\"]?)(?P<word>\w+)(?P=quote)[^\n]*\n(?P<text>.*?\n)(?P=word)\s*",
    re.DOTALL,
)


class Freeform:
    """Takes a call's arguments as they come, and gives the text as soon as it is certain."""

    def __init__(self) -> None:
        self._all: list[str] = []
        self._size = 0
        self._pending = ""
        self._in_string = self._closed = False
        self._waiting = ""
        self._open = False

    def feed(self, piece: str) -> str:
        """What `piece` adds to the text."""
        if self._closed:
            return ""
        if self._in_string:
            return self._passed(self._read(piece))
        self._all.append(piece)
        self._size += len(piece)
        if self._size - len(piece) > _LONGEST_HEAD:
            return ""
        if found := _HEAD.match(head := "".join(self._all)):
            self._in_string = True
            self._all.clear()
            return self._passed(self._read(head[found.end() :]))
        return ""

    def end(self) -> str:
        """What is left of the text when the call is over."""
        if not self._in_string:
            return unwrapped(_of_arguments("".join(self._all)))
        rest = "" if self._closed else _decoded(self._pending)
        return rest if self._open else unwrapped(self._waiting + rest)

    def _read(self, piece: str) -> str:
        """The characters of the JSON string that are whole."""
        text = self._pending + piece
        found = _WHOLE.match(text)
        at = found.end() if found else 0
        self._closed = text[at : at + 1] == '"'
        self._pending = text[at:]
        return _decoded(text[:at])

    def _passed(self, text: str) -> str:
        """Text that is not wrapped passes; anything that might be waits."""
        if self._open:
            return text
        self._waiting += text
        start = self._waiting.lstrip()[:16]
        if not start or any(mark.startswith(start) or start.startswith(mark) for mark in _WRAPPINGS):
            return ""
        self._open = True
        waiting, self._waiting = self._waiting, ""
        return waiting


def unwrapped(text: str) -> str:
    """`text` without the fence or the here-document that stands round all of it."""
    for wrapping in (_FENCE, _HERE, _FENCE):
        if found := wrapping.fullmatch(text):
            text = found["text"]
    return text


def _of_arguments(text: str) -> str:
    """The text in whole arguments of whatever shape."""
    value: Any = parsed(text)
    if "_raw" in value:
        return _string(text)
    found = next((value[key] for key in _KEYS if key in value), None)
    if found is None and len(value) == 1:
        [found] = value.values()
    if isinstance(found, list):
        # A command and its arguments; the text is the last of them.
        found = next((word for word in reversed(found) if isinstance(word, str)), None)
    return found if isinstance(found, str) else text.strip() and json.dumps(value, ensure_ascii=False)


def _string(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else text


def _decoded(inner: str) -> str:
    """The inside of a JSON string; escapes that JSON does not know stand for themselves."""
    if "\\" not in inner:
        return inner
    inner = _ESCAPE.sub(lambda found: found[0] if found[1] in _ESCAPES else f"\\{found[0]}", inner)
    try:
        value: str = json.loads(f'"{inner}"', strict=False)
    except ValueError:
        return inner
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
