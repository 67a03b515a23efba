"""Write events as a Chat Completions stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from coderouter_core.model import Dialect, Fault, StreamEvent, Usage
from coderouter_core.model.usage import NOTHING
from coderouter_core.wire import sse
from coderouter_core.wire.chat.errors import DONE, error_frames
from coderouter_core.wire.chat.usage import written
from coderouter_core.wire.ids import completion_id
from coderouter_core.wire.reasons import finish_reason

PING = b": ping\n\n"


class ChatWriter:
    """Keeps the dialect's grammar whatever events come: the role first, then deltas, the finish, usage, ``[DONE]``.

    `created` is Unix time in seconds, for chunks that an upstream of another dialect could not date. `choice` is the
    number of the choice that is written; not `alone`: the end of the stream is somebody else's.
    """

    dialect = Dialect.CHAT

    def __init__(
        self, *, include_usage: bool = True, created: int = 0, choice: int = 0, alone: bool = True
    ) -> None:
        self._choice = choice
        self._done = DONE if alone else b""
        self._include_usage = include_usage
        self._created = created
        self._started = self._stopped = self._finished = self._ended = False
        self._head = b""
        self._calls = 0
        self._in_call = False
        self._arguments = False
        self._wrote_call = False
        self._usage: Usage = NOTHING
        self._usage_frame = b""
        self._reason = "end_turn"

    def write(self, event: StreamEvent) -> bytes:
        kind = event.kind
        if self._ended:
            return b""
        if kind == "ping":
            return PING
        if kind == "start":
            return self._start(event)
        if self._finished:
            self._note(event)
            return b""
        if kind == "delta":
            return self._delta(event)
        if kind == "block_start" and event.block == "tool_call":
            return self._call(event)
        if kind == "block_stop":
            return self._call_ends()
        self._note(event)
        return b""

    def relay(self, frame: bytes, events: Sequence[StreamEvent]) -> bytes:
        """`frame` itself where it can stand among what was written; else what `events`, all of it, become."""
        if self._ended:
            return b""
        if b"[DONE]" in frame and sse.payload(frame).strip() == b"[DONE]":
            return b"".join([self.write(event) for event in events]) + self.close()
        if all(event.frame is frame for event in events) and self._stands(events):
            for event in events:
                self._adopt(event)
            if any(event.kind != "usage" for event in events):
                return frame
            # Usage alone comes last, and not at all where it was not asked for.
            self._usage_frame = frame
            return b""
        return b"".join([self.write(event) for event in events])

    def close(self) -> bytes:
        if self._ended:
            return b""
        out = [self._start(StreamEvent("start")), self._call_ends()]
        self._ended = True
        if not self._finished:
            finish = finish_reason(self._reason, called=self._calls > 0)
            out.append(self._chunk(b"{}", orjson.dumps(finish)))
        if self._include_usage and self._usage.reported:
            raw = orjson.dumps(written(self._usage))
            out.append(self._usage_frame or b'%b],"usage":%b}\n\n' % (self._head, raw))
        return b"".join((*out, self._done))

    def fail(self, fault: Fault, request_id: str) -> bytes:
        self._ended = True
        return error_frames(fault, request_id)

    def _stands(self, events: Sequence[StreamEvent]) -> bool:
        """Whether a frame fits: nothing but usage does after the finish; and once a call was written anew, the
        upstream's numbering and its finish reason do not."""
        if self._stopped:
            return all(event.kind in ("usage", "ping") for event in events)
        return not self._wrote_call or not any(
            event.kind == "stop" or event.block == "tool_call" for event in events
        )

    def _adopt(self, event: StreamEvent) -> None:
        """Take an event as written by its own frame."""
        if event.kind == "start":
            self._set_head(event, event.id)
        elif event.block == "tool_call":
            self._calls += event.kind == "block_start"
            self._in_call = event.kind != "block_stop"
            self._arguments = bool(event.text) or (self._arguments and event.kind != "block_start")
        elif event.kind == "stop":
            self._finished = True
        self._note(event)

    def _note(self, event: StreamEvent) -> None:
        if event.usage.reported:
            self._usage = event.usage
        if event.kind == "stop":
            self._stopped = True
            self._reason = event.reason

    def _set_head(self, event: StreamEvent, identity: str) -> None:
        self._started = True
        self._note(event)
        self._head = (
            b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,"choices":['
            % (
                orjson.dumps(identity),
                self._created,
                orjson.dumps(event.model),
            )
        )

    def _start(self, event: StreamEvent) -> bytes:
        if self._started:
            return b""
        self._set_head(event, completion_id(event.id))
        return self._chunk(b'{"role":"assistant","content":""}')

    def _chunk(self, delta: bytes, finish: bytes = b"null") -> bytes:
        return b'%b{"index":%d,"delta":%b,"finish_reason":%b}]}\n\n' % (
            self._head,
            self._choice,
            delta,
            finish,
        )

    def _delta(self, event: StreamEvent) -> bytes:
        out = b"" if self._started else self._start(StreamEvent("start"))
        text = orjson.dumps(event.text)
        if event.block == "text":
            return out + self._chunk(b'{"content":%b}' % text)
        if event.block == "thinking":
            return out + self._chunk(b'{"reasoning_content":%b}' % text)
        if not self._in_call:
            return out
        self._arguments = self._arguments or bool(event.text)
        call = b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}' % (self._calls - 1, text)
        return out + self._chunk(call)

    def _call(self, event: StreamEvent) -> bytes:
        out = self._start(StreamEvent("start")) + self._call_ends()
        call: dict[str, Any] = {
            "index": self._calls,
            "id": event.id,
            "type": "function",
            "function": {"name": event.name, "arguments": ""},
        }
        self._calls += 1
        self._in_call, self._arguments, self._wrote_call = True, False, True
        return out + self._chunk(orjson.dumps({"tool_calls": [call]}))

    def _call_ends(self) -> bytes:
        """Clients parse a call's arguments as JSON: none at all is an empty object."""
        if not self._in_call:
            return b""
        out = b"" if self._arguments else self._delta(StreamEvent("delta", block="tool_call", text="{}"))
        self._in_call = False
        return out
