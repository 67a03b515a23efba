"""Where in a text a call may begin, and what it may be."""

from __future__ import annotations

import re

from coderouter_filter_tool_repair import heads
from coderouter_filter_tool_repair.candidates import MOST_HEAD, Bracketed, Candidate, Fenced, Framed, Tagged
from coderouter_filter_tool_repair.frames import FRAMES
from coderouter_filter_tool_repair.marks import MARKS, mark_at
from coderouter_filter_tool_repair.tools import Tools

#: Where a call, or code that hides one, may begin. An object stands at the beginning of a word, Python on a line.
#: What follows is looked at here as far as that is quick.
OPENER = re.compile(
    r"`+"
    r"|(?<![^\s:])(?:\{(?=\s*(?:[\"']|\Z))|\[(?=\s*(?:[{A-Za-z_]|\Z)))"
    r"|(?<!`)<(?=[tfia|｜T]|m(?:i|\Z)|s(?:ee|e?\Z)|\Z)"
    r"|(?<![^\n])[A-Za-z_]"
)
#: A longer run of backticks fences nothing.
_LONGEST_FENCE = 32
_FENCE_LINE = re.compile(r"`+[^`\n]*(\n|`|\Z)")
_CALLABLE = re.compile(r"\s*(?:[{\[<A-Za-z_]|\Z)")
_WORD = re.compile(r"[\w.-]{1,128}")


def begun_at(text: str, start: int, mark: str, tools: Tools, *, final: bool) -> Candidate | str | int | None:
    """What `mark`, found at `start`, begins: a candidate, code behind a fence, nothing up to an index, or None for "not
    known yet"."""
    if mark[0] == "`":
        return _at_backticks(text, start, mark, tools, final=final)
    if mark in "[<":
        known = mark_at(text, start)
        if known == "" and not final:
            return None
        if known in FRAMES:
            return Framed(tools, known)
        if known:
            if known not in MARKS:
                return Tagged(tools, known)
            return Bracketed(tools, "tool_calls" if mark == "[" else "python_tag", len(known))
        if mark == "<":
            return start + 1
    if mark in "[{":
        begun = text[start : start + MOST_HEAD]
        if heads.value(begun, tools) is False and (mark == "{" or heads.listed(begun, tools) is False):
            return start + 1
        return Bracketed(tools, "json")
    word = _WORD.match(text, start)
    end = word.end() if word else start + 1
    if end >= len(text):
        return None if not final and tools.may_become(text[start:end]) else end
    if text[end] == "(" and tools.knows(text[start:end]):
        return Bracketed(tools, "python")
    return end


def _at_backticks(
    text: str, start: int, run: str, tools: Tools, *, final: bool
) -> Candidate | str | int | None:
    end = start + len(run)
    if len(run) > _LONGEST_FENCE:
        return end
    if end >= len(text) and not final:
        return None
    if len(run) < 3:
        return end
    line = _FENCE_LINE.match(text, start)
    ended = line[1] if line else ""
    if not ended and not final and len(text) - end <= _LONGEST_FENCE * 2:
        return None
    if ended != "\n" or line is None or line.end() - end > _LONGEST_FENCE * 2:
        # A run that is closed on its line is code within prose.
        return end
    return Fenced(tools) if _CALLABLE.match(text, line.end()) else run
