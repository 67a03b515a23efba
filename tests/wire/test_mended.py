"""What a client would stumble over does not pass a lane that reads events, though both sides speak one dialect."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from coderouter_core.model import Dialect
from coderouter_core.testing.streams.heard import Heard, heard
from coderouter_core.testing.streams.judge import Watch
from coderouter_core.wire import client_side, codec
from coderouter_core.wire.grammar import problems
from coderouter_core.wire.lanes import TranslatingLane
from coderouter_core.wire.sse import write

HEAD = {"id": "gen-1", "object": "chat.completion.chunk", "created": 7, "model": "m"}
DONE = b"data: [DONE]\n\n"


def chunk(delta: Any = None, finish: str | None = None, **more: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return write(orjson.dumps({**HEAD, "choices": choices, **more}))


def calls(*entries: dict[str, Any], **more: Any) -> bytes:
    return chunk({"tool_calls": [{"index": 0, **entry} for entry in entries], **more})


def function(arguments: Any, **more: Any) -> dict[str, Any]:
    return {"function": {"arguments": arguments, **more}}


BEGIN = chunk({"role": "assistant", "content": ""})
TEXT, FINISH = chunk({"content": "a"}), chunk({}, "stop")
CALL = calls({"id": "i", "type": "function", **function("{}", name="f")})
COUNTS = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
USAGE = chunk(usage=COUNTS)

CHAT = {
    "no-role": TEXT + FINISH + DONE,
    "role-alone-twice": BEGIN + BEGIN + TEXT + FINISH + DONE,
    "no-number-of-the-choice": BEGIN + TEXT.replace(b'"index":0,', b"") + FINISH + DONE,
    "a-chunk-without-anything": chunk() + BEGIN + TEXT + FINISH + DONE,
    "usage-before-the-finish": BEGIN + TEXT + USAGE + FINISH + DONE,
    "usage-twice": BEGIN + TEXT + FINISH + USAGE + USAGE + DONE,
    "usage-with-a-late-choice": BEGIN + TEXT + FINISH + chunk({"content": ""}, usage=COUNTS) + DONE,
    "usage-without-a-total": BEGIN + TEXT + FINISH + USAGE.replace(b',"total_tokens":7', b"") + DONE,
    "a-delta-after-the-finish": BEGIN + TEXT + FINISH + chunk({"content": ""}) + DONE,
    "two-finishes": BEGIN + TEXT + FINISH + FINISH + DONE,
    "no-finish": BEGIN + TEXT + DONE,
    "no-done": BEGIN + TEXT + FINISH,
    "parts": BEGIN + chunk({"content": [{"type": "text", "text": "a"}]}) + FINISH + DONE,
    "call-named-twice": BEGIN + TEXT + CALL + calls({"id": "i", **function("", name="f")}) + FINISH + DONE,
    "whole-call-again": BEGIN + TEXT + CALL + CALL + FINISH + DONE,
    "call-again-after-the-finish": BEGIN + TEXT + CALL + FINISH + CALL + DONE,
    "no-number-of-the-call": BEGIN + TEXT + CALL.replace(b'"index":0,"id"', b'"id"') + FINISH + DONE,
    "arguments-that-are-an-object": BEGIN + TEXT + CALL.replace(b'"{}"', b"{}") + FINISH + DONE,
    "no-arguments": BEGIN + TEXT + CALL.replace(b"{}", b"") + FINISH + DONE,
    "no-arguments-at-the-finish": BEGIN
    + TEXT
    + CALL.replace(b"{}", b"").replace(b":null}", b':"stop"}')
    + DONE,
    "an-earlier-call-goes-on": BEGIN
    + TEXT
    + CALL
    + CALL.replace(b'"index":0,"id":"i"', b'"index":1,"id":"j"')
    + calls(function(""))
    + FINISH
    + DONE,
}

START = {
    "type": "message_start",
    "message": {"id": "m", "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}},
}
OPEN = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}}
CLOSE = {"type": "content_block_stop", "index": 0}
LAST = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}
STOP = {"type": "message_stop"}
BLOCK = [OPEN, DELTA, CLOSE]


def events(*these: dict[str, Any]) -> bytes:
    return b"".join([write(orjson.dumps(event), event["type"]) for event in these])


MESSAGES = {
    "a-start-without-usage": events({**START, "message": {"id": "m", "content": []}}, *BLOCK, LAST, STOP),
    "a-start-without-content": events({**START, "message": {"id": "m"}}, *BLOCK, LAST, STOP),
    "a-block-without-its-text": events(
        START, {**OPEN, "content_block": {"type": "text"}}, DELTA, CLOSE, LAST, STOP
    ),
    "a-delta-without-its-text": events(
        START, OPEN, DELTA, {**DELTA, "delta": {"type": "text_delta"}}, CLOSE, LAST, STOP
    ),
    "arguments-outside-of-a-call": events(
        START,
        OPEN,
        DELTA,
        {**DELTA, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
        CLOSE,
        LAST,
        STOP,
    ),
    "an-empty-block": events(START, *BLOCK, {**OPEN, "index": 1}, {**CLOSE, "index": 1}, LAST, STOP),
    "an-end-without-usage": events(START, *BLOCK, {**LAST, "usage": {}}, STOP),
    "an-end-that-counts-nothing": events(START, *BLOCK, {**LAST, "usage": {"x": 1}}, STOP),
    "no-end-of-a-block": events(START, OPEN, DELTA, LAST, STOP),
    "numbers-that-repeat": events(START, *BLOCK, *BLOCK, LAST, STOP),
}


def through(dialect: Dialect, stream: bytes) -> tuple[list[str], Heard]:
    lane = TranslatingLane(codec(dialect).reader(), client_side(dialect).writer(), [Watch()])
    out = lane.feed(stream) + lane.close()
    assert lane.fault is None
    [answer] = heard(dialect, out)
    return problems(dialect, out), answer


@pytest.mark.parametrize("stream", CHAT.values(), ids=CHAT.keys())
def test_a_chat_client_reads_what_was_said(stream: bytes) -> None:
    found, answer = through(Dialect.CHAT, stream)

    assert (found, answer.text) == ([], "a")


@pytest.mark.parametrize("stream", MESSAGES.values(), ids=MESSAGES.keys())
def test_a_messages_client_reads_what_was_said(stream: bytes) -> None:
    found, answer = through(Dialect.MESSAGES, stream)

    assert (found, set(answer.text)) == ([], {"a"})


@pytest.mark.parametrize("name", [name for name in CHAT if "call" in name or "arguments" in name])
def test_a_chat_client_reads_the_call_that_was_made(name: str) -> None:
    _, answer = through(Dialect.CHAT, CHAT[name])

    assert {(call.name, call.arguments) for call in answer.calls} == {("f", "{}")}


def test_the_id_of_a_server_is_kept_in_chunks_that_are_written_anew() -> None:
    lane = TranslatingLane(codec(Dialect.CHAT).reader(), codec(Dialect.CHAT).writer(), [Watch()])

    assert lane.feed(CHAT["no-role"]).count(b'"id":"gen-1"') == 3


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "reasoning_details"])
def test_reasoning_is_read_wherever_a_server_puts_it(field: str) -> None:
    said: Any = (
        "hm" if field != "reasoning_details" else [{"type": "reasoning.text", "text": "h"}, {"summary": "m"}]
    )
    lane = TranslatingLane(codec(Dialect.CHAT).reader(), codec(Dialect.MESSAGES).writer())
    out = lane.feed(chunk({"role": "assistant", field: said}) + TEXT + FINISH + DONE)

    assert heard(Dialect.MESSAGES, out)[0].thinking == "hm"


def test_half_a_call_behind_a_finish_reason_is_no_answer() -> None:
    lane = TranslatingLane(codec(Dialect.CHAT).reader(), codec(Dialect.MESSAGES).writer())
    lane.feed(BEGIN + CALL.replace(b"{}", b"") + chunk({}, "tool_calls") + calls(function('{"a": 1')))
    lane.close()

    assert lane.fault is not None
    assert (lane.fault.code, lane.stopped) == ("truncated", False)


def test_half_a_call_that_a_limit_cut_off_is_the_answer() -> None:
    lane = TranslatingLane(codec(Dialect.CHAT).reader(), codec(Dialect.MESSAGES).writer())
    lane.feed(BEGIN + CALL.replace(b"{}", b'{\\"a') + chunk({}, "length"))
    lane.close()

    assert (lane.fault, lane.stop_reason) == (None, "max_tokens")


def test_a_choice_that_begins_after_another_ended_is_waited_for() -> None:
    lane = codec(Dialect.CHAT).relay()
    lane.feed(BEGIN + TEXT + FINISH)
    before = lane.stopped
    lane.feed(TEXT.replace(b'"index":0', b'"index":1'))

    assert (before, lane.stopped) == (True, False)
