"""Write events as a Messages stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from coderouter_core.model import Block, Dialect, Fault, StreamEvent, Usage
from coderouter_core.model.usage import NOTHING
from coderouter_core.wire import sse
from coderouter_core.wire.ids import message_id
from coderouter_core.wire.lenient import table
from coderouter_core.wire.messages.errors import error_frames
from coderouter_core.wire.messages.usage import written
from coderouter_core.wire.signature import MINTED

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

_EMPTY: dict[Block, dict[str, Any]] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}
_DELTA: dict[Block, bytes] = {
    "text": b'"delta":{"type":"text_delta","text":',
    "thinking": b'"delta":{"type":"thinking_delta","thinking":',
    "tool_call": b'"delta":{"type":"input_json_delta","partial_json":',
}
_BLOCK_EVENTS = ("content_block_start", "content_block_delta", "content_block_stop")


class MessagesWriter:
    """Keeps the dialect's grammar whatever events come: one block at a time, one ``message_delta``, the stop last."""

    dialect = Dialect.MESSAGES

    def __init__(self) -> None:
        self._started = self._ended = False
        self._count = 0
        self._open: Block | None = None
        self._foreign = False
        self._pieces = 0
        self._signed = False
        self._called = False
        self._usage: Usage = NOTHING
        self._reason = ""
        self._sequence: str | None = None
        self._delta_passed = False

    def write(self, event: StreamEvent) -> bytes:
        kind = event.kind
        if self._ended:
            return b""
        if kind == "delta":
            return self._delta(event)
        if kind == "block_start":
            return self._begin(event.block, event.id, event.name) if not self._delta_passed else b""
        if kind == "block_stop":
            return self._end(event.signature) if self._open == event.block else b""
        if kind == "ping":
            return PING
        if kind == "start":
            return self._start(event)
        if kind == "other":
            # Of what events cannot hold, blocks of this dialect are carried: redacted thinking, server tools.
            block = decoded(event.frame)
            return self._carry(block, event.frame or b"") if block.get("type") in _BLOCK_EVENTS else b""
        self._note(event)
        return b""

    def relay(self, frame: bytes, events: Sequence[StreamEvent]) -> bytes:  # noqa: ARG002
        """What `events` carry of `frame` where it can stand among what was written; else what they become."""
        if self._ended:
            return b""
        first = events[0]
        if len(events) == 1 and first.kind in ("other", "ping"):
            said = first.frame or b""
            return said if first.kind == "ping" else self._pass(said)
        own = first.frame
        if own is not None and all(event.frame is own for event in events) and self._adopts(events):
            return own
        return b"".join([self.write(event) for event in events])

    def close(self) -> bytes:
        if self._ended:
            return b""
        self._ended = True
        out = self._start(StreamEvent("start")) + self._end()
        if not self._delta_passed:
            reason = self._reason or "end_turn"
            if reason == "end_turn" and self._called:
                reason = "tool_use"
            delta = {"stop_reason": reason, "stop_sequence": self._sequence}
            out += _frame("message_delta", {"delta": delta, "usage": written(self._usage)})
        return out + STOP

    def fail(self, fault: Fault, request_id: str) -> bytes:
        self._ended = True
        return error_frames(fault, request_id)

    def _adopts(self, events: Sequence[StreamEvent]) -> bool:
        """Take events as written by their own frame; False, and nothing taken, where that frame would not fit."""
        first = events[0]
        if first.kind == "delta" and len(events) == 1:
            if self._open != first.block or first.index != self._count:
                return False
            self._pieces += 1
            return True
        if first.kind == "start":
            if self._started:
                return False
            self._started = True
            self._note(first)
            return True
        if first.kind == "block_start":
            if self._open is not None or self._foreign or not self._started or first.index != self._count:
                return False
            self._open, self._pieces, self._signed = first.block, len(events) - 1, False
            self._called = self._called or first.block == "tool_call"
            return True
        if first.kind == "block_stop":
            if len(events) > 1 or self._open != first.block or first.index != self._count:
                return False
            if not (self._pieces or self._signed):
                return False
            self._open = None
            self._count += 1
            return True
        return self._adopts_end(events)

    def _adopts_end(self, events: Sequence[StreamEvent]) -> bool:
        last = events[-1]
        fits = self._started and self._open is None and not (self._foreign or self._delta_passed)
        if last.kind != "stop" or not fits or (self._called and last.reason == "end_turn"):
            return False
        for event in events:
            self._note(event)
        self._delta_passed = events[0].kind == "usage"
        return self._delta_passed

    def _pass(self, frame: bytes) -> bytes:
        """A frame of this dialect that events cannot hold."""
        event = decoded(frame)
        kind = event.get("type")
        if kind in _BLOCK_EVENTS:
            return self._carry(event, frame)
        if kind != "message_stop":
            return frame
        if not self._delta_passed or self._open is not None or self._foreign:
            return b""
        self._ended = True
        return frame

    def _carry(self, event: dict[str, Any], frame: bytes) -> bytes:
        """A frame of a block, with the index that the block has here."""
        kind, out = event["type"], b""
        if kind == "content_block_start":
            out = self._start(StreamEvent("start")) + self._end()
            self._foreign = True
        elif kind == "content_block_stop":
            return self._end() if self._foreign else b""
        elif self._open is None and not self._foreign:
            return b""
        else:
            self._pieces += 1
            self._signed = self._signed or table(event.get("delta")).get("type") == "signature_delta"
        if event.get("index") == self._count:
            return out + frame
        return out + sse.write(orjson.dumps({**event, "index": self._count}), kind)

    def _note(self, event: StreamEvent) -> None:
        if event.usage.reported:
            self._usage = event.usage
        if event.kind == "stop":
            self._reason, self._sequence = event.reason, event.stop_sequence

    def _start(self, event: StreamEvent) -> bytes:
        if self._started:
            return b""
        self._started = True
        self._note(event)
        message: dict[str, Any] = {
            "id": message_id(event.id),
            "type": "message",
            "role": "assistant",
            "model": event.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": written(event.usage),
        }
        return _frame("message_start", {"message": message})

    def _begin(self, block: Block, identity: str, name: str) -> bytes:
        out = self._start(StreamEvent("start")) + self._end()
        self._open, self._pieces, self._signed = block, 0, False
        start = _EMPTY.get(block) or {"type": "tool_use", "id": identity, "name": name, "input": {}}
        self._called = self._called or block == "tool_call"
        return out + _frame("content_block_start", {"index": self._count, "content_block": start})

    def _delta(self, event: StreamEvent) -> bytes:
        out = b""
        if self._open != event.block:
            if event.block == "tool_call" or self._delta_passed:
                return b""
            out = self._begin(event.block, "", "")
        self._pieces += 1
        return b'%bevent: content_block_delta\ndata: {"type":"content_block_delta","index":%d,%b%b}}\n\n' % (
            out,
            self._count,
            _DELTA[event.block],
            orjson.dumps(event.text),
        )

    def _end(self, signature: str = "") -> bytes:
        """Close the open block; each has at least one delta, and a call's JSON is never empty."""
        if self._foreign:
            self._foreign = False
            self._count += 1
            return _frame("content_block_stop", {"index": self._count - 1})
        if self._open is None:
            return b""
        block, out = self._open, b""
        if block == "thinking" and not self._signed:
            signed = {"type": "signature_delta", "signature": signature or MINTED}
            out = _frame("content_block_delta", {"index": self._count, "delta": signed})
        elif block != "thinking" and not self._pieces:
            out = self._delta(StreamEvent("delta", block=block, text="{}" if block == "tool_call" else ""))
        out += _frame("content_block_stop", {"index": self._count})
        self._open = None
        self._count += 1
        return out


def _frame(kind: str, fields: dict[str, Any]) -> bytes:
    return sse.write(orjson.dumps({"type": kind, **fields}), kind)


def decoded(frame: bytes | None) -> dict[str, Any]:
    """The event in a frame, where it is one of a block or of this dialect's end; else an empty one."""
    if not frame or (b"content_block_" not in frame and b"message_stop" not in frame):
        return {}
    try:
        return table(orjson.loads(sse.payload(frame)))
    except orjson.JSONDecodeError:
        return {}
