"""A Messages stream relayed to a Messages client."""

from __future__ import annotations

from typing import Any

import orjson

from coderouter_core.model import Dialect, size_of
from coderouter_core.wire import faults
from coderouter_core.wire.lanes import RelayLane
from coderouter_core.wire.lenient import loads, table
from coderouter_core.wire.messages.errors import error_frames
from coderouter_core.wire.messages.usage import merged
from coderouter_core.wire.messages.writer import STOP
from coderouter_core.wire.reasons import QUIET
from coderouter_core.wire.sse import fields, named, payload, write

#: What must be counted from the beginning.
_COUNTS = ("input_tokens", "output_tokens")
#: What counts as progress, beside the deltas of blocks.
_STEPS = ("message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop")


class MessagesRelay(RelayLane):
    """Frames without their ``event:`` line get one, since Anthropic's clients go by it; a stop reason that does not tell
    of the answer's calls is the one that does, since agents go by that; and what clients add to is there: counts, the
    input of a call."""

    def __init__(self) -> None:
        super().__init__(error_frames)
        self._called = False

    def _frame(self, frame: bytes) -> bytes:
        data = payload(frame)
        if not data:
            return frame
        try:
            event = loads(data)
        except ValueError:
            return self._broken(faults.garbage("a frame of the upstream's stream is not JSON"))
        if not isinstance(event, dict):
            return self._broken(faults.garbage("a frame of the upstream's stream is not an object"))
        kind = event.get("type") or fields(frame)[0]
        if kind == "error" or (not kind and event.get("error")):
            return self._broken(faults.of_json(event, Dialect.MESSAGES))
        if kind == "content_block_delta":
            self.steps += 1
            self._delta(event.get("delta"))
        elif kind in _STEPS:
            self.steps += 1
            unsaid = self._unsaid_end() if kind == "message_stop" and not self.stopped else b""
            self._look(kind, event)
            told = _complete(kind, event)
            if self._called and self.stop_reason == "end_turn" and kind == "message_delta":
                self.stop_reason = "tool_use"
                told = {**told, "delta": {**told["delta"], "stop_reason": "tool_use"}}
            if told is not event:
                return write(orjson.dumps(told), kind)
            if unsaid:
                return unsaid + _named(frame, kind)
        return _named(frame, kind)

    def _unsaid_end(self) -> bytes:
        """The stop reason, where the upstream says only that the answer is over: clients look for it."""
        self.stop_reason = "tool_use" if self._called else "end_turn"
        delta = {"stop_reason": self.stop_reason, "stop_sequence": None}
        usage = {"output_tokens": self.usage.output}
        return write(orjson.dumps({"type": "message_delta", "delta": delta, "usage": usage}), "message_delta")

    def _delta(self, delta: Any) -> None:
        if not isinstance(delta, dict):
            return
        text = delta.get("text") or delta.get("thinking")
        if text:
            self.content = True
        else:
            text = delta.get("partial_json")
        if isinstance(text, str):
            self.size += size_of(text)

    def _look(self, kind: str, event: dict[str, Any]) -> None:
        if kind == "content_block_start":
            block = table(event.get("content_block"))
            self.content = self.content or _is_content(block)
            self._called = self._called or block.get("type") == "tool_use"
        elif kind == "message_start":
            self.usage = merged(table(event.get("message")).get("usage"), self.usage)
        elif kind == "message_delta":
            self.usage = merged(event.get("usage"), self.usage)
            if isinstance(reason := table(event.get("delta")).get("stop_reason"), str):
                self.stopped, self.stop_reason = True, reason
                self.content = self.content or reason not in QUIET
        elif kind == "message_stop":
            self.stopped = self.done = True

    def _due(self) -> bytes:
        return STOP


def _named(frame: bytes, kind: Any) -> bytes:
    return frame if frame.startswith(b"event:") else named(frame, kind)


def _complete(kind: str, event: dict[str, Any]) -> dict[str, Any]:
    """An event with what clients read without looking whether it is there; the same object where it is."""
    if kind == "message_delta" and isinstance(usage := event.get("usage") or {}, dict):
        return (
            event
            if type(usage.get("output_tokens")) is int
            else {**event, "usage": {**usage, "output_tokens": 0}}
        )
    if kind == "message_start" and isinstance(message := event.get("message"), dict):
        usage = table(message.get("usage"))
        missing = {key: 0 for key in _COUNTS if type(usage.get(key)) is not int}
        content = message.get("content")
        if missing or not isinstance(content, list):
            content = content if isinstance(content, list) else []
            return {**event, "message": {**message, "content": content, "usage": {**usage, **missing}}}
    if kind == "content_block_start":
        block = table(event.get("content_block"))
        if (key := block.get("type")) in ("text", "thinking") and not isinstance(block.get(key), str):
            return {**event, "content_block": {**block, key: ""}}
        if key == "tool_use" and not isinstance(block.get("input"), dict):
            return {**event, "content_block": {**block, "input": {}}}
    return event


def _is_content(block: dict[str, Any]) -> bool:
    """Whether a block is content before its first delta: a call with a name, or a kind that comes whole."""
    kind = block.get("type")
    if kind in ("text", "thinking"):
        return bool(block.get("text") or block.get("thinking"))
    return bool(block.get("name")) if kind == "tool_use" else True
