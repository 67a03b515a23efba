"""Streams of either dialect, clean or with a server's quirks, to clients of either dialect."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pytest

from coderouter_core.model import Dialect, Usage
from coderouter_core.testing import Quirk, Reply, ToolCall
from coderouter_core.testing.frames import dump
from coderouter_core.testing.speech import CHAT, MESSAGES, Speech
from coderouter_core.wire import codec
from coderouter_core.wire.chat.reader import ChatReader
from coderouter_core.wire.codec import Lane
from coderouter_core.wire.grammar import problems
from coderouter_core.wire.lanes import TranslatingLane
from coderouter_core.wire.messages.reader import MessagesReader
from coderouter_core.wire.sse import Framer

SPEECHES: dict[Dialect, Speech] = {Dialect.CHAT: CHAT, Dialect.MESSAGES: MESSAGES}
ASKED = {"model": "m", "stream_options": {"include_usage": True}}

OSLO = ToolCall("weather", {"city": "Oslo", "days": [1, {"a": "}"}]}, id="call_1")
TOKYO = ToolCall("weather", {"city": '東京 "x" \\ 🎉'}, id="call_2")
BOTH = [OSLO, TOKYO]
CALLS = [("weather", OSLO.arguments), ("weather", TOKYO.arguments)]

ANY_DIALECT: dict[str, Reply] = {
    "text": Reply("Hello wörld 🎉, how are you?"),
    "thinking": Reply("42", thinking="deep thought"),
    "calls": Reply("Going.", calls=BOTH, chunk=5),
    "everything": Reply("Going.", thinking="hm", calls=BOTH, chunk=3),
    "no-arguments": Reply(calls=[ToolCall("now", {}), OSLO]),
    "empty-arguments": Reply(calls=[ToolCall("now", "")]),
    "length": Reply("cut", stop="max_tokens"),
    "refusal": Reply("no", stop="refusal"),
    "crlf": Reply("né🎉日本", calls=[TOKYO], quirks={Quirk.CRLF, Quirk.COMMENTS, Quirk.NO_SPACE}),
    "no-done": Reply("Hello", calls=BOTH, quirks={Quirk.NO_DONE}),
    "no-usage": Reply("Hello", quirks={Quirk.NO_USAGE}),
}
CHAT_ONLY: dict[str, Reply] = {
    "tool-finish-stop": Reply(calls=BOTH, quirks={Quirk.TOOL_FINISH_STOP}),
    "no-tool-id": Reply(calls=BOTH, quirks={Quirk.NO_TOOL_ID}),
    "same-index": Reply(calls=BOTH, quirks={Quirk.SAME_INDEX}),
    "same-index-no-id": Reply(calls=BOTH, quirks={Quirk.SAME_INDEX, Quirk.NO_TOOL_ID}),
    "no-index": Reply(calls=BOTH, quirks={Quirk.NO_INDEX}),
    "no-index-no-id": Reply(calls=BOTH, quirks={Quirk.NO_INDEX, Quirk.NO_TOOL_ID}),
    "whole-args": Reply(calls=BOTH, quirks={Quirk.WHOLE_ARGS}),
    "args-object": Reply(calls=BOTH, quirks={Quirk.ARGS_OBJECT}),
    "repeat-id": Reply(calls=BOTH, chunk=3, quirks={Quirk.REPEAT_ID}),
    "interleaved": Reply("Go", calls=BOTH, chunk=3, quirks={Quirk.INTERLEAVED}),
    "interleaved-repeat-id": Reply(calls=BOTH, chunk=3, quirks={Quirk.INTERLEAVED, Quirk.REPEAT_ID}),
    "usage-on-finish": Reply("Hello", quirks={Quirk.USAGE_ON_FINISH}),
    "null-content-no-role": Reply("Hello", quirks={Quirk.NULL_CONTENT, Quirk.NO_ROLE}),
    "null-content-calls": Reply(calls=BOTH, quirks={Quirk.NULL_CONTENT}),
    "content-parts": Reply("Hello you", quirks={Quirk.CONTENT_PARTS}),
    "reasoning": Reply("42", thinking="deep", quirks={Quirk.REASONING}),
    "no-finish": Reply("Hello", calls=BOTH, quirks={Quirk.NO_FINISH}),
}
MESSAGES_ONLY: dict[str, Reply] = {
    "data-only": Reply("Hello", calls=BOTH, quirks={Quirk.DATA_ONLY}),
    "no-finish": Reply("Hello", calls=BOTH, quirks={Quirk.NO_FINISH}),
}

CASES = [
    *[(dialect, name, reply) for dialect in SPEECHES for name, reply in ANY_DIALECT.items()],
    *[(Dialect.CHAT, name, reply) for name, reply in CHAT_ONLY.items()],
    *[(Dialect.MESSAGES, name, reply) for name, reply in MESSAGES_ONLY.items()],
]


def answers(*left_out: Quirk | str) -> pytest.MarkDecorator:
    cases = [case for case in CASES if not {case[1], *case[2].quirks} & set(left_out)]
    params = [pytest.param(dialect, reply, id=f"{dialect.value}-{name}") for dialect, name, reply in cases]
    return pytest.mark.parametrize(("upstream", "reply"), params)


UPSTREAM = answers()
#: What clients lack is added.
LACKING = (Quirk.DATA_ONLY, Quirk.TOOL_FINISH_STOP, Quirk.NO_FINISH, Quirk.NO_USAGE)
#: What no client can read is not passed on.
UNREADABLE = (
    Quirk.NO_TOOL_ID,
    Quirk.SAME_INDEX,
    Quirk.NO_INDEX,
    Quirk.ARGS_OBJECT,
    Quirk.REPEAT_ID,
    Quirk.NO_ROLE,
    Quirk.CONTENT_PARTS,
)
READABLE_UPSTREAM = answers(*LACKING, *UNREADABLE, "empty-arguments")
CLIENT = pytest.mark.parametrize(
    "client", [Dialect.MESSAGES, Dialect.CHAT], ids=lambda dialect: f"to-{dialect.value}"
)


def stream(dialect: Dialect, reply: Reply) -> bytes:
    head = b": PROCESSING\n\n" if Quirk.COMMENTS in reply.quirks else b""
    frames = SPEECHES[dialect].frames(reply, ASKED, 1)
    return head + b"".join(frame.encode(reply.quirks) for frame in frames)


def translating(upstream: Dialect, client: Dialect) -> Lane:
    """A lane in which ids that are made up can be foretold."""
    numbers = itertools.count()
    reader = (
        ChatReader(lambda: f"call_made_{next(numbers)}") if upstream is Dialect.CHAT else MessagesReader()
    )
    return TranslatingLane(reader, codec(client).writer())


def cut(pieces: Sequence[bytes]) -> list[bytes]:
    framer = Framer()
    return [frame for piece in pieces for frame in framer.feed(piece)]


def through(lane: Lane, pieces: Sequence[bytes]) -> bytes:
    return b"".join([*map(lane.feed, pieces), lane.close()])


def read(client: Dialect, data: bytes) -> dict[str, Any]:
    """The answer a client of `client` would put together, as a Messages answer."""
    reader = codec(client).reader()
    events = [event for frame in Framer().feed(data) for event in reader.read(frame)]
    return codec(Dialect.MESSAGES).fold([*events, *reader.close()])


def told(answer: dict[str, Any]) -> tuple[str, str, list[tuple[str, Any]]]:
    """Thinking, text and calls of a Messages answer."""
    content = answer["content"]
    thinking = "".join(block["thinking"] for block in content if block["type"] == "thinking")
    text = "".join(block["text"] for block in content if block["type"] == "text")
    return (
        thinking,
        text,
        [(block["name"], block["input"]) for block in content if block["type"] == "tool_use"],
    )


def meant(reply: Reply) -> tuple[str, str, list[tuple[str, Any]]]:
    return reply.thinking, reply.text, [(call.name, call.arguments or {}) for call in reply.calls]


@UPSTREAM
@CLIENT
def test_what_was_said_arrives(upstream: Dialect, client: Dialect, reply: Reply) -> None:
    out = through(translating(upstream, client), [stream(upstream, reply)])

    assert told(read(client, out)) == meant(reply)


@UPSTREAM
def test_a_translated_stream_keeps_the_grammar(upstream: Dialect, reply: Reply) -> None:
    client = Dialect.MESSAGES if upstream is Dialect.CHAT else Dialect.CHAT

    assert problems(client, through(translating(upstream, client), [stream(upstream, reply)])) == []


@UPSTREAM
def test_a_lane_for_filters_mends_what_clients_would_stumble_over(upstream: Dialect, reply: Reply) -> None:
    out = through(translating(upstream, upstream), [stream(upstream, reply)])

    assert set(problems(upstream, out)) <= {"the first delta has no role"}


@UPSTREAM
def test_the_stop_reason_is_told(upstream: Dialect, reply: Reply) -> None:
    lane = translating(upstream, Dialect.MESSAGES)
    answer = read(Dialect.MESSAGES, through(lane, [stream(upstream, reply)]))

    expected = reply.stop or ("tool_use" if reply.calls else "end_turn")
    assert (answer["stop_reason"], lane.stop_reason) == (expected, expected)


@UPSTREAM
def test_a_split_at_any_byte_gives_the_same_frames(upstream: Dialect, reply: Reply) -> None:
    data = stream(upstream, reply)
    whole = cut([data])

    assert all(cut([data[:at], data[at:]]) == whole for at in range(1, len(data)))


@UPSTREAM
@CLIENT
def test_byte_by_byte_gives_the_same_stream(upstream: Dialect, client: Dialect, reply: Reply) -> None:
    data = stream(upstream, reply)

    bytewise = through(translating(upstream, client), [data[at : at + 1] for at in range(len(data))])
    assert bytewise == through(translating(upstream, client), [data])


@READABLE_UPSTREAM
def test_a_relay_passes_every_byte(upstream: Dialect, reply: Reply) -> None:
    data = stream(upstream, reply)

    bytewise = through(codec(upstream).relay(), [data[at : at + 1] for at in range(len(data))])
    assert bytewise.startswith(data)


@answers(Quirk.INTERLEAVED)
def test_clients_do_not_stumble_over_what_is_relayed(upstream: Dialect, reply: Reply) -> None:
    out = through(codec(upstream).relay(), [stream(upstream, reply)])

    assert problems(upstream, out) == []


@pytest.mark.parametrize(
    "make",
    [codec(Dialect.CHAT).relay, lambda: translating(Dialect.CHAT, Dialect.CHAT)],
    ids=["relay", "filters"],
)
def test_the_finish_reason_of_a_stream_that_is_passed_on_tells_of_calls(make: Callable[[], Lane]) -> None:
    out = through(make(), [stream(Dialect.CHAT, CHAT_ONLY["tool-finish-stop"])])

    assert (b'"finish_reason":"tool_calls"' in out, b'"finish_reason":"stop"' in out) == (True, False)


@UPSTREAM
def test_what_was_said_arrives_relayed(upstream: Dialect, reply: Reply) -> None:
    out = through(codec(upstream).relay(), [stream(upstream, reply)])

    assert told(read(upstream, out)) == meant(reply)


@UPSTREAM
def test_a_relay_sees_what_a_translation_sees(upstream: Dialect, reply: Reply) -> None:
    lanes = [codec(upstream).relay(), translating(upstream, Dialect.MESSAGES)]
    for lane in lanes:
        through(lane, [stream(upstream, reply)])

    seen = [(lane.content, lane.stopped, lane.done, lane.fault, lane.usage) for lane in lanes]
    assert seen[0] == seen[1]


@UPSTREAM
@CLIENT
def test_made_up_or_not_every_call_has_its_own_id(upstream: Dialect, client: Dialect, reply: Reply) -> None:
    answer = read(client, through(translating(upstream, client), [stream(upstream, reply)]))

    ids = [block["id"] for block in answer["content"] if block["type"] == "tool_use"]
    assert all(ids)
    assert len(set(ids)) == len(reply.calls)


@UPSTREAM
@CLIENT
def test_a_whole_answer_says_the_same(upstream: Dialect, client: Dialect, reply: Reply) -> None:
    body = orjson.loads(dump(SPEECHES[upstream].body(reply, ASKED, 1)))

    answer = codec(client).fold(codec(upstream).events(body))
    back = codec(Dialect.MESSAGES).fold(codec(client).events(orjson.loads(orjson.dumps(answer))))
    assert told(back) == meant(reply)


USAGE = Usage(input=100, cache_read=40, output=57, reported=True)


@pytest.mark.parametrize("upstream", list(SPEECHES))
@CLIENT
def test_usage_crosses_a_stream_unchanged(upstream: Dialect, client: Dialect) -> None:
    lane = translating(upstream, client)
    out = through(lane, [stream(upstream, Reply("Hello", usage=USAGE))])

    reader = codec(client).reader()
    for frame in Framer().feed(out):
        reader.read(frame)
    assert (reader.usage, lane.usage) == (USAGE, USAGE)


@pytest.mark.parametrize("upstream", list(SPEECHES))
@CLIENT
def test_usage_crosses_a_whole_answer_unchanged(upstream: Dialect, client: Dialect) -> None:
    body = SPEECHES[upstream].body(Reply("Hello", usage=USAGE), ASKED, 1)

    answer = codec(client).fold(codec(upstream).events(body))
    assert USAGE in [event.usage for event in codec(client).events(answer)]


@pytest.mark.parametrize("client", list(SPEECHES))
@pytest.mark.parametrize("upstream", list(SPEECHES))
def test_a_translated_stream_needs_no_search_for_garbage(upstream: Dialect, client: Dialect) -> None:
    sent = stream(upstream, ANY_DIALECT["everything"])
    gc.collect()
    gc.disable()
    try:
        through(translating(upstream, client), [sent])
        assert gc.collect() == 0
    finally:
        gc.enable()
