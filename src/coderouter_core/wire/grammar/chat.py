"""What is wrong with a Chat Completions stream, by what OpenAI's SDKs do with each chunk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coderouter_core.wire.lenient import strict, string, table

Problems = Iterator[str]
Chunk = dict[str, Any]

_FINISHES = ("stop", "length", "tool_calls", "content_filter", "function_call")
_TEXTS = ("content", "refusal", "reasoning_content", "reasoning")


def problems(frames: list[tuple[str, bytes]]) -> Problems:
    """Everything that a client could stumble over, in the frames that hold data."""
    if not frames or frames[-1][1] != b"[DONE]":
        yield "the stream does not end with [DONE]"
    chunks = [table(strict(data)) for _, data in frames if data != b"[DONE]"]
    if len(chunks) < len(frames) - 1:
        yield "[DONE] is not the last frame"
    failed = [bool(chunk.get("error")) for chunk in chunks]
    if any(failed[:-1]):
        yield "something follows the error"
    if any(failed):
        if not isinstance(table(chunks[-1].get("error")).get("message"), str):
            yield "an error lacks its message"
        chunks = chunks[:-1]
    if len({chunk["id"] for chunk in chunks if chunk.get("id")}) > 1:
        yield "the chunks differ in id"
    if any(chunk.get("object", "chat.completion.chunk") != "chat.completion.chunk" for chunk in chunks):
        yield "a chunk is not called chat.completion.chunk"
    yield from _bare(chunks)
    said: dict[int, list[Chunk]] = {}
    for chunk in chunks:
        for choice in chunk.get("choices") or ():
            index = table(choice).get("index")
            if type(index) is not int or index < 0:
                yield f"a choice has index {index}"
            else:
                said.setdefault(index, []).append(table(choice))
    if not said and not any(failed):
        yield "0 finish reasons"
    for choices in said.values():
        yield from _choice(choices, finished=not any(failed))


def _bare(chunks: list[Chunk]) -> Problems:
    """Of chunks without choices there is at most one, the last, with the usage."""
    bare = [not chunk.get("choices") for chunk in chunks]
    if any(bare[:-1]) or sum(bare) > 1:
        yield "a chunk without choices is not the last one"
    if any(bare) and not chunks[-1].get("usage"):
        yield "a chunk has neither choices nor usage"
    for chunk in chunks:
        usage = chunk.get("usage")
        if usage and not all(
            type(table(usage).get(key)) is int and usage[key] >= 0
            for key in ("prompt_tokens", "completion_tokens", "total_tokens")
        ):
            yield "the usage lacks a count"


def _choice(choices: list[Chunk], *, finished: bool) -> Problems:
    """The role, deltas, then one finish reason."""
    if table(choices[0].get("delta")).get("role") != "assistant":
        yield "the first delta has no role"
    finishes = [choice.get("finish_reason") for choice in choices]
    ends = [finish is not None for finish in finishes]
    if finished and ends.count(True) != 1:
        yield f"{ends.count(True)} finish reasons"
    if any(ends[:-1]):
        yield "a delta follows the finish reason"
    if any(finish not in _FINISHES for finish in finishes if finish is not None):
        yield f"a finish reason is {finishes[-1]!r}"
    known: dict[int, str] = {}
    for choice in choices:
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            yield "a choice has no delta"
            continue
        if any(not isinstance(delta.get(key), str | None) for key in _TEXTS):
            yield "a text is no string"
        for call in delta.get("tool_calls") or ():
            yield from _call(table(call), known)


def _call(call: Chunk, known: dict[int, str]) -> Problems:
    index, function = call.get("index"), table(call.get("function"))
    identity = string(call.get("id"))
    if type(index) is not int or index > len(known):
        yield f"a tool call has index {index}"
        return
    if not isinstance(function.get("arguments"), str | None):
        yield f"the arguments of tool call {index} are no string"
    if index not in known:
        if not (identity and string(function.get("name"))):
            yield f"tool call {index} begins without id or name"
        if identity in known.values():
            yield f"two calls have the id {identity!r}"
        known[index] = identity
        return
    if identity or function.get("name"):
        # Clients add it to the one before.
        yield f"tool call {index} is named again"
    if index != len(known) - 1:
        yield f"tool call {index} goes on after {len(known) - 1} began"
