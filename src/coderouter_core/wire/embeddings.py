"""OpenAI's embeddings: passed on as they are, never translated, never streamed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coderouter_core.model import Dialect, StreamEvent
from coderouter_core.wire import checking, faults
from coderouter_core.wire.chat.codec import ChatCodec
from coderouter_core.wire.chat.deltas import said_error
from coderouter_core.wire.chat.reader import ChatReader
from coderouter_core.wire.chat.usage import Tally
from coderouter_core.wire.codec import Plain
from coderouter_core.wire.completions import text_or_tokens
from coderouter_core.wire.lenient import table


class EmbeddingsCodec(ChatCodec):
    """Errors and usage are those of chat. How numbers are encoded, and how many there are, is not looked at."""

    def check(self, body: Mapping[str, Any]) -> None:
        text_or_tokens(body, "input")
        checking.kind(body, "model", str, what="a string")

    def reader(self) -> EmbeddingsReader:
        return EmbeddingsReader()

    def plain(self, body: Mapping[str, Any]) -> Plain | None:  # noqa: ARG002
        return None

    def events(self, body: Mapping[str, Any]) -> Sequence[StreamEvent]:
        if said_error(dict(body), b""):
            return [StreamEvent("error", fault=faults.of_json(body, Dialect.CHAT))]
        if not isinstance(body.get("data"), list):
            return [StreamEvent("error", fault=faults.garbage("the upstream's answer holds no embeddings"))]
        usage = table(body.get("usage"))
        if not usage.get("prompt_tokens"):
            # Nothing is written but vectors: the total is what was read.
            usage = {**usage, "prompt_tokens": usage.get("total_tokens")}
        told = [StreamEvent("usage", usage=Tally().add(usage))] if usage["prompt_tokens"] else []
        return [*told, StreamEvent("stop", reason="end_turn")]


class EmbeddingsReader(ChatReader):
    """For a server that streams although an embedding is one piece: nothing it says is an answer."""

    def read(self, frame: bytes) -> Sequence[StreamEvent]:  # noqa: ARG002
        return self._error(faults.garbage("the upstream streams where embeddings were asked for"), None)


CODEC = EmbeddingsCodec()
