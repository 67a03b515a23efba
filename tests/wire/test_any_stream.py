"""Whatever an upstream sends, a translated stream is one that its client understands."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from coderouter_core.model import Dialect
from coderouter_core.wire import client_side, codec
from coderouter_core.wire.codec import Lane
from coderouter_core.wire.grammar import problems
from coderouter_core.wire.lanes import TranslatingLane
from coderouter_core.wire.sse import write

VALUES = st.sampled_from([None, True, 0, -1, 2.5, "", "a", [], {}, ["x"], {"a": 1}])
SMALL = st.integers(0, 2)


def table(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with some of `fields`, now and then with a value of the wrong type."""
    mixed = {name: st.one_of(good, good, good, VALUES) for name, good in fields.items()}
    return st.fixed_dictionaries({}, optional=mixed)


FUNCTIONS = table(
    name=st.sampled_from(["f", "g"]), arguments=st.sampled_from(["", "{", "}", '{"a":1}', '":'])
)
CALLS = table(index=SMALL, id=st.sampled_from(["c1", "c2"]), function=FUNCTIONS)
DELTAS = table(
    role=st.just("assistant"),
    content=st.sampled_from(["", "hi"]),
    reasoning_content=st.just("hm"),
    tool_calls=st.lists(CALLS, max_size=2),
    function_call=FUNCTIONS,
)
CHOICES = table(
    index=st.just(0), delta=DELTAS, finish_reason=st.sampled_from(["stop", "tool_calls", "length"])
)
CHAT = table(
    id=st.just("c"),
    choices=st.lists(CHOICES, max_size=1),
    usage=table(prompt_tokens=SMALL, completion_tokens=SMALL),
    error=st.none(),
)

KINDS = st.sampled_from(["text", "thinking", "tool_use", "redacted_thinking", "server_tool_use"])
MESSAGES = table(
    type=st.sampled_from(
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
            "ping",
            "brand_new",
        ]
    ),
    index=SMALL,
    message=table(id=st.just("msg_1"), usage=table(input_tokens=SMALL)),
    content_block=table(type=KINDS, id=st.just("t"), name=st.just("f"), input=VALUES, text=VALUES),
    delta=table(
        type=st.sampled_from(
            ["text_delta", "thinking_delta", "input_json_delta", "signature_delta", "citations_delta"]
        ),
        text=st.just("hi"),
        thinking=st.just("hm"),
        partial_json=st.just("{}"),
        signature=st.just("s"),
        stop_reason=st.sampled_from(["end_turn", "tool_use"]),
    ),
    usage=table(output_tokens=SMALL),
)
JUNK = st.sampled_from([b": ping\n\n", b"data:\n\n", b"event: x\n\n", b"data: [DONE]\n\n"])


def streams(events: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[bytes]:
    frames = st.one_of(events.map(lambda event: write(orjson.dumps(event))), JUNK)
    return st.lists(frames, max_size=10).map(b"".join)


class Watch:
    stage = 0

    def feed(self, event: Any) -> Any:
        return (event,)

    def flush(self) -> Any:
        return ()


def ended(lane: Lane, stream: bytes) -> bytes:
    """Everything a client gets, whichever way the answer ends."""
    out = lane.feed(stream) + lane.close()
    return out if lane.fault is None else out + lane.fail(lane.fault, "r")


@given(streams(CHAT))
def test_any_chat_stream_becomes_a_correct_messages_stream(stream: bytes) -> None:
    lane = TranslatingLane(codec(Dialect.CHAT).reader(), codec(Dialect.MESSAGES).writer())

    assert problems(Dialect.MESSAGES, ended(lane, stream)) == []


@given(streams(MESSAGES))
def test_any_messages_stream_becomes_a_correct_chat_stream(stream: bytes) -> None:
    lane = TranslatingLane(codec(Dialect.MESSAGES).reader(), codec(Dialect.CHAT).writer())

    assert problems(Dialect.CHAT, ended(lane, stream)) == []


#: ``f`` is one of the tools that the streams call.
FREE_TEXT: dict[str, Any] = {
    "tools": [{"type": "custom", "name": "f"}],
    "include": ["reasoning.encrypted_content"],
}


@given(
    streams(CHAT) | streams(MESSAGES), st.sampled_from(["chat", "messages"]), st.sampled_from([{}, FREE_TEXT])
)
def test_any_stream_becomes_a_correct_responses_stream(
    stream: bytes, dialect: str, asked: dict[str, Any]
) -> None:
    writer = client_side(Dialect.RESPONSES).writer(asked=asked)
    lane = TranslatingLane(codec(Dialect(dialect)).reader(), writer)

    assert problems(Dialect.RESPONSES, ended(lane, stream)) == []


@given(streams(CHAT) | streams(MESSAGES), st.sampled_from(["chat", "messages"]))
def test_a_filtered_lane_comes_to_the_same_end_as_a_relay(stream: bytes, dialect: str) -> None:
    one = codec(Dialect(dialect))
    relay, filtered = one.relay(), TranslatingLane(one.reader(), one.writer(), [Watch()])
    for lane in (relay, filtered):
        ended(lane, stream)

    ends = [
        (lane.stopped, lane.done, lane.fault and lane.fault.code, lane.usage) for lane in (relay, filtered)
    ]
    # Half a call behind a finish reason is seen only by those who read calls.
    assert ends[0] == ends[1] or ends[1] == (False, False, "truncated", ends[0][3])
