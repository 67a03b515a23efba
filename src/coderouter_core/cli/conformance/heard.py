"""What a gateway answered, and what of it a client of each dialect reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import orjson
from attrs import define, field, frozen

from coderouter_core.cli.conformance.check import Failed
from coderouter_core.model import Dialect
from coderouter_core.wire.lenient import count, table
from coderouter_core.wire.sse import Framer, fields

#: A gateway's words are shown up to this many characters.
MOST_WORDS = 160


@define
class ToolUse:
    """A tool call as it arrived: `arguments` is JSON as text."""

    id: str = ""
    name: str = ""
    arguments: str = ""

    @property
    def decoded(self) -> Any:
        return orjson.loads(self.arguments or "{}")


@define
class Said:
    """An answer, whole or streamed, in one form. `stop` is in the dialect's own word, empty where none came;
    `error` is the message of an error that ended a stream. `prompt` holds the cached tokens."""

    id: str = ""
    model: str = ""
    text: str = ""
    thinking: str = ""
    calls: list[ToolUse] = field(factory=list)
    stop: str = ""
    error: str | None = None
    prompt: int = 0
    cached: int = 0
    output: int = 0


@frozen(eq=False)
class Heard:
    """One HTTP answer. Header names are lower case."""

    dialect: Dialect
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def streamed(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")

    @cached_property
    def body(self) -> Any:
        try:
            return orjson.loads(self.raw)
        except ValueError:
            raise Failed(f"answered {self.status} with a body that is not JSON: {self.words}") from None

    @cached_property
    def events(self) -> list[tuple[str, Any]]:
        """Name and data of each event of a stream; ``[DONE]`` stands as text."""
        framer = Framer()
        frames = framer.feed(self.raw)
        if framer.close():
            raise Failed("the stream does not end with a whole frame")
        told = [fields(frame) for frame in frames]
        return [(name, _decoded(data)) for name, data in told if data]

    @property
    def words(self) -> str:
        """The body, as far as it can be shown."""
        text = " ".join(self.raw.decode("utf-8", "replace").split())
        return text[:MOST_WORDS] + ("…" if len(text) > MOST_WORDS else "") or "nothing"

    @cached_property
    def said(self) -> Said:
        """The answer itself."""
        if self.streamed:
            return STREAMED[self.dialect](self.events)
        return WHOLE[self.dialect](self.body)


def _decoded(data: bytes) -> Any:
    if data.strip() == b"[DONE]":
        return "[DONE]"
    try:
        return orjson.loads(data)
    except ValueError:
        raise Failed(f"a frame of the stream is not JSON: {data[:MOST_WORDS]!r}") from None


def _messages(body: Any) -> Said:
    said = Said(id=body["id"], model=body["model"], stop=body.get("stop_reason") or "")
    for block in body["content"]:
        if block["type"] == "text":
            said.text += block["text"]
        elif block["type"] == "thinking":
            said.thinking += block["thinking"]
        elif block["type"] == "tool_use":
            said.calls.append(ToolUse(block["id"], block["name"], orjson.dumps(block["input"]).decode()))
    _messages_usage(said, table(body.get("usage")))
    return said


def _messages_usage(said: Said, usage: Any) -> None:
    cached = count(usage.get("cache_read_input_tokens"))
    whole = count(usage.get("input_tokens")) + count(usage.get("cache_creation_input_tokens")) + cached
    said.prompt, said.cached = max(said.prompt, whole), max(said.cached, cached)
    said.output = max(said.output, count(usage.get("output_tokens")))


def _messages_stream(events: list[tuple[str, Any]]) -> Said:
    said = Said()
    for _, event in events:
        kind = event["type"]
        if kind == "message_start":
            said.id, said.model = event["message"]["id"], event["message"]["model"]
            _messages_usage(said, table(event["message"].get("usage")))
        elif kind == "content_block_start" and event["content_block"]["type"] == "tool_use":
            said.calls.append(ToolUse(event["content_block"]["id"], event["content_block"]["name"]))
        elif kind == "content_block_delta":
            delta = event["delta"]
            said.text += delta.get("text", "")
            said.thinking += delta.get("thinking", "")
            if "partial_json" in delta:
                said.calls[-1].arguments += delta["partial_json"]
        elif kind == "message_delta":
            said.stop = event["delta"].get("stop_reason") or said.stop
            _messages_usage(said, table(event.get("usage")))
        elif kind == "error":
            said.error = str(event["error"]["message"])
    return said


def _chat(body: Any) -> Said:
    choice = body["choices"][0]
    said = Said(id=body["id"], model=body["model"], stop=choice.get("finish_reason") or "")
    _chat_delta(said, choice["message"])
    _chat_usage(said, table(body.get("usage")))
    return said


def _chat_delta(said: Said, delta: Any) -> None:
    said.text += delta.get("content") or ""
    said.thinking += delta.get("reasoning_content") or delta.get("reasoning") or ""
    for at, piece in enumerate(delta.get("tool_calls") or ()):
        index = piece.get("index", at)
        while len(said.calls) <= index:
            said.calls.append(ToolUse())
        call, function = said.calls[index], table(piece.get("function"))
        call.id, call.name = piece.get("id") or call.id, function.get("name") or call.name
        call.arguments += function.get("arguments") or ""


def _chat_usage(said: Said, usage: Mapping[str, Any]) -> None:
    said.prompt = max(said.prompt, count(usage.get("prompt_tokens")))
    said.cached = max(said.cached, count(table(usage.get("prompt_tokens_details")).get("cached_tokens")))
    said.output = max(said.output, count(usage.get("completion_tokens")))


def _chat_stream(events: list[tuple[str, Any]]) -> Said:
    said = Said()
    for _, chunk in events:
        if chunk == "[DONE]":
            continue
        if chunk.get("error"):
            said.error = str(chunk["error"]["message"])
            continue
        said.id, said.model = chunk.get("id") or said.id, chunk.get("model") or said.model
        _chat_usage(said, table(chunk.get("usage")))
        for choice in chunk["choices"][:1]:
            _chat_delta(said, table(choice.get("delta")))
            said.stop = choice.get("finish_reason") or said.stop
    return said


def _responses(body: Any) -> Said:
    said = Said(id=body["id"], model=body["model"], stop=body["status"])
    for item in body["output"]:
        if item["type"] == "message":
            said.text += "".join(part.get("text", "") for part in item["content"])
        elif item["type"] == "function_call":
            said.calls.append(ToolUse(item["call_id"], item["name"], item["arguments"]))
        elif item["type"] == "reasoning":
            parts = [*(item.get("content") or ()), *(item.get("summary") or ())]
            said.thinking += "".join(part.get("text", "") for part in parts)
    usage = table(body.get("usage"))
    said.prompt, said.output = count(usage.get("input_tokens")), count(usage.get("output_tokens"))
    said.cached = count(table(usage.get("input_tokens_details")).get("cached_tokens"))
    if body.get("error"):
        said.error = str(body["error"]["message"])
    return said


def _responses_stream(events: list[tuple[str, Any]]) -> Said:
    said = Said()
    text = ""
    for _, event in events:
        kind = event["type"] if isinstance(event, dict) else ""
        if kind == "response.output_text.delta":
            text += event["delta"]
        elif kind in ("response.completed", "response.incomplete", "response.failed"):
            said = _responses(event["response"])
        elif kind == "error":
            said.error = str(event.get("message") or table(event.get("error")).get("message"))
    # A response that failed may hold nothing of what it said before.
    said.text = said.text or text
    return said


WHOLE: Mapping[Dialect, Callable[[Any], Said]] = {
    Dialect.MESSAGES: _messages,
    Dialect.CHAT: _chat,
    Dialect.RESPONSES: _responses,
}
STREAMED: Mapping[Dialect, Callable[[list[tuple[str, Any]]], Said]] = {
    Dialect.MESSAGES: _messages_stream,
    Dialect.CHAT: _chat_stream,
    Dialect.RESPONSES: _responses_stream,
}
