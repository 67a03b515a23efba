"""Whole Chat Completions answers of several choices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from coderouter_core.model import Dialect, Request, StreamEvent, StreamFilter
from coderouter_core.wire import sse
from coderouter_core.wire.chat.answer import events, fold, is_legacy
from coderouter_core.wire.chat.deltas import size_of_delta
from coderouter_core.wire.chat.errors import DONE
from coderouter_core.wire.chat.reader import ChatReader
from coderouter_core.wire.lanes import Stage, through, unchanged
from coderouter_core.wire.lenient import count, loads, string, table

#: An answer has no more choices than that.
MOST_CHOICES = 128


def several(request: Request) -> bool:
    """Whether the client asked for several choices, as only chat can."""
    asked = request.body.get("n")
    return request.dialect is Dialect.CHAT and isinstance(asked, int) and asked > 1


def as_stream(answer: Mapping[str, Any]) -> bytes:
    """A whole answer as a stream, for a client that asked for one."""
    head = {**{key: answer.get(key) for key in ("id", "created", "model")}, "object": "chat.completion.chunk"}
    chunks = [
        {**head, "choices": [{"index": index, "delta": delta, "finish_reason": finish}]}
        for index, message, reason in _said(answer)
        for delta, finish in _steps(message, reason)
    ]
    if usage := table(answer.get("usage")):
        chunks.append({**head, "choices": [], "usage": usage})
    return b"".join(sse.write(orjson.dumps(chunk)) for chunk in chunks) + DONE


def events_of_choices(frames: Sequence[bytes]) -> dict[int, list[StreamEvent]]:
    """What each choice of a stream says, by its number."""
    readers: dict[int, ChatReader] = {0: ChatReader()}
    for frame in frames:
        for index in _numbers(frame):
            if len(readers) < MOST_CHOICES:
                readers.setdefault(index, ChatReader(choice=index))
    return {
        index: [*(event for frame in frames for event in reader.read(frame)), *reader.close()]
        for index, reader in sorted(readers.items())
    }


def _numbers(frame: bytes) -> list[int]:
    try:
        choices = table(loads(sse.payload(frame))).get("choices")
    except ValueError:
        return []
    return [count(table(choice).get("index")) for choice in (choices if isinstance(choices, list) else ())]


def folded(
    choices: Mapping[int, Sequence[StreamEvent]], *, created: int, asked: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A whole answer of several choices. `asked` is the request's body."""
    legacy = is_legacy(asked)
    whole = {index: fold(events, created=created, legacy=legacy) for index, events in choices.items()}
    said = [{**one["choices"][0], "index": index} for index, one in whole.items()]
    return {**next(iter(whole.values())), "choices": said}


def size_of_answer(answer: Mapping[str, Any]) -> int:
    """The bytes of what all choices of a whole answer say."""
    return sum(size_of_delta(message) for _, message, _ in _said(answer))


def _said(answer: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any], str]]:
    """Index, message and finish reason of each choice."""
    choices = answer.get("choices")
    for choice in map(table, choices if isinstance(choices, list) else ()):
        finish = string(choice.get("finish_reason")) or "stop"
        yield count(choice.get("index")), table(choice.get("message")), finish


def _steps(message: dict[str, Any], reason: str) -> Iterator[tuple[dict[str, Any], str | None]]:
    """Deltas for a message, the last with its finish reason."""
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        message = {**message, "tool_calls": [{**table(call), "index": at} for at, call in enumerate(calls)]}
    yield message, None
    yield {}, reason


def filtered(
    answer: dict[str, Any], filters: Callable[[], Sequence[StreamFilter]], *, legacy: bool = False
) -> dict[str, Any]:
    """A whole answer, each choice of which went through a set of filters; the very same where they changed nothing.
    `legacy`: as `fold` has it."""
    choices = answer.get("choices")
    old = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    new = [_filtered(answer, choice, filters(), legacy) for choice in old]
    changed = any(each is not before for each, before in zip(new, old, strict=True))
    return {**answer, "choices": new} if changed else answer


def _filtered(
    answer: dict[str, Any], choice: dict[str, Any], filters: Sequence[StreamFilter], legacy: bool
) -> dict[str, Any]:
    said = events({**answer, "choices": [{**choice, "index": 0}]})
    passed = through([Stage(each) for each in filters], said)
    if unchanged(passed, said):
        return choice
    [made] = fold(passed, legacy=legacy)["choices"]
    return {**choice, **made, "index": choice.get("index", 0)}
