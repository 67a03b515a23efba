"""Stretches of text that may be calls: where each ends, and what is in it.

A candidate is given the text from its first character on, piece by piece. What it says depends on the text alone,
never on how it was cut.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Literal

from coderouter_filter_tool_repair import heads, reading
from coderouter_filter_tool_repair.balance import Balance
from coderouter_filter_tool_repair.frames import FRAMES
from coderouter_filter_tool_repair.marks import WRAPPED
from coderouter_filter_tool_repair.tools import Call, MismatchError, Tools

#: Characters by which it is known whether something begins as a call does.
MOST_HEAD = 2 * heads.LONGEST_HEAD

#: ``no``: it is none; ``more``: that is not known yet, or it goes on.
Verdict = int | Literal["no", "more"]

#: Languages of fences in which Python is a call; elsewhere it is code.
CALLING = ("", "tool_code", "tool_call", "tool_calls", "tool_use", "function_call")

#: Brackets too many, as small models like to end with.
_SPARE = re.compile(r"[}\]]{0,2}")
_ALONE = re.compile(r"[}\]]{0,2}[ \t]*(?:\Z|[\n\r<\[{]|[,;]\s*(?:\Z|\{))")
_UNDECIDED = re.compile(r"[}\]]{0,2}[ \t]*(?:[,;]\s*)?\Z")
_MISTRAL = re.compile(r"\s*([\w.-]{1,128})\s*(?:\[CALL_ID\]\s*[\w-]{1,64}\s*)?(?:\[ARGS\])?\s*(?=\{)")
_MISTRAL_BEGUN = re.compile(
    r"\s*(?:[\w.-]{1,128}\s*(?:\[C?A?L?L?_?I?D?(?:\][\s\w-]{0,66})?)?(?:\[A?R?G?S?\]?)?\s*)?\Z"
)
_NAMESPACE = re.compile(r"\A(?:[a-z]+:|｜DSML｜)")
_INFO = re.compile(r"(`{3,})([^`\n]{0,64})\n")
_INFO_BEGUN = re.compile(r"`{1,32}[^`\n]{0,64}\Z")


class Candidate(ABC):
    """`form` is what the call is written in. `sure` once the head is that of a call, `spoilt` when it ended badly."""

    form = ""
    spoilt = False

    def __init__(self, tools: Tools) -> None:
        self.sure = False
        self._tools = tools
        self._head = ""

    def take(self, text: str) -> Verdict:
        """The next piece: where the candidate ends, counted from its first character, if it does."""
        if not self.sure:
            self._head += text
            # Judged by as much as decides it in any case, however much came at once.
            answer = self.begins(self._head[:MOST_HEAD])
            if answer is None and len(self._head) < MOST_HEAD:
                return "more"
            if not answer:
                return "no"
            self.sure, text = True, self._head
        return self.ends(text)

    def alone(self, rest: str, *, final: bool) -> bool | None:  # noqa: ARG002
        """Whether what follows lets it stand on its own; None while that is not known."""
        return True

    def spare(self, rest: str) -> int:  # noqa: ARG002
        """How many characters of what follows belong to it."""
        return 0

    @abstractmethod
    def begins(self, head: str) -> bool | None:
        """Whether it begins as a call does."""

    @abstractmethod
    def ends(self, text: str) -> Verdict:
        """Where it ends; called with the whole head first."""

    @abstractmethod
    def read(self, raw: str) -> list[Call]:
        """The calls in it. Raises `MismatchError`."""


class Bracketed(Candidate):
    """An object, a list or Python's call, perhaps behind a mark, up to where its brackets are closed."""

    def __init__(self, tools: Tools, form: str, skip: int = 0) -> None:
        super().__init__(tools)
        self.form = form
        self._mark = self._skip = skip
        self._balance: Balance | None = None
        self._taken = 0

    def begins(self, head: str) -> bool | None:
        if self.form == "python":
            return (heads.listed if head[:1] == "[" else heads.python)(head, self._tools)
        if self.form == "json":
            return heads.either(
                heads.value(head, self._tools),
                heads.listed(head, self._tools) if head[:1] == "[" else False,
            )
        rest = head[self._mark :]
        if self.form == "tool_calls":
            if (found := _MISTRAL.match(rest)) is not None:
                self._skip = self._mark + found.end()
                return self._tools.knows(found[1])
            if _MISTRAL_BEGUN.match(rest):
                return None
        rest = rest.lstrip()
        if rest[:1] in ("[", "{"):
            listed = heads.listed(rest, self._tools) if rest[0] == "[" else False
            return heads.either(heads.value(rest, self._tools), listed)
        return heads.python(rest, self._tools)

    def ends(self, text: str) -> Verdict:
        skip = 0
        if self._balance is None:
            self._balance, skip = Balance(), self._skip
        at = self._balance.take(text[skip:])
        begun, self._taken = self._taken, self._taken + len(text)
        self.spoilt = self._balance.broken
        return begun + skip + at if at >= 0 else "more"

    def alone(self, rest: str, *, final: bool) -> bool | None:
        if not final and _UNDECIDED.match(rest):
            return None
        return _ALONE.match(rest) is not None

    def spare(self, rest: str) -> int:
        found = _SPARE.match(rest)
        return found.end() if found and self.form != "python" else 0

    def read(self, raw: str) -> list[Call]:
        if self.form == "json" and heads.value(raw, self._tools) is not True:
            self.form = "python"
        if self.form == "python":
            return reading.in_python(raw, self._tools)
        if self.form == "tool_calls":
            return reading.in_mistral(raw.partition("]")[2], self._tools)
        body = raw[self._mark :]
        if self._mark and heads.value(body, self._tools) is not True:
            return reading.in_python(body, self._tools)
        return reading.in_json(body, self._tools)


class Framed(Bracketed):
    """One call of `FRAMES`, from its opening up to where its arguments are closed."""

    def __init__(self, tools: Tools, opening: str) -> None:
        frame = FRAMES[opening]
        super().__init__(tools, frame.form)
        self._frame = frame
        self._name = ""

    def begins(self, head: str) -> bool | None:
        head = head[: heads.LONGEST_HEAD]
        if found := self._frame.head.match(head):
            self._name, self._skip = found["name"], found.end()
            return self._tools.knows(self._name)
        return False if len(head) == heads.LONGEST_HEAD or self._frame.never.search(head) else None

    def read(self, raw: str) -> list[Call]:
        return reading.named(self._name, raw[self._skip :], self._tools)


class Tagged(Candidate):
    """From a tag of `WRAPPED` to the one that ends it, or to the end of the answer."""

    def __init__(self, tools: Tools, tag: str) -> None:
        super().__init__(tools)
        self.form = _NAMESPACE.sub("", tag.removeprefix("<")).rstrip(">=").removesuffix(" name").lower()
        self._tag = tag
        self._end = WRAPPED[tag]
        self._tail = ""
        self._taken = 0

    def begins(self, head: str) -> bool | None:
        if self._tag[-1] == "=":
            return True
        body = head[len(self._tag) :].lstrip()
        if not body:
            return None
        if body[0] == "<":
            return heads.either(*(_starts(body, tag) for tag in WRAPPED if tag[-1] == "="))
        return heads.either(
            heads.value(body, self._tools),
            heads.listed(body, self._tools) if body[0] == "[" else heads.python(body, self._tools),
            heads.keyed(body, self._tools, self._end),
        )

    def ends(self, text: str) -> Verdict:
        text, begun = self._tail + text, self._taken - len(self._tail)
        at = text.find(self._end)
        if at >= 0:
            return begun + at + len(self._end)
        self._taken = begun + len(text)
        self._tail = text[-(len(self._end) - 1) :]
        return "more"

    def read(self, raw: str) -> list[Call]:
        if self._tag[-1] == "=":
            return reading.in_tags(raw, self._tools)
        body = raw.removeprefix(self._tag).removesuffix(self._end)
        # One that was not ended before the next began.
        parts = [part for part in body.split(self._tag) if part.strip()]
        calls = [call for part in parts for call in reading.in_tags(part, self._tools)]
        if not calls:
            raise MismatchError("there is no call in it")
        return calls


class Fenced(Candidate):
    """A code block whose whole body is calls."""

    form = "fence"

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._fence = ""
        self._close: re.Pattern[str] | None = None
        self._tail = ""
        self._taken = 0

    def begins(self, head: str) -> bool | None:
        found = _INFO.match(head)
        if found is None:
            return None if _INFO_BEGUN.match(head) else False
        body = head[found.end() :].lstrip()
        if not body:
            return None
        answers = [heads.value(body, self._tools)]
        if body[0] == "<":
            answers = [_starts(body, tag) for tag in WRAPPED]
        elif found[2].strip().lower() in CALLING:
            answers.append(
                heads.listed(body, self._tools) if body[0] == "[" else heads.python(body, self._tools)
            )
        answer = heads.either(*answers)
        if answer:
            self._fence = found[1]
            self._close = re.compile(rf"\n[ \t]{{0,16}}{self._fence}")
        return answer

    def ends(self, text: str) -> Verdict:
        if self._close is None:
            return "no"
        text, begun = self._tail + text, self._taken - len(self._tail)
        if found := self._close.search(text):
            return begun + found.end()
        self._taken = begun + len(text)
        # The fence may be cut.
        self._tail = text[-64:]
        return "more"

    def read(self, raw: str) -> list[Call]:
        body = raw.partition("\n")[2].rstrip().removesuffix(self._fence).strip()
        for tag, end in WRAPPED.items():
            if body.startswith(tag):
                tagged = Tagged(self._tools, tag)
                if tag[-1] == "=" or body.endswith(end):
                    return tagged.read(body)
        if heads.value(body, self._tools):
            return reading.in_json(body, self._tools)
        lines = [body] if body[:1] == "[" else body.splitlines()
        return [call for line in lines if line.strip() for call in reading.in_python(line, self._tools)]


def _starts(text: str, tag: str) -> bool | None:
    """Whether `text` begins with `tag`, as far as it goes."""
    if len(text) < len(tag):
        return None if tag.startswith(text) else False
    return text.startswith(tag)
