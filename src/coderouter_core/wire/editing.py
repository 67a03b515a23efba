"""Put blocks into an answer, or take them out, so that what is left is still a sequence of blocks."""

from __future__ import annotations

from attrs import evolve

from coderouter_core.model import Block, StreamEvent
from coderouter_core.wire.ids import Mint, call_id


class BlockEditor:
    """Writes the blocks of one answer for a stream filter: none overlap, and they are counted from 0.

    Every ``block_start`` that comes in is told by `comes`, whether or not it is passed on; an event that
    fits as it is passes as the same object, so that its frame may stand. `mint` makes ids of calls.
    """

    def __init__(self, mint: Mint = call_id) -> None:
        self._mint = mint
        self._came = 0
        self._at = 0
        self._open: Block | None = None

    def comes(self, event: StreamEvent) -> list[StreamEvent]:
        """A block begins upstream; what is open here ends. Blocks that events cannot hold were counted there, too."""
        out = self.end()
        self._at += max(0, event.index - self._came)
        self._came = event.index + 1
        return out

    def copy(self, event: StreamEvent) -> list[StreamEvent]:
        """An event as it came, with the number that its block has here; nothing for the end of a block that never began."""
        out: list[StreamEvent] = []
        at = self._at
        if event.kind == "block_start":
            out = self.end()
            at, self._open = self._at, event.block
        elif event.kind == "delta":
            out = self._begun(event.block)
            at = self._at
        elif event.kind == "block_stop":
            if self._open != event.block:
                return []
            self._open = None
            self._at += 1
        else:
            return [event]
        return [*out, event if event.index == at else evolve(event, index=at, frame=None)]

    def say(self, block: Block, text: str) -> list[StreamEvent]:
        """Text or thinking, in the block that is open where it is of that kind."""
        return [*self._begun(block), StreamEvent("delta", self._at, block, text)]

    def call(self, name: str, arguments: str) -> list[StreamEvent]:
        """A whole tool call; `arguments` are JSON."""
        out = self.end()
        at = self._at
        self._at += 1
        return [
            *out,
            StreamEvent("block_start", at, "tool_call", id=self._mint(), name=name),
            StreamEvent("delta", at, "tool_call", arguments),
            StreamEvent("block_stop", at, "tool_call"),
        ]

    def end(self) -> list[StreamEvent]:
        """The end of the block that is open, if any."""
        if self._open is None:
            return []
        event = StreamEvent("block_stop", self._at, self._open)
        self._open = None
        self._at += 1
        return [event]

    def _begun(self, block: Block) -> list[StreamEvent]:
        if self._open == block:
            return []
        out = self.end()
        self._open = block
        return [*out, StreamEvent("block_start", self._at, block)]
