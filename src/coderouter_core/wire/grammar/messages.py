"""What is wrong with a Messages stream, by what Anthropic's SDKs do with each event."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coderouter_core.wire.lenient import count, strict, string, table

Problems = Iterator[str]
Event = dict[str, Any]

_ENDS = ("message_stop", "error")
#: Events of any other name are skipped by clients.
_KNOWN = (
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    *_ENDS,
)
#: The deltas that a block takes, and the field of it that must be there to be added to.
_DELTAS = {
    "text": ("text_delta", "citations_delta"),
    "thinking": ("thinking_delta", "signature_delta"),
    "tool_use": ("input_json_delta",),
}
_TEXTS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}
_COUNTS = ("input_tokens", "output_tokens")


def problems(frames: list[tuple[str, bytes]]) -> Problems:
    """Everything that a client could stumble over, in the frames that hold data."""
    events: list[Event] = []
    for name, data in frames:
        event = table(strict(data))
        if event.get("type") != name:
            yield f"a frame is called {name!r} and holds {event.get('type')!r}"
        if name in _KNOWN:
            events.append(event)
    yield from _order([str(event.get("type")) for event in events])
    yield from _ends(events)
    yield from _blocks(events)


def _order(kinds: list[str]) -> Problems:
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


def _ends(events: list[Event]) -> Problems:
    """The first event holds a message to add to, the last its stop reason and usage, an error its words."""
    for event in events:
        kind = event.get("type")
        if kind == "message_start":
            message = table(event.get("message"))
            usage = table(message.get("usage"))
            if message.get("content") != [] or not all(type(usage.get(key)) is int for key in _COUNTS):
                yield "message_start lacks its empty content or its usage"
        elif kind == "message_delta":
            delta, usage = table(event.get("delta")), table(event.get("usage"))
            if not string(delta.get("stop_reason")) or type(usage.get("output_tokens")) is not int:
                yield "message_delta lacks its stop reason or its usage"
            if any(count(value) < 0 for value in usage.values()):
                yield "message_delta counts below zero"
        elif kind == "error":
            error = table(event.get("error"))
            if not (string(error.get("type")) and isinstance(error.get("message"), str)):
                yield "an error lacks its type or message"


def _blocks(events: list[Event]) -> Problems:
    """Blocks are numbered from 0, do not overlap, and hold deltas of their own kind, at least one."""
    kind: str | None = None
    at, deltas = -1, 0
    ids: set[str] = set()
    for event in events:
        name, index = event.get("type"), event.get("index")
        if name == "content_block_start":
            if kind is not None:
                yield f"block {index} starts inside block {at}"
            at += 1
            block = table(event.get("content_block"))
            kind = str(block.get("type"))
            deltas = 1 if block.get(kind) or block.get("input") else 0
            yield from _start(block, ids)
        elif name in ("content_block_delta", "content_block_stop") and kind is None:
            yield f"{name} without a block"
        elif name == "content_block_delta":
            deltas += 1
            yield from _delta(str(kind), table(event.get("delta")))
        elif name == "content_block_stop":
            if not deltas and kind in _DELTAS:
                yield f"block {index} has no delta"
            kind = None
        elif name in ("message_delta", "message_stop") and kind is not None:
            yield f"{name} inside block {at}"
        if str(name).startswith("content_block_") and index != at:
            yield f"{name} has index {index}, not {at}"


def _start(block: Event, ids: set[str]) -> Problems:
    kind = block.get("type")
    if kind == "tool_use":
        identity = string(block.get("id"))
        if not (identity and string(block.get("name"))):
            yield "a tool_use block lacks its id or name"
        if identity in ids:
            yield f"two calls have the id {identity!r}"
        ids.add(identity)
        if "input" not in block:
            yield "a tool_use block lacks its input"
    elif kind in ("text", "thinking") and not isinstance(block.get(kind), str):
        yield f"a {kind} block has no {kind} to add to"


def _delta(kind: str, delta: Event) -> Problems:
    name = string(delta.get("type"))
    if kind in _DELTAS and name not in _DELTAS[kind]:
        yield f"a {name} in a block of {kind}"
    elif name in _TEXTS and not isinstance(delta.get(_TEXTS[name]), str):
        yield f"a {name} without its text"
