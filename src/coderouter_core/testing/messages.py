"""How a scripted upstream answers in the messages dialect."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from coderouter_core.testing.frames import Frame, arguments_text, dump, pieces
from coderouter_core.testing.steps import Quirk, Reply, ToolCall

PING_FRAME = Frame('{"type":"ping"}', "ping")
#: The keep-alive of servers that speak this dialect.
PING = PING_FRAME.encode(frozenset())

#: What a thinking block is signed with; any opaque text does.
SIGNATURE = "c2lnbmVkLWJ5LWEtc2NyaXB0"


def error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_scripted"}


def body(reply: Reply, asked: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A whole answer."""
    return {
        **_message(asked, number),
        "content": list(_blocks(reply, number)),
        "stop_reason": _stop_reason(reply),
        **({} if Quirk.NO_USAGE in reply.quirks else {"usage": _usage(reply, reply.usage.output)}),
    }


def frames(reply: Reply, asked: Mapping[str, Any], number: int) -> Iterator[Frame]:
    """A streamed answer."""
    told = {} if Quirk.NO_USAGE in reply.quirks else {"usage": _usage(reply, 1)}
    yield _event("message_start", message={**_message(asked, number), "content": [], **told})
    for index, block in enumerate(_blocks(reply, number)):
        yield from _block_frames(reply, index, block)
        if index == 0:
            yield PING_FRAME
    if Quirk.NO_FINISH not in reply.quirks:
        final = {} if Quirk.NO_USAGE in reply.quirks else {"usage": {"output_tokens": reply.usage.output}}
        stop = {"stop_reason": _stop_reason(reply), "stop_sequence": None}
        yield _event("message_delta", delta=stop, **final)
    if Quirk.NO_DONE not in reply.quirks:
        yield _event("message_stop")


def _event(kind: str, **fields: Any) -> Frame:
    return Frame(dump({"type": kind, **fields}), kind)


def _message(asked: Mapping[str, Any], number: int) -> dict[str, Any]:
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": asked.get("model", ""),
        "stop_reason": None,
        "stop_sequence": None,
    }


def _usage(reply: Reply, output: int) -> dict[str, Any]:
    told = reply.usage
    return {
        "input_tokens": told.input,
        "cache_read_input_tokens": told.cache_read,
        "cache_creation_input_tokens": told.cache_write,
        "cache_creation": {
            "ephemeral_5m_input_tokens": told.cache_write_5m,
            "ephemeral_1h_input_tokens": told.cache_write_1h,
        },
        "output_tokens": output,
    }


def _blocks(reply: Reply, number: int) -> Iterator[dict[str, Any]]:
    if reply.thinking:
        yield {"type": "thinking", "thinking": reply.thinking, "signature": SIGNATURE}
    if reply.text:
        yield {"type": "text", "text": reply.text}
    for at, call in enumerate(reply.calls):
        yield {
            "type": "tool_use",
            "id": call.id or f"toolu_{number}_{at}",
            "name": call.name,
            "input": _input(call),
        }


def _input(call: ToolCall) -> Any:
    """A block's `input` is JSON, so arguments that are not stand there as a string."""
    if not isinstance(call.arguments, str):
        return dict(call.arguments)
    try:
        return json.loads(call.arguments or "{}")
    except ValueError:
        return call.arguments


def _block_frames(reply: Reply, index: int, block: Mapping[str, Any]) -> Iterator[Frame]:
    opened, deltas = _OPENED[block["type"]](reply, block)
    yield _event("content_block_start", index=index, content_block=opened)
    for delta in deltas:
        yield _event("content_block_delta", index=index, delta=delta)
    yield _event("content_block_stop", index=index)


def _text(reply: Reply, block: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    told = pieces(block["text"], reply.chunk)
    return {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in told]


def _thinking(reply: Reply, block: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    told = pieces(block["thinking"], reply.chunk)
    signed = {"type": "signature_delta", "signature": block["signature"]}
    deltas = [{"type": "thinking_delta", "thinking": piece} for piece in told]
    return {"type": "thinking", "thinking": "", "signature": ""}, [*deltas, signed]


def _tool_use(reply: Reply, block: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    text = arguments_text(block["input"])
    told = [text] if Quirk.WHOLE_ARGS in reply.quirks else ["", *pieces(text, reply.chunk)]
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in told]
    return {**block, "input": {}}, deltas


_OPENED = {"text": _text, "thinking": _thinking, "tool_use": _tool_use}


def _stop_reason(reply: Reply) -> str:
    return reply.stop or ("tool_use" if reply.calls else "end_turn")
