"""The codec of the Chat dialect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from coderouter_core.model import Dialect, Fault, StreamEvent
from coderouter_core.wire import faults
from coderouter_core.wire.chat import answer, errors
from coderouter_core.wire.chat.check import check
from coderouter_core.wire.chat.mending import mended
from coderouter_core.wire.chat.plain import plain
from coderouter_core.wire.chat.reader import ChatReader
from coderouter_core.wire.chat.relay import ChatRelay
from coderouter_core.wire.chat.writer import PING, ChatWriter
from coderouter_core.wire.codec import Plain


class ChatCodec:
    dialect = Dialect.CHAT
    ping = PING

    def check(self, body: Mapping[str, Any]) -> None:
        check(body)

    def reader(self) -> ChatReader:
        return ChatReader()

    def writer(
        self,
        *,
        include_usage: bool = True,
        created: int = 0,
        asked: Mapping[str, Any] | None = None,
    ) -> ChatWriter:
        return ChatWriter(include_usage=include_usage, created=created, legacy=answer.is_legacy(asked))

    def relay(self, *, hide_usage: bool = False) -> ChatRelay:
        return ChatRelay(hide_usage=hide_usage)

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
        created: int = 0,
        asked: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        return answer.fold(events, created=created, legacy=answer.is_legacy(asked))

    def fault(
        self, status: int, headers: Mapping[str, str], body: bytes, *, now: float | None = None
    ) -> Fault:
        return faults.read(status, headers, body, self.dialect, now=now)

    def error_body(self, fault: Fault, request_id: str) -> bytes:
        return errors.error_body(fault, request_id)

    def error_frames(self, fault: Fault, request_id: str) -> bytes:
        return errors.error_frames(fault, request_id)


CODEC = ChatCodec()
