"""How a scripted upstream answers in the chat dialect."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from coderouter_core.testing.frames import Frame, arguments_text, dump, pieces
from coderouter_core.testing.steps import Quirk, Reply, ToolCall

#: The keep-alive of servers that speak this dialect.
PING = b": keep-alive\n\n"
DONE = Frame("[DONE]")

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def body(reply: Reply, asked: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A whole answer."""
    message: dict[str, Any] = {"role": "assistant", "content": _content(reply, reply.text or None)}
    if reply.thinking:
        message[_thinking_key(reply)] = reply.thinking
    if reply.calls:
        message["tool_calls"] = [
            _call(reply, call, at, number, _arguments(reply, call)) for at, call in enumerate(reply.calls)
        ]
    answer = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": asked.get("model", ""),
        "choices": [{"index": 0, "message": message, "finish_reason": finish(reply)}],
    }
    return answer if Quirk.NO_USAGE in reply.quirks else {**answer, "usage": usage(reply)}


def frames(reply: Reply, asked: Mapping[str, Any], number: int) -> Iterator[Frame]:
    """A streamed answer."""
    base = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": asked.get("model", ""),
    }
    deltas = [*_text_deltas(reply), *_call_deltas(reply, number)]
    for delta in deltas:
        yield Frame(dump({**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}))
    if Quirk.NO_FINISH not in reply.quirks:
        last = {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": finish(reply)}]}
        yield Frame(dump({**last, "usage": usage(reply)} if Quirk.USAGE_ON_FINISH in reply.quirks else last))
    if usage_chunk_due(reply, asked):
        yield Frame(dump({**base, "choices": [], "usage": usage(reply)}))
    if Quirk.NO_DONE not in reply.quirks:
        yield DONE


def usage(reply: Reply) -> dict[str, Any]:
    told = reply.usage
    return {
        "prompt_tokens": told.prompt,
        "completion_tokens": told.output,
        "total_tokens": told.prompt + told.output,
        "prompt_tokens_details": {
            "cached_tokens": told.cache_read,
            **({"cache_write_tokens": told.cache_write} if told.cache_write else {}),
        },
        "completion_tokens_details": {"reasoning_tokens": told.reasoning},
    }


def usage_chunk_due(reply: Reply, asked: Mapping[str, Any]) -> bool:
    if reply.quirks & {Quirk.NO_USAGE, Quirk.USAGE_ON_FINISH}:
        return False
    options = asked.get("stream_options") or {}
    return Quirk.UNASKED_USAGE in reply.quirks or options.get("include_usage") is True


def _text_deltas(reply: Reply) -> Iterator[dict[str, Any]]:
    if Quirk.NO_ROLE not in reply.quirks:
        yield {"role": "assistant", "content": None if Quirk.NULL_CONTENT in reply.quirks else ""}
    if reply.thinking:
        for piece in pieces(reply.thinking, reply.chunk):
            yield {_thinking_key(reply): piece}
    if reply.text:
        for piece in pieces(reply.text, reply.chunk):
            yield {"content": _content(reply, piece)}


def _call_deltas(reply: Reply, number: int) -> Iterator[dict[str, Any]]:
    calls = [list(_call_pieces(reply, call, at, number)) for at, call in enumerate(reply.calls)]
    if Quirk.INTERLEAVED in reply.quirks:
        together = itertools.zip_longest(*calls)
        pieces_in_order = [piece for turn in together for piece in turn if piece is not None]
    else:
        pieces_in_order = [piece for call in calls for piece in call]
    for piece in pieces_in_order:
        yield {"tool_calls": [piece]}


def _call_pieces(reply: Reply, call: ToolCall, at: int, number: int) -> Iterator[dict[str, Any]]:
    if reply.quirks & {Quirk.WHOLE_ARGS, Quirk.SAME_INDEX, Quirk.NO_INDEX, Quirk.ARGS_OBJECT}:
        yield _call(reply, call, at, number, _arguments(reply, call))
        return
    first = _call(reply, call, at, number, "")
    yield first
    for piece in pieces(arguments_text(call.arguments), reply.chunk):
        if Quirk.REPEAT_ID in reply.quirks:
            yield {**first, "function": {"name": call.name, "arguments": piece}}
        else:
            yield {"index": at, "function": {"arguments": piece}}


def _call(reply: Reply, call: ToolCall, at: int, number: int, arguments: Any) -> dict[str, Any]:
    piece: dict[str, Any] = {"type": "function", "function": {"name": call.name, "arguments": arguments}}
    if Quirk.NO_INDEX not in reply.quirks:
        piece["index"] = 0 if Quirk.SAME_INDEX in reply.quirks else at
    if Quirk.NO_TOOL_ID not in reply.quirks:
        piece["id"] = call.id or f"call_{number}_{at}"
    return piece


def _arguments(reply: Reply, call: ToolCall) -> Any:
    if Quirk.ARGS_OBJECT not in reply.quirks:
        return arguments_text(call.arguments)
    return json.loads(call.arguments) if isinstance(call.arguments, str) else dict(call.arguments)


def _content(reply: Reply, text: str | None) -> Any:
    if Quirk.CONTENT_PARTS in reply.quirks and text:
        return [{"type": "text", "text": text}]
    return text


def _thinking_key(reply: Reply) -> str:
    return "reasoning" if Quirk.REASONING in reply.quirks else "reasoning_content"


def finish(reply: Reply) -> str | None:
    if Quirk.NO_FINISH in reply.quirks:
        return None
    if reply.stop:
        return _FINISH.get(reply.stop, reply.stop)
    return "tool_calls" if reply.calls and Quirk.TOOL_FINISH_STOP not in reply.quirks else "stop"
