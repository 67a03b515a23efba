"""Whether a text that has just begun can be a tool call. Each answer holds whatever follows: True, False, or None
for "not known yet"."""

from __future__ import annotations

import re

from coderouter_filter_tool_repair.tools import Tools

#: A head that is not known to be a call's by then is none.
LONGEST_HEAD = 512

NAMES = ("name", "tool", "tool_name")
ARGUMENTS = ("arguments", "parameters", "input", "args")
#: Keys that may stand before those, and what a text among them can be; None: anything.
BESIDE: dict[str, tuple[str, ...] | None] = {
    "type": ("function", "tool_use", "tool_call", "function_call"),
    "id": None,
    "call_id": None,
    "tool_call_id": None,
    "index": None,
    "role": ("assistant",),
    "content": ("",),
}
KEYS = (*NAMES, *ARGUMENTS, *BESIDE, "function", "tool_calls")

#: How GLM writes the name of an argument.
ARG_KEY = "<arg_key>"

_SPACE = re.compile(r"\s*")
_PLAIN = re.compile(r"[\w.+-]*")
_WORD = re.compile(r"[A-Za-z_][\w.-]*")


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _quoted(text: str, at: int) -> tuple[str, int]:
    """What stands in the quotes that begin at `at`, and where it goes on; -1 where it has not ended."""
    end = text.find(text[at], at + 1)
    return (text[at + 1 :], -1) if end < 0 else (text[at + 1 : end], end + 1)


def value(text: str, tools: Tools, at: int = 0) -> bool | None:
    """An object, or a list of them, that is one call or several."""
    if len(text) - at > LONGEST_HEAD:
        text = text[: at + LONGEST_HEAD]
        return _value(text, tools, at) or False
    return _value(text, tools, at)


def _value(text: str, tools: Tools, at: int) -> bool | None:
    at = _skip(text, at)
    if text[at : at + 1] == "[":
        at = _skip(text, at + 1)
    if at >= len(text):
        return None
    if text[at] != "{":
        return False
    while True:
        at = _skip(text, at + 1)
        if at >= len(text):
            return None
        if text[at] not in "\"'":
            return False
        key, after = _quoted(text, at)
        if after < 0:
            return None if any(known.startswith(key) for known in KEYS) else False
        if key not in KEYS:
            return False
        at = _skip(text, after)
        if at >= len(text):
            return None
        if text[at] != ":":
            return False
        at = _skip(text, at + 1)
        if at >= len(text):
            return None
        if key not in BESIDE:
            return _tells(key, text, at, tools)
        step = _beside(key, text, at)
        if not isinstance(step, int) or isinstance(step, bool):
            return step
        at = step


def _tells(key: str, text: str, at: int, tools: Tools) -> bool | None:
    """The first key that says what the object is."""
    quoted = text[at] in "\"'"
    if key in ARGUMENTS:
        return quoted or text[at] == "{"
    if key == "tool_calls" or (key == "function" and not quoted):
        return _value(text, tools, at) if text[at] == ("[" if key == "tool_calls" else "{") else False
    if not quoted:
        return False
    name, after = _quoted(text, at)
    if after < 0:
        return None if tools.may_become(name) else False
    return tools.knows(name)


def _beside(key: str, text: str, at: int) -> int | bool | None:
    """Where the key after this one begins, less one."""
    allowed = BESIDE[key]
    if text[at] in "\"'":
        said, after = _quoted(text, at)
        if allowed is not None and not any(
            one == said or (after < 0 and one.startswith(said)) for one in allowed
        ):
            return False
        if after < 0:
            return None
    else:
        found = _PLAIN.match(text, at)
        after = found.end() if found else at
        if after >= len(text):
            return None
        if after == at or (allowed is not None and text[at:after] != "null"):
            return False
    at = _skip(text, after)
    if at >= len(text):
        return None
    return at if text[at] == "," else False


def python(text: str, tools: Tools, at: int = 0) -> bool | None:
    """``name(`` of a tool."""
    found = _WORD.match(text, at)
    end = found.end() if found else at
    if end >= len(text):
        return None if end - at < LONGEST_HEAD and tools.may_become(text[at:end]) else False
    return text[end] == "(" and tools.knows(text[at:end])


def listed(text: str, tools: Tools, at: int = 0) -> bool | None:
    """``[name(`` of a tool."""
    at = _skip(text, at + 1)
    if at - LONGEST_HEAD > 0:
        return False
    return None if at >= len(text) else python(text, tools, at)


def keyed(text: str, tools: Tools, end: str) -> bool | None:
    """A tool's name, and behind it the first of its ``<arg_key>`` or the tag `end`."""
    found = _WORD.match(text)
    after = found.end() if found else 0
    rest = text[after:].lstrip()
    if not rest:
        return None if tools.may_become(text[:after]) else False
    if not tools.knows(text[:after]):
        return False
    wanted = (ARG_KEY, end)
    return True if rest.startswith(wanted) else None if any(tag.startswith(rest) for tag in wanted) else False


def either(*answers: bool | None) -> bool | None:
    """True when one is, False when all are."""
    if any(answers):
        return True
    return None if None in answers else False
