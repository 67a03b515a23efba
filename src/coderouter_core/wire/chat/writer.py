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
    number of the choice that is written; not `alone`: the end of the stream is somebody else's. `legacy`: the client
    declared ``functions``, and reads the first call as a ``function_call``; there is no form for another.
    """

    dialect = Dialect.CHAT

    def __init__(
        self,
        *,
        include_usage: bool = True,
        created: int = 0,
        choice: int = 0,
        alone: bool = True,
        legacy: bool = False,
    ) -> None:
        self._choice = choice
        self._legacy = legacy
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
        """What `events` carry of `frame` where it can stand among what was written; else what they become."""
        if self._ended:
            return b""
        out = b""
        if events and events[0].kind == "start" and events[0].frame is None:
            out, events = self.write(events[0]), events[1:]
        if b"[DONE]" in frame and sse.payload(frame).strip() == b"[DONE]":
            return out + self._relayed(events) + self.close()
        return out + self._relayed(events)

    def _relayed(self, events: Sequence[StreamEvent]) -> bytes:
        own = events[0].frame if events else None
        if own is not None and all(event.frame is own for event in events) and self._stands(events):
            for event in events:
                self._adopt(event)
            if any(event.kind != "usage" for event in events):
                return own
            # Usage alone comes last, and not at all where it was not asked for.
            self._usage_frame = own
            return b""
        # The end of a choice has a frame of its own.
        return b"".join([self._relayed([e]) if _ends(e, events) else self.write(e) for e in events])

    def close(self) -> bytes:
        if self._ended:
            return b""
        out = [self._start(StreamEvent("start")), self._call_ends()]
        self._ended = True
        if not self._finished:
            finish = finish_reason(self._reason, called=self._calls > 0)
            if self._legacy and finish == "tool_calls":
                finish = "function_call"
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
        if self._legacy:
            return out + self._chunk(b'{"function_call":{"arguments":%b}}' % text)
        call = b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}' % (self._calls - 1, text)
        return out + self._chunk(call)

    def _call(self, event: StreamEvent) -> bytes:
        out = self._start(StreamEvent("start")) + self._call_ends()
        if self._legacy and self._calls:
            return out
        call: dict[str, Any] = {
            "index": self._calls,
            "id": event.id,
            "type": "function",
            "function": {"name": event.name, "arguments": ""},
        }
        self._calls += 1
        self._in_call, self._arguments, self._wrote_call = True, False, True
        said = {"function_call": call["function"]} if self._legacy else {"tool_calls": [call]}
        return out + self._chunk(orjson.dumps(said))

    def _call_ends(self) -> bytes:
        """Clients parse a call's arguments as JSON: none at all is an empty object."""
        if not self._in_call:
            return b""
        out = b"" if self._arguments else self._delta(StreamEvent("delta", block="tool_call", text="{}"))
        self._in_call = False
        return out


def _ends(event: StreamEvent, events: Sequence[StreamEvent]) -> bool:
    return event.kind == "stop" and event.frame is not None and len(events) > 1
