"""OpenAI's legacy completions, of which the router knows one dialect: passed on, never translated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from coderouter_core.model import Dialect, Fault, StreamEvent, Usage
from coderouter_core.model.usage import NOTHING
from coderouter_core.wire import checking, sse
from coderouter_core.wire.chat import answer
from coderouter_core.wire.chat.codec import ChatCodec
from coderouter_core.wire.chat.errors import DONE, error_frames
from coderouter_core.wire.chat.reader import ChatReader
from coderouter_core.wire.chat.relay import ChatRelay
from coderouter_core.wire.chat.usage import written
from coderouter_core.wire.codec import Plain
from coderouter_core.wire.lenient import string
from coderouter_core.wire.reasons import FAILURES, finish_reason

OBJECT = "text_completion"


class CompletionsCodec(ChatCodec):
    """Errors, keep-alive and usage are those of chat; an answer's ``choices`` hold `text` where chat has messages."""

    def check(self, body: Mapping[str, Any]) -> None:
        text_or_tokens(body, "prompt")
        checking.kind(body, "model", str, what="a string")
        checking.kind(body, "stream", bool, what="true or false")
        checking.kind(body, "stream_options", dict, what="an object")
        for key in ("max_tokens", "n", "best_of"):
            checking.positive(body, key)

    def reader(self) -> CompletionsReader:
        return CompletionsReader()

    def writer(  # type: ignore[override]
        self,
        *,
        include_usage: bool = True,
        created: int = 0,
        asked: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> CompletionsWriter:
        return CompletionsWriter(include_usage=include_usage, created=created)

    def relay(self, *, hide_usage: bool = False) -> CompletionsRelay:
        return CompletionsRelay(hide_usage=hide_usage)

    def plain(self, body: Mapping[str, Any]) -> Plain | None:  # noqa: ARG002
        return None

    def events(self, body: Mapping[str, Any]) -> Sequence[StreamEvent]:
        return CompletionsReader().whole(dict(body))

    def fold(
        self,
        events: Iterable[StreamEvent],
        *,
        created: int = 0,
        asked: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> dict[str, Any]:
        folded = answer.fold(events, created=created)
        (choice,) = folded["choices"]
        told = {"text": choice["message"]["content"] or "", "finish_reason": choice["finish_reason"]}
        return {**folded, "object": OBJECT, "choices": [{"index": 0, "logprobs": None, **told}]}


def text_or_tokens(body: Mapping[str, Any], key: str) -> None:
    """A field that holds a text, several, the numbers of a text's tokens, or several lists of such."""
    value = body.get(key)
    what = "a string, a list of strings, or token numbers"
    if value is None:
        raise checking.refusal(key, f"must be {what}; it is missing")
    if isinstance(value, str):
        return
    if not isinstance(value, list):
        raise checking.refusal(key, f"must be {what}, not {checking.named(value)}")
    if not value:
        raise checking.refusal(key, "must hold at least one text")
    for at, item in enumerate(value):
        if type(item) not in (str, int, list):
            raise checking.refusal(
                f"{key}.{at}", f"must be a string or token numbers, not {checking.named(item)}"
            )


class CompletionsReader(ChatReader):
    """Reads the first choice; its text stands for what a chat chunk says."""

    def _chunk(self, chunk: dict[str, Any], frame: bytes | None) -> list[StreamEvent]:
        choices = chunk.get("choices") or []
        if isinstance(choices, list):
            said = [
                {**choice, "delta": {"content": choice.get("text")}}
                for choice in choices
                if isinstance(choice, dict)
            ]
            chunk = {**chunk, "choices": said}
        return super()._chunk(chunk, frame)


class CompletionsRelay(ChatRelay):
    """An answer may be nothing but its finish reason: there is nothing to fill in where a text is complete."""

    def _choice(self, choice: dict[str, Any]) -> None:
        super()._choice({**choice, "delta": {"content": choice.get("text")}})
        finish = string(choice.get("finish_reason"))
        self.content = self.content or bool(finish and finish not in FAILURES)


class CompletionsWriter:
    """Writes a whole answer as a stream, for a client that asked for one from a server that does not."""

    dialect = Dialect.CHAT

    def __init__(self, *, include_usage: bool, created: int) -> None:
        self._include_usage = include_usage
        self._base: dict[str, Any] = {"id": "", "object": OBJECT, "created": created, "model": ""}
        self._usage: Usage = NOTHING

    def write(self, event: StreamEvent) -> bytes:
        if event.usage.reported:
            self._usage = event.usage
        if event.kind == "start":
            self._base |= {"id": event.id, "model": event.model}
        elif event.kind == "delta" and event.block == "text" and event.text:
            return self._choice(event.text, None)
        elif event.kind == "stop":
            return self._choice("", finish_reason(event.reason, called=False))
        return b""

    def relay(self, frame: bytes, events: Sequence[StreamEvent]) -> bytes:  # noqa: ARG002
        return frame

    def close(self) -> bytes:
        if not (self._include_usage and self._usage.reported):
            return DONE
        return self._frame(choices=[], usage=written(self._usage)) + DONE

    def fail(self, fault: Fault, request_id: str) -> bytes:
        return error_frames(fault, request_id)

    def _choice(self, text: str, finish: str | None) -> bytes:
        return self._frame(choices=[{"index": 0, "text": text, "logprobs": None, "finish_reason": finish}])

    def _frame(self, **more: Any) -> bytes:
        return sse.write(orjson.dumps({**self._base, **more}))


CODEC = CompletionsCodec()
