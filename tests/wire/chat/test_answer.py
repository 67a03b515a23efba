"""Whole Chat Completions answers."""

from __future__ import annotations

from typing import Any

import pytest

from coderouter_core.model import Dialect, StreamEvent
from coderouter_core.wire import codec

CHAT = codec(Dialect.CHAT)


def completion(finish: str | None = "stop", /, **message: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 7,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": None, "refusal": None, **message},
                "logprobs": None,
                "finish_reason": finish,
            }
        ],
        "usage": {
            "prompt_tokens": 17,
            "completion_tokens": 23,
            "total_tokens": 40,
            "prompt_tokens_details": {"cached_tokens": 5},
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
    }


def call(arguments: Any) -> dict[str, Any]:
    return {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(completion(content="hi"), id="text"),
        pytest.param(completion(content="42", reasoning_content="hm"), id="reasoning"),
        pytest.param(completion("tool_calls", tool_calls=[call('{"a": 1}')]), id="call"),
        pytest.param(
            completion("tool_calls", content="so", tool_calls=[call("{}"), {**call("{}"), "id": "d"}]),
            id="calls",
        ),
        pytest.param(completion("length", content="cu"), id="length"),
        pytest.param(completion("content_filter", content=""), id="filtered"),
    ],
)
def test_an_answer_survives_being_taken_apart(body: dict[str, Any]) -> None:
    assert CHAT.fold(CHAT.events(body), created=7) == body


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        pytest.param({"a": 1}, {"a": 1}, id="object"),
        pytest.param("", {}, id="empty"),
        pytest.param(None, {}, id="null"),
        pytest.param('{"a": "b', {"a": "b"}, id="cut"),
    ],
)
def test_arguments_of_any_form_become_an_object(arguments: Any, value: dict[str, Any]) -> None:
    events = CHAT.events(completion("tool_calls", tool_calls=[call(arguments)]))

    assert codec(Dialect.MESSAGES).fold(events)["content"][0]["input"] == value


def test_ids_that_are_empty_or_used_twice_are_made_up() -> None:
    body = completion("tool_calls", tool_calls=[call("{}"), call("{}"), {**call("{}"), "id": ""}])
    for index, each in enumerate(body["choices"][0]["message"]["tool_calls"]):
        each["index"] = index

    ids = [event.id for event in CHAT.events(body) if event.kind == "block_start"]
    assert (ids[0], len(set(ids)), all(ids)) == ("c", 3, True)


@pytest.mark.parametrize(
    ("finish", "reason"), [("stop", "tool_use"), (None, "tool_use"), ("length", "max_tokens")], ids=str
)
def test_the_stop_reason_of_an_answer_with_a_call(finish: str | None, reason: str) -> None:
    events = CHAT.events(completion(finish, tool_calls=[call("{}")]))

    assert events[-1].reason == reason


def test_an_answer_whose_call_is_broken_is_whole_all_the_same() -> None:
    events = CHAT.events(completion("tool_calls", tool_calls=[call('{"a'), {**call("{}"), "id": "d"}]))

    assert [event.kind for event in events if event.kind not in ("delta", "usage")] == [
        "start",
        *("block_start", "block_stop") * 2,
        "stop",
    ]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param({"error": {"message": "x", "code": "busy"}}, "busy", id="error"),
        pytest.param({"object": "error", "message": "x"}, None, id="flat-error"),
        pytest.param({"choices": []}, "garbage", id="no-choices"),
        pytest.param({"choices": ["x"]}, "garbage", id="odd-choice"),
        pytest.param({"hello": "world"}, "garbage", id="no-answer"),
        pytest.param(completion("error", content="a"), None, id="finish-reason"),
    ],
)
def test_what_is_no_answer_is_an_error(body: dict[str, Any], code: str | None) -> None:
    fault = CHAT.events(body)[-1].fault

    assert fault is not None
    assert fault.code == code


def test_a_call_without_arguments_has_an_empty_object() -> None:
    made = CHAT.fold([StreamEvent("block_start", block="tool_call", id="c", name="f")])

    assert made["choices"][0]["message"]["tool_calls"] == [call("{}")]
