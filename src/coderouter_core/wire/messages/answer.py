"""Whole Messages answers: as events, and made of events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from coderouter_core.model import Dialect, StreamEvent, Usage
from coderouter_core.model.usage import NOTHING
from coderouter_core.wire import faults, sse
from coderouter_core.wire.arguments import parsed
from coderouter_core.wire.ids import UniqueIds, message_id
from coderouter_core.wire.lenient import string, table
from coderouter_core.wire.messages.reader import BLOCKS, block_kind
from coderouter_core.wire.messages.usage import merged, written
from coderouter_core.wire.messages.writer import decoded
from coderouter_core.wire.signature import MINTED

#: Where the text of a block stands.
_TEXT = {"text": "text", "thinking": "thinking"}


def events(body: Mapping[str, Any]) -> list[StreamEvent]:
    """The events of a whole answer. A block that events cannot hold is an ``other`` whose frame carries it."""
    if body.get("type") == "error" or body.get("error"):
        return [StreamEvent("error", fault=faults.of_json(body, Dialect.MESSAGES))]
    content = body.get("content")
    if not isinstance(content, list):
        return [StreamEvent("error", fault=faults.garbage("the upstream's answer has no content"))]
    usage = merged(body.get("usage"))
    out = [StreamEvent("start", id=string(body.get("id")), model=string(body.get("model")), usage=usage)]
    ids = UniqueIds()
    for at, block in enumerate(item for item in content if isinstance(item, dict)):
        out += _block(at, block, ids)
    reason = string(body.get("stop_reason")) or "end_turn"
    sequence = body.get("stop_sequence")
    if usage.reported:
        out.append(StreamEvent("usage", usage=usage))
    stop = StreamEvent("stop", reason=reason, stop_sequence=sequence if isinstance(sequence, str) else None)
    return [*out, stop]


def _block(at: int, block: dict[str, Any], ids: UniqueIds) -> list[StreamEvent]:
    kind = block_kind(block)
    if kind is None:
        return [
            _foreign("content_block_start", index=at, content_block=block),
            _foreign("content_block_stop", index=at),
        ]
    identity = ids.of(string(block.get("id"))) if kind == "tool_call" else ""
    start = StreamEvent("block_start", at, kind, id=identity, name=string(block.get("name")))
    if kind == "tool_call":
        given = block.get("input") or {}
        # Some servers have written the object as JSON already.
        text = given if isinstance(given, str) else orjson.dumps(given).decode()
    else:
        text = string(block.get(_TEXT[kind]))
    out = [start]
    if text:
        out.append(StreamEvent("delta", at, kind, text))
    citations = block.get("citations")
    for citation in citations if isinstance(citations, list) else ():
        delta = {"type": "citations_delta", "citation": citation}
        out.append(_foreign("content_block_delta", index=at, delta=delta))
    return [*out, StreamEvent("block_stop", at, kind, signature=string(block.get("signature")))]


def _foreign(kind: str, **fields: Any) -> StreamEvent:
    return StreamEvent("other", frame=sse.write(orjson.dumps({"type": kind, **fields}), kind))


class _Fold:
    """Collects the parts of one answer."""

    def __init__(self) -> None:
        self.id = self.model = ""
        self.usage: Usage = NOTHING
        self.reason = ""
        self.sequence: str | None = None
        self.content: list[dict[str, Any]] = []
        self._pieces: list[str] = []
        self._block: dict[str, Any] | None = None

    def add(self, event: StreamEvent) -> None:
        if event.usage.reported:
            self.usage = event.usage
        if event.kind == "start":
            self.id, self.model = event.id, event.model
        elif event.kind == "block_start":
            self._begin(event)
        elif event.kind == "delta":
            self._piece(event)
        elif event.kind == "block_stop":
            self.end(event.signature)
        elif event.kind == "stop":
            self.reason, self.sequence = event.reason, event.stop_sequence
        elif event.kind == "other":
            self._foreign(decoded(event.frame))

    def _piece(self, event: StreamEvent) -> None:
        """A delta; text opens its block where none is open, arguments belong to a call or to nothing."""
        if self._block is None or BLOCKS[self._block["type"]] != event.block:
            if event.block == "tool_call":
                return
            self._begin(event)
        self._pieces.append(event.text)

    def _begin(self, event: StreamEvent) -> None:
        self.end()
        if event.block == "tool_call":
            self._block = {"type": "tool_use", "id": event.id, "name": event.name, "input": {}}
        else:
            self._block = {"type": event.block, event.block: ""}

    def end(self, signature: str = "") -> None:
        """The block that is open is over. A text that never came is left out: clients may not send it back."""
        block, text = self._block, "".join(self._pieces)
        self._block, self._pieces = None, []
        if block is None:
            return
        if block["type"] == "tool_use":
            block["input"] = parsed(text)
        elif block["type"] == "thinking":
            block["thinking"], block["signature"] = text, signature or MINTED
        elif not text:
            return
        else:
            block["text"] = text
        self.content.append(block)

    def _foreign(self, event: dict[str, Any]) -> None:
        kind, delta = event.get("type"), table(event.get("delta"))
        if kind == "content_block_start":
            self.end()
            self.content.append(table(event.get("content_block")))
        elif delta.get("type") == "citations_delta" and self._block is not None:
            self._block.setdefault("citations", []).append(delta.get("citation"))


def fold(events: Iterable[StreamEvent]) -> dict[str, Any]:
    """A whole answer from the events of one."""
    answer = _Fold()
    for event in events:
        answer.add(event)
    answer.end()
    reason = answer.reason or "end_turn"
    if reason == "end_turn" and any(block.get("type") == "tool_use" for block in answer.content):
        reason = "tool_use"
    return {
        "id": message_id(answer.id),
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": answer.content,
        "stop_reason": reason,
        "stop_sequence": answer.sequence,
        "usage": written(answer.usage),
    }
