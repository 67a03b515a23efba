"""What is wrong with a stream, by the grammar of its dialect; for tests of anything that writes one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from coderouter_core.model import Dialect
from coderouter_core.wire.lenient import table
from coderouter_core.wire.sse import Framer, fields

Problems = Iterator[str]

_ENDS = ("message_stop", "error")
_DELTAS = {
    "text": ("text_delta", "citations_delta"),
    "thinking": ("thinking_delta", "signature_delta"),
    "tool_use": ("input_json_delta",),
}


def problems(dialect: Dialect, stream: bytes) -> list[str]:
    """Everything in `stream` that a client of `dialect` could stumble over; empty for a correct one.

    A stream may end well or with an error, but must end.
    """
    framer = Framer()
    frames = framer.feed(stream)
    if framer.close():
        return ["the stream does not end with a whole frame"]
    pairs = [fields(frame) for frame in frames]
    found = _messages if dialect is Dialect.MESSAGES else _chat
    return list(found([(event, data) for event, data in pairs if data]))


def _messages(frames: list[tuple[str, bytes]]) -> Problems:
    events: list[dict[str, Any]] = []
    for name, data in frames:
        event = table(orjson.loads(data))
        if event.get("type") != name:
            yield f"a frame is called {name!r} and holds {event.get('type')!r}"
        if name != "ping":
            events.append(event)
    kinds = [str(event.get("type")) for event in events]
    if not kinds or kinds[-1] not in _ENDS:
        yield "the stream does not end with message_stop or error"
    if any(kind in _ENDS for kind in kinds[:-1]):
        yield "something follows the end"
    if kinds[:1] not in (["message_start"], ["error"]):
        yield "the first event is not message_start"
    if kinds.count("message_start") > 1:
        yield "message_start comes twice"
    deltas = kinds.count("message_delta")
    if deltas > 1 or (deltas == 0 and kinds[-1:] == ["message_stop"]):
        yield f"message_delta comes {deltas} times"
    if deltas and kinds[kinds.index("message_delta") + 1 :] not in (["message_stop"], ["error"]):
        yield "message_delta is not the last event but one"
    yield from _blocks(events)


def _blocks(events: list[dict[str, Any]]) -> Problems:
    """Blocks are numbered from 0, do not overlap, and hold deltas of their own kind, at least one."""
    kind: str | None = None
    at, deltas = -1, 0
    for event in events:
        name, index = event.get("type"), event.get("index")
        if name == "content_block_start":
            if kind is not None:
                yield f"block {index} starts inside block {at}"
            at += 1
            kind, deltas = str(table(event.get("content_block")).get("type")), 0
            yield from _start(table(event.get("content_block")))
        elif name in ("content_block_delta", "content_block_stop") and kind is None:
            yield f"{name} without a block"
        elif name == "content_block_delta":
            deltas += 1
            if not _fits(str(kind), str(table(event.get("delta")).get("type"))):
                yield f"a {table(event.get('delta')).get('type')} in a block of {kind}"
        elif name == "content_block_stop":
            if not deltas and kind in _DELTAS:
                yield f"block {index} has no delta"
            kind = None
        elif name in ("message_delta", "message_stop") and kind is not None:
            yield f"{name} inside block {at}"
        if str(name).startswith("content_block_") and index != at:
            yield f"{name} has index {index}, not {at}"


def _start(block: dict[str, Any]) -> Problems:
    if block.get("type") == "tool_use" and not (block.get("id") and block.get("name")):
        yield "a tool_use block lacks its id or name"


def _fits(block: str, delta: str) -> bool:
    return block not in _DELTAS or delta in _DELTAS[block]


def _chat(frames: list[tuple[str, bytes]]) -> Problems:
    if not frames or frames[-1][1] != b"[DONE]":
        yield "the stream does not end with [DONE]"
    chunks = [table(orjson.loads(data)) for _, data in frames if data != b"[DONE]"]
    if len(chunks) < len(frames) - 1:
        yield "[DONE] is not the last frame"
    failed = [bool(chunk.get("error")) for chunk in chunks]
    if any(failed[:-1]):
        yield "something follows the error"
    if any(failed):
        chunks = chunks[:-1]
    if len({chunk.get("id") for chunk in chunks}) > 1:
        yield "the chunks differ in id"
    if any(chunk.get("object") != "chat.completion.chunk" for chunk in chunks):
        yield "a chunk is not called chat.completion.chunk"
    yield from _choices(chunks, finished=not any(failed))


def _choices(chunks: list[dict[str, Any]], *, finished: bool) -> Problems:
    """The role, deltas, one finish reason, then at most the usage."""
    choices = [chunk["choices"][0] for chunk in chunks if chunk.get("choices")]
    bare = [not chunk.get("choices") for chunk in chunks]
    if any(bare[:-1]) or sum(bare) > 1:
        yield "a chunk without choices is not the last one"
    if any(bare) and not chunks[-1].get("usage"):
        yield "a chunk has neither choices nor usage"
    if choices and table(choices[0].get("delta")).get("role") != "assistant":
        yield "the first delta has no role"
    finishes = [choice.get("finish_reason") is not None for choice in choices]
    if finished and finishes.count(True) != 1:
        yield f"{finishes.count(True)} finish reasons"
    if any(finishes[:-1]):
        yield "a delta follows the finish reason"
    known: set[int] = set()
    for choice in choices:
        for call in table(choice.get("delta")).get("tool_calls") or ():
            yield from _call(call, known)


def _call(call: dict[str, Any], known: set[int]) -> Problems:
    index = call.get("index")
    if not isinstance(index, int) or index > len(known):
        yield f"a tool call has index {index}"
        return
    if index not in known and not (call.get("id") and table(call.get("function")).get("name")):
        yield f"tool call {index} begins without id or name"
    if index in known and index != len(known) - 1:
        yield f"tool call {index} goes on after {len(known) - 1} began"
    known.add(index)
