"""Read a Messages stream as events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from coderouter_core.model import Block, Dialect, Fault, StreamEvent, Usage
from coderouter_core.model.usage import NOTHING
from coderouter_core.wire import faults
from coderouter_core.wire.ids import Mint, UniqueIds, call_id
from coderouter_core.wire.lenient import Halves, loads, string, table
from coderouter_core.wire.messages.order import Order
from coderouter_core.wire.messages.usage import merged
from coderouter_core.wire.sse import fields, named, payload

BLOCKS: dict[str, Block] = {"text": "text", "thinking": "thinking", "tool_use": "tool_call"}
#: What a delta is called, which block it belongs to, and where its text stands.
_DELTAS: dict[str, tuple[Block, str]] = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "input_json_delta": ("tool_call", "partial_json"),
}


def block_kind(block: dict[str, Any]) -> Block | None:
    """What a block is as events; None where they cannot hold it, as a call that names no tool."""
    kind = BLOCKS.get(string(block.get("type")))
    return None if kind == "tool_call" and not string(block.get("name")) else kind


class MessagesReader:
    """Calls that an upstream sends at the same time are told apart by their ``index``.

    Blocks of other kinds (server tools, redacted thinking) give ``other`` events, whose frames hold them.

    `mint` makes ids for calls that came without one of their own.
    """

    dialect = Dialect.MESSAGES

    def __init__(self, mint: Mint = call_id) -> None:
        self.usage: Usage = NOTHING
        self.finished = False
        self.ended = False
        self._open: Block | None = None
        self._foreign = self._called = False
        self._at = 0
        self._signature = ""
        self._halves = Halves()
        self._stopped = False
        self._order = Order()
        self._ids = UniqueIds(mint)

    def read(self, frame: bytes) -> Sequence[StreamEvent]:
        data = payload(frame)
        if not data:
            ping = frame.startswith(b":") or fields(frame)[0] == "ping"
            return (StreamEvent("ping" if ping else "other", frame=frame),)
        try:
            event = loads(data)
        except ValueError:
            return self._failed(faults.garbage("a frame of the upstream's stream is not JSON"), frame)
        if not isinstance(event, dict):
            return self._failed(faults.garbage("a frame of the upstream's stream is not an object"), frame)
        kind = event.get("type") or fields(frame)[0] or ("error" if event.get("error") else "")
        if not frame.startswith(b"event:"):
            frame = named(frame, kind)
        if kind == "error":
            return self._failed(faults.of_json(event, Dialect.MESSAGES), frame)
        if not isinstance(kind, str) or kind not in _STEPS:
            return (StreamEvent("ping" if kind == "ping" else "other", frame=frame),)
        return [
            found
            for step, said, own in self._order.take(kind, event, frame)
            for found in _STEPS[step](self, said, own) or (StreamEvent("other", frame=own),)
        ]

    def close(self) -> Sequence[StreamEvent]:
        if not self.finished:
            return ()
        return (*self._closed(None), *self._stop("end_turn", None, None))

    def _failed(self, fault: Fault, frame: bytes) -> list[StreamEvent]:
        """An error; nothing of the frame where the answer is over anyway."""
        return [] if self.finished else [StreamEvent("error", fault=fault, frame=frame)]

    def _start(self, event: dict[str, Any], frame: bytes) -> list[StreamEvent]:
        message = table(event.get("message"))
        self.usage = merged(message.get("usage"), self.usage)
        return [
            StreamEvent(
                "start",
                id=string(message.get("id")),
                model=string(message.get("model")),
                usage=self.usage,
                frame=frame if _is_readable(message) else None,
            )
        ]

    def _block_start(self, event: dict[str, Any], frame: bytes) -> list[StreamEvent]:
        events = self._closed(None)
        block = table(event.get("content_block"))
        kind = block_kind(block)
        if kind is None:
            self._foreign = True
            return [*events, StreamEvent("other", frame=frame)]
        said = string(block.get("id"))
        identity = self._ids.of(said) if kind == "tool_call" else ""
        own = self._own(event, frame) if identity in ("", said) and _can_grow(kind, block) else None
        events += self._opened(kind, own, identity, string(block.get("name")))
        self._signature = string(block.get("signature"))
        text = string(block.get("text") or block.get("thinking"))
        if kind == "tool_call" and block.get("input"):
            given = block["input"]
            text = given if isinstance(given, str) else orjson.dumps(given).decode()
        if text:
            events.append(StreamEvent("delta", self._at, kind, text, frame=own))
        return events

    def _delta(self, event: dict[str, Any], frame: bytes) -> list[StreamEvent]:
        delta = event.get("delta")
        if self._foreign or not isinstance(delta, dict):
            return []
        block, key = _DELTAS.get(string(delta.get("type")), (None, ""))
        if block is None:
            self._signature = string(delta.get("signature")) or self._signature
            return []
        if not isinstance(said := delta.get(key), str) or (block == "tool_call" != self._open):
            # Without a frame: a client that reads it would look for its text or its block.
            return [StreamEvent("other")]
        before: list[StreamEvent] = []
        own = self._own(event, frame)
        if self._open != block:
            before, own = [*self._closed(None), *self._opened(block, None)], None
        text = self._halves.take(said)
        return [*before, StreamEvent("delta", self._at, block, text, frame=own if text is said else None)]

    def _block_stop(self, event: dict[str, Any], frame: bytes) -> list[StreamEvent]:
        return self._closed(self._own(event, frame))

    def _own(self, event: dict[str, Any], frame: bytes) -> bytes | None:
        """The frame, where it counts its block as we do; a frame that does not cannot stand as it is."""
        return frame if event.get("index") == self._at else None

    def _message_delta(self, event: dict[str, Any], frame: bytes) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        if isinstance(usage := event.get("usage"), dict) and usage:
            self.usage = merged(usage, self.usage)
            own = frame if type(usage.get("output_tokens")) is int else None
            events.append(StreamEvent("usage", usage=self.usage, frame=own))
        delta = table(event.get("delta"))
        if isinstance(reason := delta.get("stop_reason"), str):
            self.finished = True
            sequence = delta.get("stop_sequence")
            events = [*self._closed(None), *events, *self._stop(reason, sequence, frame)]
        return events

    def _message_stop(self, _: dict[str, Any], frame: bytes) -> list[StreamEvent]:
        self.finished = self.ended = True
        reason = "tool_use" if self._called else "end_turn"
        return [*self._closed(None), *self._stop(reason, None, frame)]

    def _opened(
        self, kind: Block, frame: bytes | None, identity: str = "", name: str = ""
    ) -> list[StreamEvent]:
        self._open, self._signature = kind, ""
        self._called = self._called or kind == "tool_call"
        return [StreamEvent("block_start", self._at, kind, id=identity, name=name, frame=frame)]

    def _closed(self, frame: bytes | None) -> list[StreamEvent]:
        """The end of the block that is open, if any; upstreams may leave its frame out."""
        if self._foreign:
            self._foreign = False
            self._at += 1
        if self._open is None:
            return []
        events = [StreamEvent("delta", self._at, self._open, rest)] if (rest := self._halves.end()) else []
        stop = StreamEvent("block_stop", self._at, self._open, signature=self._signature, frame=frame)
        self._open = None
        self._at += 1
        return [*events, stop]

    def _stop(self, reason: str, sequence: Any, frame: bytes | None) -> list[StreamEvent]:
        if self._stopped:
            return []
        self._stopped = True
        sequence = sequence if isinstance(sequence, str) else None
        return [StreamEvent("stop", reason=reason, stop_sequence=sequence, frame=frame)]


#: Beside the class: a reader that held its own methods would be kept until garbage is searched for.
_STEPS: Mapping[str, Callable[[MessagesReader, dict[str, Any], bytes], list[StreamEvent]]] = {
    "message_start": MessagesReader._start,
    "content_block_start": MessagesReader._block_start,
    "content_block_delta": MessagesReader._delta,
    "content_block_stop": MessagesReader._block_stop,
    "message_delta": MessagesReader._message_delta,
    "message_stop": MessagesReader._message_stop,
}


def _is_readable(message: dict[str, Any]) -> bool:
    """Whether clients find in a ``message_start`` what they add to later."""
    usage = table(message.get("usage"))
    counts = (usage.get("input_tokens"), usage.get("output_tokens"))
    return message.get("content") == [] and all(type(count) is int for count in counts)


def _can_grow(kind: Block, block: dict[str, Any]) -> bool:
    """Whether clients find in a ``content_block_start`` what they add to later."""
    return isinstance(block.get("input"), dict) if kind == "tool_call" else isinstance(block.get(kind), str)
