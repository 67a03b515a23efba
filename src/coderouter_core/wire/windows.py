"""Tell an answer that filled the context window from one that became as long as it was allowed to.

Chat Completions has one word for both, ``length``. Agents answer ``max_tokens`` by asking for more of the same, which
in a full window fails again; ``model_context_window_exceeded`` makes them compact their conversation.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from coderouter_core.model import Dialect, Fault, StreamEvent, Usage
from coderouter_core.model.usage import NOTHING
from coderouter_core.wire.codec import Writer

CUT = "max_tokens"
EXCEEDED = "model_context_window_exceeded"
#: Servers stop some tokens before the end of the window; prompt and answer must fill this part of it.
FULL = 0.99


@frozen
class Window:
    """`tokens` are those of prompt and answer together; the client allowed an answer of `most`."""

    tokens: int
    most: int | None = None

    def reason(self, reason: str, usage: Usage) -> str:
        """`reason`, or the one that says that the window was full."""
        if reason != CUT or (self.most is not None and usage.output >= self.most):
            return reason
        return EXCEEDED if usage.prompt + usage.output >= FULL * self.tokens else reason

    def told(self, events: Sequence[StreamEvent]) -> Sequence[StreamEvent]:
        """The events of a whole answer, with the right reason."""
        usage = next((event.usage for event in reversed(events) if event.usage.reported), NOTHING)
        return [
            evolve(event, reason=self.reason(event.reason, usage), frame=None)
            if event.kind == "stop"
            else event
            for event in events
        ]


class WindowWriter:
    """A writer that is told of the stop last, since only then all usage has come. Not for relayed frames, in which
    the upstream has said the reason itself."""

    def __init__(self, writer: Writer, window: Window) -> None:
        self.dialect: Dialect = writer.dialect
        self._writer = writer
        self._window = window
        self._usage = NOTHING
        self._stop: StreamEvent | None = None

    def write(self, event: StreamEvent) -> bytes:
        if event.usage.reported:
            self._usage = event.usage
        if event.kind == "stop" and event.reason == CUT:
            self._stop = event
            return b""
        return self._writer.write(event)

    def relay(self, frame: bytes, events: Sequence[StreamEvent]) -> bytes:
        return self._writer.relay(frame, events)

    def close(self) -> bytes:
        stop, out = self._stop, b""
        if stop is not None:
            self._stop = None
            reason = self._window.reason(stop.reason, self._usage)
            out = self._writer.write(evolve(stop, reason=reason, frame=None))
        return out + self._writer.close()

    def fail(self, fault: Fault, request_id: str) -> bytes:
        return self._writer.fail(fault, request_id)
