"""The codec of the Messages dialect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from coderouter_core.model import Dialect, Fault, StreamEvent
from coderouter_core.wire import faults
from coderouter_core.wire.codec import Plain
from coderouter_core.wire.messages import answer, errors
from coderouter_core.wire.messages.check import check
from coderouter_core.wire.messages.mending import mended
from coderouter_core.wire.messages.plain import plain
from coderouter_core.wire.messages.reader import MessagesReader
from coderouter_core.wire.messages.relay import MessagesRelay
from coderouter_core.wire.messages.writer import PING, MessagesWriter


class MessagesCodec:
    """Its streams always tell usage, nothing in it is dated and no answer repeats its request: the options for that have no use here."""

    dialect = Dialect.MESSAGES
    ping = PING

    def check(self, body: Mapping[str, Any]) -> None:
        check(body)

    def reader(self) -> MessagesReader:
        return MessagesReader()

    def writer(
        self,
        *,
        include_usage: bool = True,  # noqa: ARG002
        created: int = 0,  # noqa: ARG002
        asked: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> MessagesWriter:
        return MessagesWriter()

    def relay(self, *, hide_usage: bool = False) -> MessagesRelay:  # noqa: ARG002
        return MessagesRelay()

    def mended(self, body: Mapping[str, Any]) -> dict[str, Any] | None:
        return mended(body)

    def plain(self, body: Mapping[str, Any]) -> Plain | None:
        return plain(body)

    def events(self, body: Mapping[str, Any]) -> Sequence[StreamEvent]:
        return answer.events(body)

    def fold(
        self,
        events: Iterable[StreamEvent],
        *,
        created: int = 0,  # noqa: ARG002
        asked: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> dict[str, Any]:
        return answer.fold(events)

    def fault(
        self, status: int, headers: Mapping[str, str], body: bytes, *, now: float | None = None
    ) -> Fault:
        return faults.read(status, headers, body, self.dialect, now=now)

    def error_body(self, fault: Fault, request_id: str) -> bytes:
        return errors.error_body(fault, request_id)

    def error_frames(self, fault: Fault, request_id: str) -> bytes:
        return errors.error_frames(fault, request_id)


CODEC = MessagesCodec()
