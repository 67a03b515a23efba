"""Find the calls in a text that comes in pieces. Every step depends on the text alone, not on how it was cut."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby

from attrs import define, frozen

from coderouter_filter_tool_repair.candidates import MOST_HEAD, Bracketed, Candidate, Fenced
from coderouter_filter_tool_repair.openers import OPENER, begun_at
from coderouter_filter_tool_repair.tools import Call, MismatchError, Tools

#: Characters of one candidate; a longer one is text.
MOST_HELD = 64 * 1024
#: Places of one text that are looked at; what is behind them is text. Those that must be read as calls count more, so
#: that no text, however it was made, takes long.
MOST_LOOKS = 4096
_READING = 16
#: A cut-off candidate is searched for others behind its first line, this often in an answer.
MOST_SECOND_LOOKS = 4

#: Characters behind an object that tell whether it stands on its own.
MOST_SPACE = 256
#: Text is looked at in slices, so that what is left of it after a call costs little to keep.
SLICE = 2048
_FENCE_END = re.compile(r"\n[ \t>]{0,16}(`{3,32})(?!`)")
_FENCE_END_BEGUN = re.compile(r"\n[ \t>]{0,16}`{0,32}\Z")
_SEPARATOR = re.compile(r"[ \t]*[,;](?=\s*\{)")


@frozen
class Found:
    """Calls, and the text in which they stood."""

    form: str
    raw: str
    calls: tuple[Call, ...]


@frozen
class Failed:
    """What looked like a call and is none."""

    form: str
    reason: str


def joined(pieces: Iterable[str | Found]) -> list[str | Found]:
    """The same, with one piece for text that came in several."""
    out: list[str | Found] = []
    for is_text, group in groupby(pieces, _is_text):
        alike = list(group)
        out += ["".join(map(str, alike))] if is_text else alike
    return out


def _is_text(piece: str | Found) -> bool:
    return isinstance(piece, str)


@define
class _Held:
    """A candidate that has not ended; `end` is where it does, once that is known."""

    candidate: Candidate
    pieces: list[str]
    size: int
    end: int = -1


class Scanner:
    """Splits one text into what is text and what is calls. `failures` are those of the whole text so far."""

    def __init__(self, tools: Tools) -> None:
        self.failures: list[Failed] = []
        self._tools = tools
        self._text = ""
        self._before = "\n"
        self._fence = ""
        self._held: _Held | None = None
        self._second_looks = MOST_SECOND_LOOKS
        self._looks = MOST_LOOKS
        self._out: list[str | Found] = []

    def feed(self, text: str, *, final: bool = False) -> list[str | Found]:
        """The text and the calls that are certain now, in order. `final`: nothing follows."""
        waits = final or self._text or self._fence or self._held
        if text and not waits and self._looks <= 0:
            return [text]
        if text and not waits and OPENER.search(self._before + text, 1) is None:
            self._before = text[-1]
            return [text]
        for at in range(0, len(text), SLICE):
            self._take(text[at : at + SLICE], final=False)
        if final:
            self._take("", final=True)
        out, self._out = joined(self._out), []
        return out

    def _take(self, text: str, *, final: bool) -> None:
        while True:
            if self._held is not None:
                rest = self._go_on(self._held, text, final)
                if rest is None:
                    break
                self._text, text = rest, ""
            else:
                self._text += text
                text = ""
            if not (self._in_fence(final) if self._fence else self._flow(final)):
                break

    def _emit(self, text: str) -> None:
        if not text:
            return
        self._before = text[-1]
        self._out.append(text)

    def _flow(self, final: bool) -> bool:
        """Pass text on up to what may be a call. True when there is more to look at."""
        # One character before shows what the text begins behind.
        text = self._before + self._text
        at = 1
        while self._looks > 0 and (found := OPENER.search(text, at)) is not None:
            start = found.start()
            step = begun_at(text, start, found.group(), self._tools, final=final)
            if isinstance(step, Candidate) and step.begins(text[start : start + MOST_HEAD]) is False:
                step = found.group() if isinstance(step, Fenced) else start + 1
            # Not counted while it is unknown what begins here: how the text was cut must not matter.
            self._looks -= step is not None
            if isinstance(step, int):
                at = step
                continue
            self._emit(text[1:start])
            self._text = text[start:]
            if isinstance(step, str):
                # A block of code: nothing in it is a call.
                self._fence = step
                self._emit(step)
                self._text = self._text[len(step) :]
                return True
            if step is not None:
                self._held = _Held(step, [], 0)
                return self._hand_over(final)
            return False
        self._emit(text[1:])
        self._text = ""
        return False

    def _hand_over(self, final: bool) -> bool:
        """What was not passed on belongs to the candidate that is held now."""
        text, self._text = self._text, ""
        rest = self._go_on(self._held, text, final) if self._held else None
        if rest is None:
            return False
        self._text = rest
        return True

    def _in_fence(self, final: bool) -> bool:
        """Pass a block of code on, up to its end."""
        text, at = self._text, 0
        while (found := _FENCE_END.search(text, at)) is not None:
            if found.end() >= len(text) and not final:
                break
            if len(found[1]) >= len(self._fence):
                self._fence = ""
                self._emit(text[: found.end()])
                self._text = text[found.end() :]
                return True
            at = found.end()
        begun = None if final else _FENCE_END_BEGUN.search(text, max(at, len(text) - 64))
        kept = begun.start() if begun else len(text)
        self._emit(text[:kept])
        self._text = text[kept:]
        return False

    # ---- a candidate

    def _go_on(self, held: _Held, text: str, final: bool) -> str | None:
        """Hand text to the candidate. What is left when it has ended, or None while it goes on."""
        if text:
            begun, held.size = held.size, held.size + len(text)
            held.pieces.append(text)
            if held.end < 0:
                verdict = held.candidate.take(text[: MOST_HELD - begun])
                if verdict == "no":
                    return self._let_go(held)
                if verdict != "more":
                    held.end = verdict
        if held.end < 0 and held.size >= MOST_HELD:
            return self._too_long(held)
        if held.end >= 0:
            return self._ended(held, final)
        return self._cut_off(held) if final else None

    def _ended(self, held: _Held, final: bool) -> str | None:
        raw = "".join(held.pieces)
        following = raw[held.end : held.end + MOST_SPACE]
        alone = held.candidate.alone(following, final=final or len(following) == MOST_SPACE)
        if alone is None:
            return None
        end = held.end + (held.candidate.spare(following) if alone else 0)
        raw, rest = raw[:end], raw[end:]
        self._held = None
        self._looks -= _READING
        if held.candidate.spoilt or not alone:
            self._fail(
                held, "its brackets do not match" if held.candidate.spoilt else "there is text around it"
            )
            self._emit(raw)
            return rest
        try:
            calls = held.candidate.read(raw)
        except MismatchError as error:
            self._fail(held, str(error))
            self._emit(raw)
            return rest
        if isinstance(held.candidate, Bracketed) and (separator := _SEPARATOR.match(rest[:MOST_SPACE])):
            raw, rest = raw + separator.group(), rest[separator.end() :]
        self._find(held, raw, calls)
        return rest

    def _cut_off(self, held: _Held) -> str:
        """The answer is over before the candidate is."""
        raw = "".join(held.pieces)
        self._held = None
        if held.candidate.sure:
            try:
                self._find(held, raw, held.candidate.read(raw))
                return ""
            except MismatchError as error:
                self._fail(held, str(error))
        first, newline, rest = raw.partition("\n")
        if not self._second_looks:
            first, newline, rest = raw, "", ""
        self._second_looks -= 1
        self._emit(first + newline)
        return rest

    def _too_long(self, held: _Held) -> str:
        raw = "".join(held.pieces)
        self._fail(held, f"it is longer than {MOST_HELD} characters")
        self._held = None
        cut = MOST_HELD
        if isinstance(held.candidate, Fenced):
            self._fence = raw[: len(raw) - len(raw.lstrip("`"))]
            cut = raw.rfind("\n", 0, MOST_HELD)
        self._emit(raw[:cut])
        return raw[cut:]

    def _let_go(self, held: _Held) -> str:
        """It is no candidate after all: its first character is text, and behind it the search goes on."""
        raw = "".join(held.pieces)
        self._held = None
        size = 1
        if isinstance(held.candidate, Fenced):
            size = len(raw) - len(raw.lstrip("`"))
            self._fence = raw[:size]
        self._emit(raw[:size])
        return raw[size:]

    def _find(self, held: _Held, raw: str, calls: list[Call]) -> None:
        self._before = "\n"
        self._out.append(Found(held.candidate.form, raw, tuple(calls)))

    def _fail(self, held: _Held, reason: str) -> None:
        self.failures.append(Failed(held.candidate.form, reason))
