"""The client's side of the Responses dialect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from coderouter_core.model import Dialect, Fault, StreamEvent
from coderouter_core.wire.responses import errors
from coderouter_core.wire.responses.answer import fold
from coderouter_core.wire.responses.check import check
from coderouter_core.wire.responses.writer import PING, ResponsesWriter


class ResponsesCodec:
    dialect = Dialect.RESPONSES
    ping = PING

    def check(self, body: Mapping[str, Any]) -> None:
        check(body)

    def writer(
        self,
        *,
        include_usage: bool = True,  # noqa: ARG002
        created: int = 0,
        asked: Mapping[str, Any] | None = None,
    ) -> ResponsesWriter:
        return ResponsesWriter(created=created, asked=asked or {})

    def fold(
        self, events: Iterable[StreamEvent], *, created: int = 0, asked: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        return fold(events, created=created, asked=asked or {})

    def error_body(self, fault: Fault, request_id: str) -> bytes:
        return errors.error_body(fault, request_id)

    def error_frames(self, fault: Fault, request_id: str) -> bytes:
        return ResponsesWriter().fail(fault, request_id)


CODEC = ResponsesCodec()
