"""Whole Chat Completions answers: as events, and made of events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from coderouter_core.model import StreamEvent, Usage
from coderouter_core.model.usage import NOTHING
from coderouter_core.wire.chat.reader import ChatReader
from coderouter_core.wire.chat.usage import written
from coderouter_core.wire.ids import completion_id
from coderouter_core.wire.reasons import finish_reason


def events(body: Mapping[str, Any]) -> list[StreamEvent]:
    """The events of a whole answer."""
    return ChatReader().whole(dict(body))


def is_legacy(asked: Mapping[str, Any] | None) -> bool:
    """Whether a request declared functions as OpenAI had them before tools."""
    return asked is not None and bool(asked.get("functions")) and not asked.get("tools")


def fold(events: Iterable[StreamEvent], *, created: int = 0, legacy: bool = False) -> dict[str, Any]:
    """A whole answer from the events of one. `created` is Unix time in seconds; `legacy`: its first call is a
    ``function_call``, for which the client waits."""
    identity = model = ""
    reason = "end_turn"
    usage: Usage = NOTHING
    text: list[str] = []
    reasoning: list[str] = []
    calls: list[dict[str, Any]] = []
    arguments: list[str] = []
    for event in events:
        usage = event.usage if event.usage.reported else usage
        if event.kind == "start":
            identity, model = event.id, event.model
        elif event.kind == "stop":
            reason = event.reason
        elif event.kind == "block_start" and event.block == "tool_call":
            arguments = []
            calls.append({"id": event.id, "type": "function", "name": event.name, "pieces": arguments})
        elif event.kind == "delta":
            {"text": text, "thinking": reasoning, "tool_call": arguments}[event.block].append(event.text)
    message: dict[str, Any] = {"role": "assistant", "content": "".join(text) or None, "refusal": None}
    if reasoning:
        message["reasoning_content"] = "".join(reasoning)
    if calls and legacy:
        message["function_call"] = _call(calls[0])["function"]
    elif calls:
        message["tool_calls"] = [_call(call) for call in calls]
    elif message["content"] is None:
        message["content"] = ""
    finish = finish_reason(reason, called=bool(calls))
    if legacy and finish == "tool_calls":
        finish = "function_call"
    return {
        "id": completion_id(identity),
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": written(usage),
    }


def _call(call: dict[str, Any]) -> dict[str, Any]:
    """Clients parse arguments as JSON: none at all is an empty object."""
    text = "".join(call["pieces"])
    return {
        "id": call["id"],
        "type": call["type"],
        "function": {"name": call["name"], "arguments": text if text.strip() else "{}"},
    }
