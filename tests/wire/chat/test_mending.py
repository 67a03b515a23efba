"""Whole answers whose calls are not written as clients read them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from coderouter_core.testing import Raw, Script, make_router
from coderouter_core.wire.chat.mending import mended

CALL = {"id": "a", "type": "function", "function": {"name": "ls", "arguments": "{}"}}


def answer(*calls: Any, content: Any = None, finish: str | None = "tool_calls") -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **({"tool_calls": list(calls)} if calls else {})}
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": {"content": []}}
    return {"id": "c", "object": "chat.completion", "choices": [choice], "usage": {"x": 1}}


def calls_of(body: Any) -> Any:
    return body["choices"][0]["message"].get("tool_calls")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(answer(CALL), id="calls"),
        pytest.param(answer(content="hi", finish="stop"), id="text"),
        pytest.param(
            answer({"id": "b", "type": "custom", "custom": {"name": "x", "input": ""}}), id="custom"
        ),
        pytest.param({"choices": [{"index": 0, "text": "hi"}]}, id="completion"),
        pytest.param({"data": []}, id="embeddings"),
        pytest.param({"choices": "x"}, id="no-list"),
    ],
)
def test_an_answer_as_it_should_be_is_left_alone(body: dict[str, Any]) -> None:
    assert mended(body) is None


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        pytest.param({"path": "é"}, '{"path":"é"}', id="object"),
        pytest.param(None, "{}", id="null"),
        pytest.param("", "{}", id="empty"),
    ],
)
def test_arguments_become_json(arguments: Any, written: str) -> None:
    body = mended(answer({**CALL, "function": {"name": "ls", "arguments": arguments}}))

    assert calls_of(body) == [{**CALL, "function": {"name": "ls", "arguments": written}}]


def test_calls_get_ids_of_their_own() -> None:
    nameless = {"function": CALL["function"]}
    first, *others = calls_of(mended(answer(CALL, CALL, nameless)))

    assert (first, len({first["id"], *(each["id"] for each in others)})) == (CALL, 3)


def test_a_call_of_nothing_is_left_out() -> None:
    assert calls_of(mended(answer({"id": "a", "function": {"arguments": "{}"}}))) is None


def test_an_answer_of_calls_says_so() -> None:
    body = mended(answer(CALL, finish="stop"))

    assert body is not None
    assert body["choices"][0]["finish_reason"] == "tool_calls"


def test_content_in_parts_becomes_a_text() -> None:
    body = mended(
        answer(content=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], finish="stop")
    )

    assert body is not None
    assert body["choices"][0]["message"]["content"] == "ab"


def test_everything_else_stays_as_it_came() -> None:
    body = mended(answer(CALL, finish="stop"))

    assert body is not None
    assert (body["usage"], body["choices"][0]["logprobs"]) == ({"x": 1}, {"content": []})


def test_a_client_of_the_same_dialect_gets_the_answer_mended() -> None:
    bad = answer({"function": {"name": "ls", "arguments": {"path": "/"}}}, finish="stop")
    router = make_router(Script(only=Raw(200, {"content-type": "application/json"}, orjson.dumps(bad))))
    asked = router.ask(dialect="chat", stream=False)

    (call,) = calls_of(asked.body)
    assert (bool(call["id"]), call["function"]["arguments"]) == (True, '{"path":"/"}')
