"""What is wrong with the events of one answer: the neutral grammar, which every reader and filter keeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coderouter_core.model import Block, StreamEvent
from coderouter_core.model.usage import NOTHING, Usage

Problems = Iterator[str]

#: What says nothing to a client of another dialect.
_SILENT = ("ping", "other")


class EventGrammar:
    """Looks at the events of one answer, in their order.

    An answer is ``start``; blocks, one after the other, each ``block_start``, any number of ``delta``, ``block_stop``;
    ``stop``. ``usage`` may come anywhere and never falls; ``error`` may come before ``stop`` and is the last; ``ping``
    and ``other`` mean nothing.

    An upstream's blocks that events cannot hold are ``other``, and count: an index may skip them.
    """

    def __init__(self) -> None:
        self._started = self._stopped = self._failed = False
        self._open: Block | None = None
        self._at = -1
        self._ids: set[str] = set()
        self._usage: Usage = NOTHING

    def see(self, events: Iterable[StreamEvent]) -> list[str]:
        """What is wrong with the next `events`."""
        return [problem for event in events for problem in self._event(event)]

    def end(self) -> list[str]:
        """What is wrong with an answer that ends here and is said to have ended well."""
        if self._failed:
            return ["the answer ended well and with an error"]
        return [] if self._stopped else ["the answer ended well without a stop"]

    def _event(self, event: StreamEvent) -> Problems:
        kind = event.kind
        if kind in _SILENT:
            return
        if self._failed:
            yield f"{kind} follows the error"
        if kind == "usage":
            yield from self._count(event.usage)
            return
        if self._stopped:
            yield f"{kind} follows the stop"
        if kind == "start":
            if self._started:
                yield "start comes twice"
            self._started = True
        elif kind == "error":
            self._failed = True
            if event.fault is None:
                yield "an error has no fault"
        elif kind == "stop":
            self._stopped = True
            if self._open is not None:
                yield f"the stop comes inside block {self._at}"
        else:
            if not self._started:
                yield f"{kind} comes before the start"
            yield from self._block(event)

    def _block(self, event: StreamEvent) -> Problems:
        kind = event.kind
        if kind == "block_start":
            if self._open is not None:
                yield f"block {event.index} starts inside block {self._at}"
            if event.index <= self._at:
                yield f"block {event.index} comes after block {self._at}"
            self._open, self._at = event.block, event.index
            yield from self._call(event)
            return
        if self._open is None:
            yield f"{kind} without a block"
        elif (event.block, event.index) != (self._open, self._at):
            yield f"{kind} of {event.block} {event.index} in block {self._at}, which is {self._open}"
        if kind == "block_stop":
            self._open = None
        elif not _is_text(event.text):
            yield "a delta holds half a character"

    def _call(self, event: StreamEvent) -> Problems:
        if event.block != "tool_call":
            return
        if not (event.id and event.name):
            yield f"call {event.index} lacks its id or name"
        if event.id in self._ids:
            yield f"two calls have the id {event.id!r}"
        self._ids.add(event.id)

    def _count(self, usage: Usage) -> Problems:
        if usage.merge(self._usage) != usage:
            yield "the usage falls"
        self._usage = usage


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
