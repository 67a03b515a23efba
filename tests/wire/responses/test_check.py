"""Requests of Responses clients that are refused, and those that are not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coderouter_core.errors import RequestError
from coderouter_core.model import Dialect, Fault
from coderouter_core.wire import client_side

BODY = {"model": "m", "input": "hi"}
RESPONSES = client_side(Dialect.RESPONSES)


def refused(**change: Any) -> Fault:
    with pytest.raises(RequestError) as caught:
        RESPONSES.check({**BODY, **change})
    return caught.value.fault


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"input": 3}, "input: must be a string or a list of items; not a number", id="input"),
        pytest.param({"input": []}, "input: must hold at least one item", id="no-items"),
        pytest.param({"input": ["x"]}, "input.0: must be an object with a type, not a string", id="item"),
        pytest.param({"input": [{"type": 1}]}, "input.0.type: must be a string, not a number", id="type"),
        pytest.param(
            {"input": [{"role": "tool"}]},
            "input.0.role: must be one of user, assistant, system, developer",
            id="role",
        ),
        pytest.param(
            {"input": [{"role": "user", "content": 1}]},
            "input.0.content: must be a string or a list of blocks, not a number",
            id="content",
        ),
        pytest.param(
            {"input": [{"type": "function_call", "name": "f"}]},
            "input.0.call_id: must be a string; it is missing",
            id="call",
        ),
        pytest.param(
            {"input": [{"type": "function_call_output", "call_id": 1}]},
            "input.0.call_id: must be a string; not a number",
            id="result",
        ),
        pytest.param(
            {"instructions": ["x"]}, "instructions: must be a string, not a list", id="instructions"
        ),
        pytest.param({"tools": [1]}, "tools.0: must be an object, not a number", id="tools"),
        pytest.param({"stream": "yes"}, "stream: must be true or false, not a string", id="stream"),
        pytest.param(
            {"max_output_tokens": 0},
            "max_output_tokens: must be a whole number of at least 1; not 0",
            id="most",
        ),
        pytest.param({"reasoning": "high"}, "reasoning: must be an object, not a string", id="reasoning"),
    ],
)
def test_the_place_is_named(change: dict[str, Any], message: str) -> None:
    assert refused(**change).message == message


def test_a_missing_input_is_named() -> None:
    with pytest.raises(RequestError, match="input: must be a string or a list of items; it is missing"):
        RESPONSES.check({"model": "m"})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"previous_response_id": "resp_1"}, "previous_response_not_found", id="previous"),
        pytest.param({"conversation": "conv_1"}, "unsupported_parameter", id="conversation"),
        pytest.param({"background": True}, "unsupported_parameter", id="background"),
        pytest.param({"prompt": {"id": "pmpt_1"}}, "unsupported_parameter", id="stored-prompt"),
        pytest.param(
            {"input": [{"type": "item_reference", "id": "msg_1"}]}, "unsupported_parameter", id="reference"
        ),
    ],
)
def test_what_needs_a_memory_is_refused(change: dict[str, Any], code: str) -> None:
    fault = refused(**change)

    assert (fault.status, fault.code, "must be" in fault.message) == (400, code, True)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"store": True, "previous_response_id": None, "background": False}, id="store"),
        pytest.param({"brand_new": {"a": 1}, "tools": [{"type": "brand_new"}]}, id="unknown-fields"),
        pytest.param({"input": [{"type": "brand_new", "x": 1}]}, id="unknown-items"),
        pytest.param({"input": [{"role": "user", "content": "x"}]}, id="easy-message"),
        pytest.param(
            {
                "input": [
                    {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image"}]}
                ]
            },
            id="image-in-a-result",
        ),
    ],
)
def test_what_passes(change: dict[str, Any]) -> None:
    RESPONSES.check({**BODY, **change})


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 9)
    | st.sampled_from(["", "user", "message", "function_call"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "call_id", "output"]), inner, max_size=4
        )
    ),
    max_leaves=10,
)
FIELDS = st.sampled_from(["input", "tools", "stream", "store", "reasoning", "text", "prompt", "conversation"])


@given(body=st.dictionaries(FIELDS, ANYTHING, max_size=5))
def test_any_object_passes_or_is_refused_with_a_reason(body: dict[str, Any]) -> None:
    try:
        RESPONSES.check(body)
        message = ": must be nothing else"
    except RequestError as error:
        message = error.fault.message

    assert ": must " in message
