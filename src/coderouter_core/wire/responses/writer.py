"""Write events as a Responses stream."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from coderouter_core.model import Dialect, Fault, StreamEvent
from coderouter_core.wire import sse
from coderouter_core.wire.responses.answer import Answer
from coderouter_core.wire.responses.items import Step

PING = b": ping\n\n"

_NOTHING: Mapping[str, Any] = {}


class ResponsesWriter:
    """Numbers the steps of an answer. `created` is Unix time in seconds, `asked` the request's body."""

    dialect = Dialect.RESPONSES

    def __init__(self, *, created: int = 0, asked: Mapping[str, Any] = _NOTHING) -> None:
        self._answer = Answer(asked, created)
        self._number = 0
        self._ended = False

    def write(self, event: StreamEvent) -> bytes:
        if self._ended:
            return b""
        return PING if event.kind == "ping" else self._frames(self._answer.take(event))

    def relay(self, frame: bytes, events: Sequence[StreamEvent]) -> bytes:  # noqa: ARG002
        return b"".join([self.write(event) for event in events])

    def close(self) -> bytes:
        if self._ended:
            return b""
        self._ended = True
        return self._frames(self._answer.end())

    def fail(self, fault: Fault, request_id: str) -> bytes:  # noqa: ARG002
        self._ended = True
        return self._frames(self._answer.failed(fault))

    def _frames(self, steps: Iterable[Step]) -> bytes:
        out: list[bytes] = []
        for name, fields in steps:
            event = {"type": name, "sequence_number": self._number, **fields}
            out.append(sse.write(orjson.dumps(event), name))
            self._number += 1
        return b"".join(out)
