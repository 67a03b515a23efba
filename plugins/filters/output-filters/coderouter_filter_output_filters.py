"""Clean the text of answers: thinking in tags, and markers that a model's template should have kept to itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

from attrs import frozen

from coderouter_core.api import (
    Block,
    EventSpec,
    Level,
    Operation,
    Option,
    Provider,
    Request,
    Router,
    Scope,
    StreamEvent,
    StreamFilter,
    hookimpl,
)
from coderouter_core.wire import BlockEditor

Name = Literal["strip_thinking", "strip_stop_markers", "lift_thinking"]
Piece = tuple[Block, str]

OPEN, CLOSE = "<think>", "</think>"
MARKERS = ("<|turn|>", "<|end|>", "<|python_tag|>", "<|im_end|>", "<|eot_id|>", "<|channel>thought")
_MARKER = re.compile("|".join(map(re.escape, MARKERS)))

#: Characters of white space that may stand before a tag that begins an answer.
MOST_SPACE = 64

#: Where the list is left out. A provider of this kind has blocks for its thinking.
DEFAULT: tuple[Name, ...] = ("lift_thinking",)
NATIVE = "anthropic"


@frozen
class OutputFilters:
    """Keys on a provider. Left out, `output_filters` is `DEFAULT`, or nothing for providers of kind `NATIVE`.

    `output_filters_open_think`: the model's template writes ``<think>`` itself, so that an answer begins inside it.
    """

    output_filters: tuple[Name, ...] | None = None
    output_filters_open_think: bool = False

    def names(self, kind: str) -> tuple[Name, ...]:
        if self.output_filters is not None:
            return self.output_filters
        return () if kind == NATIVE else DEFAULT


class Filter(Protocol):
    """One filter, over the text of one answer. `changed` says that it found something."""

    changed: bool

    def feed(self, text: str) -> Iterable[Piece]:
        """What a piece of text becomes; its end is held back where it may be the beginning of a tag."""

    def end(self) -> Iterable[Piece]:
        """What is held back, at the end of a block."""

    def passes(self, text: str) -> bool:
        """Whether it would leave an answer alone that is this text."""


def could_begin(text: str, tags: Sequence[str]) -> int:
    """The length of the longest end of `text` that a longer one of `tags` begins with."""
    for size in range(min(max(map(len, tags)) - 1, len(text)), 0, -1):
        if any(tag.startswith(text[-size:]) for tag in tags):
            return size
    return 0


class StripMarkers:
    """Takes `MARKERS` out, each as it stands."""

    def __init__(self) -> None:
        self.changed = False
        self._held = ""

    def feed(self, text: str) -> Iterable[Piece]:
        text, at = self._held + text, 0
        for found in _MARKER.finditer(text):
            self.changed = True
            yield "text", text[at : found.start()]
            at = found.end()
        text = text[at:]
        kept = len(text) - could_begin(text, MARKERS)
        self._held = text[kept:]
        yield "text", text[:kept]

    def end(self) -> Iterable[Piece]:
        text, self._held = self._held, ""
        yield "text", text

    def passes(self, text: str) -> bool:
        return _MARKER.search(text) is None


class StripThinking:
    """Takes ``<think>…</think>`` out: the first close ends it, and without one all that follows goes.

    A close that nothing opened stays: what stood before it has reached the client already.
    """

    def __init__(self, *, inside: bool) -> None:
        self.changed = False
        self._inside = inside
        self._held = ""

    def feed(self, text: str) -> Iterable[Piece]:
        self.changed = self.changed or self._inside
        text = self._held + text
        while True:
            tag = CLOSE if self._inside else OPEN
            before, found, after = text.partition(tag)
            if not found:
                break
            self.changed = True
            if not self._inside:
                yield "text", before
            self._inside, text = not self._inside, after
        kept = len(text) - could_begin(text, (tag,))
        self._held = text[kept:]
        if not self._inside:
            yield "text", text[:kept]

    def end(self) -> Iterable[Piece]:
        text, self._held = self._held, ""
        if not self._inside:
            yield "text", text
        self._inside = False

    def passes(self, text: str) -> bool:
        return not self._inside and OPEN not in text


class LiftThinking:
    """Makes thinking of ``<think>…</think>`` where an answer begins with it; without a close all of it is thinking.

    White space around the tags goes with them.
    """

    def __init__(self, *, inside: bool) -> None:
        self.changed = False
        self._state: Literal["before", "opened", "inside", "closed", "done"] = (
            "opened" if inside else "before"
        )
        self._held = ""

    def feed(self, text: str) -> Iterable[Piece]:
        if self._state == "done":
            yield "text", text
            return
        text, self._held = self._held + text, ""
        if self._state == "before":
            begun = text.lstrip()
            if len(begun) < len(OPEN) and OPEN.startswith(begun) and len(text) <= MOST_SPACE:
                self._held = text
                return
            if not begun.startswith(OPEN):
                self._state = "done"
                yield "text", text
                return
            self._state, text = "opened", begun.removeprefix(OPEN)
        self.changed = True
        yield from self._within(text)

    def _within(self, text: str) -> Iterable[Piece]:
        if self._state == "opened":
            text = text.lstrip()
            self._state = "inside" if text and not CLOSE.startswith(text) else "opened"
        if self._state in ("opened", "inside"):
            thought, found, text = text.partition(CLOSE)
            kept = len(thought) - (0 if found else could_begin(thought, (CLOSE,)))
            self._held = thought[kept:]
            yield "thinking", thought[:kept]
            if not found:
                return
            self._state = "closed"
        text = text.lstrip()
        if text:
            self._state = "done"
            yield "text", text

    def end(self) -> Iterable[Piece]:
        text, self._held = self._held, ""
        yield ("text" if self._state == "before" else "thinking"), text
        self._state = "done"

    def passes(self, text: str) -> bool:
        return self._state == "before" and not text.lstrip().startswith(OPEN)


def make(name: Name, *, inside: bool) -> Filter:
    if name == "strip_stop_markers":
        return StripMarkers()
    return StripThinking(inside=inside) if name == "strip_thinking" else LiftThinking(inside=inside)


class OutputFilter:
    """Leads the text of one answer through filters, in order; everything else passes as it is."""

    stage = 0

    def __init__(self, provider: Provider, names: Sequence[Name], *, streaming: bool, router: Router) -> None:
        inside = provider.option(OutputFilters).output_filters_open_think
        self._filters = {name: make(name, inside=inside) for name in names}
        self._provider = provider.name
        self._streaming = streaming
        self._router = router
        self._editor = BlockEditor()
        self._begins: StreamEvent | None = None

    def feed(self, event: StreamEvent) -> Iterable[StreamEvent]:
        out: list[StreamEvent] = []
        if event.kind == "block_start":
            out = self._editor.comes(event)
            if event.block == "text":
                # It begins with its first piece: there may be none.
                self._begins = event
                return out
        elif event.block == "text" and event.kind == "delta":
            return self._text(event)
        elif event.block == "text" and event.kind == "block_stop":
            out = self._rest()
            self._begins = None
        return [*out, *self._editor.copy(event)]

    def passes(self, text: str) -> bool:
        return all(each.passes(text) for each in self._filters.values())

    def flush(self) -> Iterable[StreamEvent]:
        out = [*self._rest(), *self._editor.end()]
        if applied := [name for name, each in self._filters.items() if each.changed]:
            self._router.emit(
                "output-filter-applied", provider=self._provider, filters=applied, streaming=self._streaming
            )
        return out

    def _text(self, event: StreamEvent) -> list[StreamEvent]:
        pieces = list(self._through(list(self._filters.values()), event.text))
        if pieces == [("text", event.text)]:
            return [*self._begun(), *self._editor.copy(event)]
        return self._said(pieces)

    def _rest(self) -> list[StreamEvent]:
        """What the filters hold, each of which passes the later ones."""
        filters = list(self._filters.values())
        out: list[StreamEvent] = []
        for at, each in enumerate(filters):
            for block, text in each.end():
                later = self._through(filters[at + 1 :], text) if block == "text" else [(block, text)]
                out += self._said(later)
        return out

    def _through(self, filters: Sequence[Filter], text: str) -> Iterable[Piece]:
        pieces: list[Piece] = [("text", text)]
        for each in filters:
            passed: list[Piece] = []
            for block, piece in pieces:
                passed += each.feed(piece) if block == "text" else [(block, piece)]
            pieces = [piece for piece in passed if piece[1]]
        return pieces

    def _said(self, pieces: Iterable[Piece]) -> list[StreamEvent]:
        out: list[StreamEvent] = []
        for block, text in pieces:
            if text:
                out += self._begun() if block == "text" else []
                out += self._editor.say(block, text)
        return out

    def _begun(self) -> list[StreamEvent]:
        event, self._begins = self._begins, None
        return self._editor.copy(event) if event is not None else []


class OutputFiltersPlugin:
    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.PROVIDER, OutputFilters)]

    @hookimpl
    def declare_events(self) -> Iterable[EventSpec]:
        fields = ("provider", "filters", "streaming")
        return [
            EventSpec("output-filter-applied", Level.INFO, fields, "filters changed the text of an answer")
        ]

    @hookimpl
    def configure(self, router: Router) -> None:
        self._router = router

    @hookimpl
    def stream_filter(self, provider: Provider, request: Request) -> StreamFilter | None:
        names = provider.option(OutputFilters).names(provider.kind)
        if not names or request.operation is not Operation.GENERATE:
            return None
        return OutputFilter(provider, names, streaming=request.stream, router=self._router)
