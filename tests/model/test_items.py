"""What a request of a Responses client tells of itself."""

from __future__ import annotations

from typing import Any

import pytest

from coderouter_core.api import Dialect, Request

IMAGE = {"type": "input_image", "image_url": "https://example.com/a.png"}
CALL = {"type": "function_call", "call_id": "c", "name": "run", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "c", "output": "printed by a tool"}
CONTEXT = "<environment_context>\n  <cwd>/work</cwd>\n</environment_context>"


def asked(*items: Any, **body: Any) -> Request:
    turns = [{"role": "user", "content": item} if isinstance(item, str | list) else item for item in items]
    return Request("req_1", Dialect.RESPONSES, {"model": "m", "input": turns, **body}, b"")


def parts(*texts: str) -> list[dict[str, Any]]:
    return [{"type": "input_text", "text": text} for text in texts]


@pytest.mark.parametrize(
    ("items", "text"),
    [
        pytest.param(["hello"], "hello", id="text"),
        pytest.param([parts("a", "b")], "a\nb", id="parts"),
        pytest.param(["do it", {"type": "reasoning", "summary": []}, CALL, RESULT], "do it", id="a-result"),
        pytest.param(
            ["do it", {"type": "message", "role": "developer", "content": parts("now")}],
            "do it",
            id="developer",
        ),
        pytest.param(["do it", parts(CONTEXT)], "do it", id="what-codex-adds"),
        pytest.param([], "", id="nothing"),
    ],
)
def test_the_latest_human_text(items: list[Any], text: str) -> None:
    assert asked(*items).latest_user_text == text


def test_an_input_that_is_a_string_is_a_turn() -> None:
    assert asked(input="hello").latest_user_text == "hello"


@pytest.mark.parametrize(
    ("items", "has"),
    [
        pytest.param([parts("a"), [IMAGE]], True, id="users"),
        pytest.param(["see", CALL, {**RESULT, "output": [IMAGE]}], True, id="in-a-result"),
        pytest.param([[IMAGE], CALL, RESULT], False, id="before-a-call"),
        pytest.param([[IMAGE], {"type": "reasoning", "summary": []}], False, id="before-thoughts"),
        pytest.param([[IMAGE], {"type": "custom_tool_call", "name": "x"}], False, id="before-a-custom-call"),
        pytest.param([[IMAGE], {"role": "assistant", "content": "nice"}], False, id="before-an-answer"),
    ],
)
def test_images_that_came_last(items: list[Any], has: bool) -> None:
    assert asked(*items).has_image is has


@pytest.mark.parametrize(
    ("request_", "has"),
    [
        pytest.param(asked("hi", tools=[{"type": "function", "name": "f"}]), True, id="declared"),
        pytest.param(
            asked({"type": "additional_tools", "role": "developer", "tools": [{"type": "custom"}]}, "hi"),
            True,
            id="within-the-conversation",
        ),
        pytest.param(asked({"type": "additional_tools", "tools": []}, "hi"), False, id="none-within"),
        pytest.param(asked("hi"), False, id="none"),
    ],
)
def test_tools(request_: Request, has: bool) -> None:
    assert request_.has_tools is has


LONG = "word " * 1000


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(asked("hi", instructions=LONG), id="instructions"),
        pytest.param(asked(parts(LONG)), id="text"),
        pytest.param(asked("hi", {**CALL, "arguments": LONG}), id="arguments"),
        pytest.param(asked("hi", {"type": "custom_tool_call", "input": LONG}), id="free-text"),
        pytest.param(asked("hi", {**RESULT, "output": LONG}), id="result"),
        pytest.param(asked("hi", {**RESULT, "output": parts(LONG)}), id="result-in-parts"),
        pytest.param(asked("hi", tools=[{"type": "custom", "name": "x", "description": LONG}]), id="tools"),
        pytest.param(
            asked({"type": "additional_tools", "tools": [{"description": LONG}]}), id="tools-within"
        ),
    ],
)
def test_all_that_a_model_reads_counts(request_: Request) -> None:
    assert 900 < request_.tokens < 1700


def test_sealed_thoughts_count_once() -> None:
    sealed = {"type": "reasoning", "encrypted_content": "x" * 500}
    shown = {**sealed, "summary": [{"type": "summary_text", "text": LONG}]}

    assert asked("hi", shown).tokens == asked("hi", sealed).tokens


def test_the_session_is_told_by_codexs_header() -> None:
    request = Request("r", Dialect.RESPONSES, {"input": "hi"}, b"", headers={"session-id": "01a2"})

    assert request.session_id == "01a2"


HINT = {"cache_control": {"type": "ephemeral"}}
FUNCTION = {"name": "run", "parameters": {"type": "object", "properties": HINT}}


@pytest.mark.parametrize(
    ("body", "marks"),
    [
        pytest.param(HINT, True, id="the-body"),
        pytest.param(
            {"system": [{"type": "text", "text": "s"}, {"type": "text", **HINT}]}, True, id="system"
        ),
        pytest.param({"tools": [{"name": "run", "input_schema": {}, **HINT}]}, True, id="a-tool"),
        pytest.param(
            {"tools": [{"type": "function", "function": {**FUNCTION, **HINT}}]}, True, id="function"
        ),
        pytest.param({"messages": [{"role": "user", "content": "hi", **HINT}]}, True, id="a-turn"),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "text", **HINT}]}]}, True, id="a-block"
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": [HINT]}]}]},
            True,
            id="inside-of-a-result",
        ),
        pytest.param(
            {"tools": [{"type": "function", "function": FUNCTION}]}, False, id="a-tools-own-argument"
        ),
        pytest.param({"messages": ["cache_control", {"content": "cache_control"}]}, False, id="a-word"),
        pytest.param({"system": "s", "tools": None, "messages": None}, False, id="nothing"),
    ],
)
def test_where_a_cache_may_end_is_said_where_it_is_heeded(body: dict[str, Any], marks: bool) -> None:
    assert Request("req_1", Dialect.MESSAGES, body, b"").marks_cache is marks


def test_the_output_of_a_call_may_say_it_too() -> None:
    assert asked({**RESULT, "output": [{"type": "input_text", "text": "x", **HINT}]}).marks_cache
