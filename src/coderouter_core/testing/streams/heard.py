"""What a client makes of a stream, put together as the vendors' SDKs do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from attrs import define, field

from coderouter_core.model import Dialect
from coderouter_core.wire.sse import Framer, payload

Event = dict[str, Any]


@define
class Call:
    id: str
    name: str
    arguments: str = ""


@define
class Heard:
    """One choice as its client has it when the stream ends. `failed`: the stream ended with an error."""

    thinking: str = ""
    text: str = ""
    calls: list[Call] = field(factory=list)
    reason: str = ""
    usage: Event | None = None
    failed: bool = False


def heard(dialect: Dialect, stream: bytes) -> list[Heard]:
    """What a client of `dialect` has, by choice."""
    events = [payload(frame) for frame in Framer().feed(stream)]
    decoded = [orjson.loads(data) for data in events if data and data != b"[DONE]"]
    return _READ[dialect](decoded)


def _messages(events: list[Event]) -> list[Heard]:
    answer = Heard()
    blocks: dict[int, Event] = {}
    for event in events:
        kind = event["type"]
        if kind == "message_start":
            answer.usage = dict(event["message"]["usage"])
        elif kind == "content_block_start":
            blocks[event["index"]] = {**event["content_block"], "json": ""}
        elif kind == "content_block_delta":
            block, delta = blocks[event["index"]], event["delta"]
            for name, key in (("text", "text"), ("thinking", "thinking"), ("partial_json", "json")):
                if name in delta:
                    block[key] += delta[name]
        elif kind == "message_delta":
            answer.reason = event["delta"]["stop_reason"]
            answer.usage = {**(answer.usage or {}), **event["usage"]}
        answer.failed = kind == "error"
    for block in blocks.values():
        if block["type"] == "tool_use":
            said = block["json"] or orjson.dumps(block["input"]).decode()
            answer.calls.append(Call(block["id"], block["name"], said))
        answer.text += block["text"] if block["type"] == "text" else ""
        answer.thinking += block["thinking"] if block["type"] == "thinking" else ""
    return [answer]


def _chat(chunks: list[Event]) -> list[Heard]:
    answers: dict[int, Heard] = {}
    usage, failed = None, False
    for chunk in chunks:
        failed = failed or "error" in chunk
        usage = chunk.get("usage") or usage
        for choice in chunk.get("choices", ()):
            answer = answers.setdefault(choice["index"], Heard())
            answer.reason = choice["finish_reason"] or answer.reason
            delta = choice["delta"]
            answer.text += delta.get("content") or ""
            answer.thinking += _reasoning(delta)
            for entry in delta.get("tool_calls") or ():
                if entry["index"] == len(answer.calls):
                    answer.calls.append(Call("", ""))
                call, function = answer.calls[entry["index"]], entry["function"]
                call.id += entry.get("id") or ""
                call.name += function.get("name") or ""
                call.arguments += function.get("arguments") or ""
    found = [answers[index] for index in sorted(answers)] or [Heard()]
    for answer in found:
        answer.usage, answer.failed = usage, failed
    return found


def _reasoning(delta: Event) -> str:
    said = delta.get("reasoning_content") or delta.get("reasoning")
    if said:
        return str(said)
    return "".join(part.get("text", "") for part in delta.get("reasoning_details") or ())


def _responses(events: list[Event]) -> list[Heard]:
    answer = Heard()
    last = events[-1]["response"] if events else {}
    answer.failed = last.get("status") == "failed"
    answer.reason = (last.get("incomplete_details") or {}).get("reason") or ""
    answer.usage = last.get("usage")
    for item in last.get("output", ()):
        if item["type"] == "message":
            answer.text += "".join(part["text"] for part in item["content"])
        elif item["type"] == "reasoning":
            answer.thinking += "".join(part["text"] for part in item["summary"])
        elif item["type"] == "function_call":
            answer.calls.append(Call(item["call_id"], item["name"], item["arguments"]))
    return [answer]


_READ: dict[Dialect, Callable[[list[Event]], list[Heard]]] = {
    Dialect.MESSAGES: _messages,
    Dialect.CHAT: _chat,
    Dialect.RESPONSES: _responses,
}
