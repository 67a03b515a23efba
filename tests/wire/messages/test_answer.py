"""Whole Messages answers."""

from __future__ import annotations

from typing import Any

import pytest

from coderouter_core.model import Dialect, StreamEvent
from coderouter_core.wire import codec

MESSAGES = codec(Dialect.MESSAGES)
USAGE = {
    "input_tokens": 3,
    "cache_creation_input_tokens": 2,
    "cache_read_input_tokens": 1,
    "output_tokens": 9,
}


def message(*content: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": list(content),
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
        **more,
    }


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(message({"type": "text", "text": "hi"}), id="text"),
        pytest.param(message({"type": "thinking", "thinking": "hm", "signature": "c2ln"}), id="thinking"),
        pytest.param(
            message({"type": "thinking", "thinking": "", "signature": "c2ln"}), id="omitted-thinking"
        ),
        pytest.param(
            message(
                {"type": "tool_use", "id": "t", "name": "f", "input": {"a": [1]}}, stop_reason="tool_use"
            ),
            id="tool",
        ),
        pytest.param(
            message({"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "a"}), id="foreign"
        ),
        pytest.param(
            message({"type": "text", "text": "a", "citations": [{"type": "page", "n": 1}]}), id="citations"
        ),
        pytest.param(message(stop_reason="stop_sequence", stop_sequence="END"), id="stop-sequence"),
        pytest.param(message(stop_reason="brand_new"), id="unknown-stop-reason"),
    ],
)
def test_an_answer_survives_being_taken_apart(body: dict[str, Any]) -> None:
    assert MESSAGES.fold(MESSAGES.events(body)) == body


def test_deltas_without_their_block_open_one() -> None:
    events = [
        StreamEvent("delta", block="thinking", text="hm"),
        StreamEvent("delta", text="a"),
        StreamEvent("delta", text="b"),
    ]

    kinds = [(block["type"], block[block["type"]]) for block in MESSAGES.fold(events)["content"]]
    assert kinds == [("thinking", "hm"), ("text", "ab")]


def test_arguments_without_a_call_are_left_out() -> None:
    assert MESSAGES.fold([StreamEvent("delta", block="tool_call", text="{}")])["content"] == []


def test_a_call_makes_the_stop_tool_use() -> None:
    events = [
        StreamEvent("block_start", block="tool_call", id="t", name="f"),
        StreamEvent("stop", reason="end_turn"),
    ]

    assert MESSAGES.fold(events)["stop_reason"] == "tool_use"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param({"type": "error", "error": {"type": "api_error", "message": "x"}}, None, id="error"),
        pytest.param({"error": {"message": "x", "code": "busy"}}, "busy", id="openai-error"),
        pytest.param({"hello": "world"}, "garbage", id="no-answer"),
        pytest.param({"content": "text"}, "garbage", id="content-is-text"),
        pytest.param({}, "garbage", id="empty"),
    ],
)
def test_what_is_no_answer_is_an_error(body: dict[str, Any], code: str | None) -> None:
    [event] = MESSAGES.events(body)

    assert event.fault is not None
    assert (event.kind, event.fault.code) == ("error", code)


def test_nonsense_among_the_blocks_is_left_out() -> None:
    body = message({"type": "text", "text": None}, {"type": "text", "text": "a"})
    body["content"] += [None, "x"]

    assert MESSAGES.fold(MESSAGES.events(body))["content"] == [{"type": "text", "text": "a"}]


def test_calls_without_an_id_of_their_own_get_one() -> None:
    use = {"type": "tool_use", "id": "x", "name": "f", "input": {}}
    body = message(use, use, {**use, "id": None})

    ids = [block["id"] for block in MESSAGES.fold(MESSAGES.events(body))["content"]]
    assert (ids[0], len(set(ids)), all(ids)) == ("x", 3, True)


def test_input_that_is_json_already_is_not_encoded_twice() -> None:
    events = MESSAGES.events(message({"type": "tool_use", "id": "t", "name": "f", "input": '{"a":1}'}))

    assert [event.text for event in events if event.kind == "delta"] == ['{"a":1}']
