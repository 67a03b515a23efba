"""Send a generated stream down a lane, and tell what is wrong with what comes out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any

from attrs import frozen

from coderouter_core.model import Dialect, StreamEvent, StreamFilter, Usage
from coderouter_core.testing.streams.heard import Heard, heard
from coderouter_core.testing.streams.said import Said, Stream
from coderouter_core.wire import client_side, codec
from coderouter_core.wire.choices import ChoicesLane
from coderouter_core.wire.codec import Lane, Reader
from coderouter_core.wire.grammar import EventGrammar, problems
from coderouter_core.wire.lanes import TranslatingLane

MakeFilters = Callable[[], Sequence[StreamFilter]]

_ENDS = {
    Dialect.CHAT: b"data: [DONE]\n\n",
    Dialect.MESSAGES: b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
}
_REASONS = {
    Dialect.CHAT: {
        "end_turn": "stop",
        "tool_use": "tool_calls",
        "max_tokens": "length",
        "refusal": "content_filter",
    },
    Dialect.RESPONSES: {
        "end_turn": "",
        "tool_use": "",
        "max_tokens": "max_output_tokens",
        "refusal": "content_filter",
    },
}

#: Quirks of streams that a relay does not pass as they came.
_MENDED = frozenset(
    (
        *("index-zero", "no-index", "no-ids", "fresh-ids", "repeated-ids", "object", "late-name"),
        *("after-finish", "again", "no-finish", "tools-finish-stop", "no-role", "role-always", "role-twice"),
        *(
            "unnumbered-choice",
            "usage-before-finish",
            "no-usage",
            "usage-only-at-the-end",
            "no-message-delta",
            "bare-block-starts",
        ),
    )
)


@frozen
class Way:
    """How a stream is sent: to which client, through which filters (None: as the router does without any), and in
    pieces of which sizes."""

    client: Dialect
    filters: MakeFilters | None = None
    split: int | None = None


class Watch:
    """A filter that passes every event, and sees to it that they keep the neutral grammar."""

    stage = 1000

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._grammar = EventGrammar()

    def feed(self, event: StreamEvent) -> Iterable[StreamEvent]:
        self.problems += self._grammar.see((event,))
        return (event,)

    def flush(self) -> Iterable[StreamEvent]:
        return ()


def judge(stream: Stream, way: Way, random: Random) -> list[str]:
    """Everything that is wrong with what the client of `way` gets; empty where nothing is."""
    watches: list[Watch] = []

    def filters() -> list[StreamFilter]:
        watches.append(Watch())
        return [*(way.filters() if way.filters else ()), watches[-1]]

    lane = _lane(stream, way, filters)
    try:
        out = b"".join([*map(lane.feed, split(stream.data, way.split, random)), lane.close()])
        if lane.fault is not None:
            out += lane.fail(lane.fault, "req_1")
    except Exception as error:
        return [f"raised {type(error).__name__}: {error}"]
    found = [f"events: {problem}" for watch in watches for problem in watch.problems]
    if way.filters is None and stream.dialect is way.client:
        return found + _relayed(stream, lane, out)
    found += problems(way.client, out)
    return found or _told(stream, way.client, lane, out)


def _lane(stream: Stream, way: Way, filters: Callable[[], list[StreamFilter]]) -> Lane:
    upstream = codec(stream.dialect)
    if way.client is stream.dialect and way.filters is None:
        return upstream.relay()
    if len(stream.choices) > 1:
        return ChoicesLane(filters)
    reader: Reader = upstream.reader()
    return TranslatingLane(reader, client_side(way.client).writer(created=7), filters())


def split(data: bytes, size: int | None, random: Random) -> list[bytes]:
    """`data` in pieces of `size` bytes; of random sizes where it is None."""
    if size is not None:
        return [data[at : at + size] for at in range(0, len(data), size)]
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.randrange(6)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _relayed(stream: Stream, lane: Lane, out: bytes) -> list[str]:
    """A relay passes every byte but the mark of byte order, and adds what the end lacks; what clients cannot read is
    written anew."""
    found = _ended(stream, lane)
    unargued = any(not arguments for said in stream.choices for _, arguments in said.calls)
    if _MENDED.intersection(stream.quirks) or (unargued and stream.dialect is Dialect.CHAT):
        return found
    data = stream.data.removeprefix(b"\xef\xbb\xbf")
    if stream.end != "whole" or "data-only" in stream.quirks:
        return found
    if not (out.startswith(data) and out[len(data) :] in (b"", _ENDS[stream.dialect])):
        found.append("the relay changed bytes")
    return found


def _ended(stream: Stream, lane: Lane) -> list[str]:
    if stream.end == "whole":
        return [] if lane.fault is None and lane.stopped else [f"a whole answer ended with {lane.fault}"]
    return ["a broken answer ended well"] if lane.fault is None else []


def _told(stream: Stream, client: Dialect, lane: Lane, out: bytes) -> list[str]:
    """Whether the client has what the upstream said."""
    found = _ended(stream, lane)
    answers = heard(client, out)
    if stream.end != "whole":
        if not answers[0].failed:
            found.append("a broken answer does not end with an error")
        return found + [
            problem
            for said, answer in zip(stream.choices, answers, strict=False)
            for problem in _begun(said, answer)
        ]
    if len(answers) != len(stream.choices):
        return [*found, f"there are {len(answers)} choices, not {len(stream.choices)}"]
    for said, answer in zip(stream.choices, answers, strict=True):
        found += _same(said, answer, client)
    if stream.usage is not None and answers[0].usage is not None:
        found += _counted(stream.usage, answers[0].usage, client)
    elif stream.usage is not None:
        found.append("the usage is lost")
    return found


def _same(said: Said, answer: Heard, client: Dialect) -> list[str]:
    found = []
    if answer.text != said.text:
        found.append(f"the text is {answer.text!r}, not {said.text!r}")
    if answer.thinking != said.thinking:
        found.append(f"the thinking is {answer.thinking!r}, not {said.thinking!r}")
    calls = [(call.name, _json(call.arguments)) for call in answer.calls]
    if calls != [(name, dict(arguments)) for name, arguments in said.calls]:
        found.append(f"the calls are {calls}, not {said.calls}")
    ids = [call.id for call in answer.calls]
    if len(set(ids)) < len(ids) or not all(ids) or (said.ids and tuple(ids) != said.ids):
        found.append(f"the ids are {ids}, not {said.ids}")
    reason = _REASONS[client][said.reason] if client in _REASONS else said.reason
    if answer.reason != reason:
        found.append(f"the reason is {answer.reason!r}, not {reason!r}")
    return found


def _begun(said: Said, answer: Heard) -> list[str]:
    """What was said before a cut is the beginning of what would have been said."""
    found = []
    if not _begins(said.text, answer.text):
        found.append(f"the text begins {answer.text!r}, not {said.text!r}")
    if not _begins(said.thinking, answer.thinking):
        found.append(f"the thinking begins {answer.thinking!r}, not {said.thinking!r}")
    if [call.name for call in answer.calls] != [name for name, _ in said.calls][: len(answer.calls)]:
        found.append(f"the calls begin {answer.calls}, not {said.calls}")
    return found


def _begins(whole: str, part: str) -> bool:
    """Whether `whole` begins with `part`, of which the last character may be a half that never became whole."""
    return whole.startswith(part) or (part.endswith("\ufffd") and whole.startswith(part[:-1]))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _counted(usage: Usage, told: dict[str, Any], client: Dialect) -> list[str]:
    if client is Dialect.MESSAGES:
        got = (told["input_tokens"], told.get("cache_read_input_tokens", 0), told["output_tokens"])
        meant = (usage.input, usage.cache_read, usage.output)
    else:
        prompt, output = ("input", "output") if client is Dialect.RESPONSES else ("prompt", "completion")
        details = told.get(f"{prompt}_tokens_details") or {}
        # Some servers say it in a field of their own, which passes as it came.
        cached = details.get("cached_tokens", told.get("prompt_cache_hit_tokens", 0))
        got = (told[f"{prompt}_tokens"], cached, told[f"{output}_tokens"])
        meant = (usage.prompt, usage.cache_read, usage.output)
    return [] if got == meant else [f"the usage is {got}, not {meant}"]
