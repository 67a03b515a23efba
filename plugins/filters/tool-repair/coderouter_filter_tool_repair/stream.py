"""Put the calls that were found in the text of an answer into its stream."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from attrs import evolve

from coderouter_core.api import StreamEvent
from coderouter_core.wire import BlockEditor
from coderouter_filter_tool_repair.scanner import MOST_HELD, Failed, Found, Scanner, joined
from coderouter_filter_tool_repair.tools import Tools

#: What is left of the writing of calls behind them: tags that end, markers.
_RESIDUE = re.compile(
    r"\s*(?:</?(?:[a-z_:]*|｜DSML｜)(?:tool_calls?|function_calls?|invoke|function)>|<\|/?[a-zA-Z_]{1,25}\|>"
    r"|<｜tool▁calls?▁(?:begin|end)｜>|</TOOLCALL>|\[/?TOOL_CALLS\]|```|\s)*\Z"
)

#: Characters of white space at the beginning of a block that wait for what follows.
MOST_SPACE = 64

Tell = Callable[[list[Found], list[Failed]], None]


class ToolRepair:
    """Reads the text of one answer. Text passes at once; what may be a call waits until that is known.

    After a call was found, it and the text behind it wait for the end of the answer: should the upstream
    send the same calls in their own form, too, then all text stays as it was. At the end the calls come
    after the text.
    """

    stage = 10

    def __init__(self, tools: Tools, tell: Tell) -> None:
        self._tools = tools
        self._tell = tell
        self._scanner = Scanner(tools)
        self._editor = BlockEditor()
        self._begins: StreamEvent | None = None
        self._ends: StreamEvent | None = None
        self._space = ""
        self._pending: list[str | Found] = []
        self._size = 0
        self._native = False
        self._called = False
        self._found: list[Found] = []

    def feed(self, event: StreamEvent) -> Iterable[StreamEvent]:
        kind = event.kind
        if kind == "stop":
            return [self._stopped(event)]
        if kind == "block_start":
            return self._block(event)
        if event.block != "text" or self._native or kind not in ("delta", "block_stop"):
            return self._editor.copy(event)
        if kind == "delta":
            return self._text(event)
        return self._block_over(event)

    def passes(self, text: str) -> bool:
        scanner = Scanner(self._tools)
        return scanner.feed(text, final=True) == [text] and not scanner.failures

    def flush(self) -> Iterable[StreamEvent]:
        out = [*self._piece("", final=True), *self._resolve()]
        self._tell(self._found, self._scanner.failures)
        return [*out, *self._editor.end()]

    def _block(self, event: StreamEvent) -> list[StreamEvent]:
        """Another block begins."""
        if event.block == "tool_call" and not self._native:
            self._native = True
            out = [*self._piece("", final=True), *self._untouched()]
        elif event.block == "text" and not self._native:
            # It begins with its first piece: there may be none.
            out = self._resolve()
            self._begins = event
            return [*out, *self._editor.comes(event)]
        else:
            out = self._resolve()
        return [*out, *self._editor.comes(event), *self._editor.copy(event)]

    def _text(self, event: StreamEvent) -> list[StreamEvent]:
        pieces = self._scanner.feed(event.text)
        if pieces == [event.text] and not (self._pending or self._space or self._is_space(event.text)):
            return [*self._begun(), *self._editor.copy(event)]
        return self._taken(pieces)

    def _piece(self, text: str, *, final: bool) -> list[StreamEvent]:
        return self._taken(self._scanner.feed(text, final=final))

    def _taken(self, pieces: list[str | Found]) -> list[StreamEvent]:
        out: list[StreamEvent] = []
        for piece in pieces:
            if isinstance(piece, str) and not self._pending:
                out += self._said(piece)
                continue
            self._pending.append(piece)
            self._size += len(piece if isinstance(piece, str) else piece.raw)
        # More text than that is not held for a second form of the calls, which hardly comes any more.
        return [*out, *self._resolve()] if self._size > MOST_HELD else out

    def _block_over(self, event: StreamEvent) -> list[StreamEvent]:
        out = self._piece("", final=True)
        before = self._scanner
        self._scanner = Scanner(self._tools)
        self._scanner.failures = before.failures
        if self._pending:
            self._ends = event
            return out
        return [*out, *self._over(event)]

    def _over(self, event: StreamEvent) -> list[StreamEvent]:
        """The end of a block; one in which there was nothing is as it came."""
        space, self._space = self._space, ""
        out: list[StreamEvent] = []
        if not self._called:
            out = [*self._begun(), *(self._editor.say("text", space) if space else ())]
        self._begins = None
        return [*out, *self._editor.copy(event)]

    def _resolve(self) -> list[StreamEvent]:
        """What waited becomes text and, behind it, calls."""
        pending, self._pending, self._size = joined(self._pending), [], 0
        found = [piece for piece in pending if isinstance(piece, Found)]
        out: list[StreamEvent] = []
        for at, piece in enumerate(pending):
            # White space and tags that ended a call went with it.
            if isinstance(piece, str) and not (at and _RESIDUE.match(piece)):
                out += self._said(piece)
        for each in found:
            self._called = True
            for call in each.calls:
                out += self._editor.call(call.tool, call.arguments)
        self._found += found
        return [*out, *self._late_end()]

    def _untouched(self) -> list[StreamEvent]:
        """What waited stays text."""
        pending, self._pending, self._size = self._pending, [], 0
        out: list[StreamEvent] = []
        for piece in pending:
            out += self._said(piece if isinstance(piece, str) else piece.raw)
        return [*out, *self._late_end()]

    def _late_end(self) -> list[StreamEvent]:
        event, self._ends = self._ends, None
        return self._over(event) if event is not None else []

    def _stopped(self, event: StreamEvent) -> StreamEvent:
        if self._called and event.reason in ("end_turn", "stop_sequence", ""):
            return evolve(event, reason="tool_use", stop_sequence=None, frame=None)
        return event

    def _is_space(self, text: str) -> bool:
        """Whether a block would begin with nothing but white space, which goes where a call follows."""
        return self._begins is not None and len(self._space) < MOST_SPACE and text.isspace()

    def _said(self, text: str) -> list[StreamEvent]:
        if self._is_space(text):
            self._space += text
            return []
        text, self._space = self._space + text, ""
        return [*self._begun(), *self._editor.say("text", text)] if text else []

    def _begun(self) -> list[StreamEvent]:
        event, self._begins = self._begins, None
        return self._editor.copy(event) if event is not None else []
