"""Requests that are not what a dialect allows are refused with a 400 that says where and why."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coderouter_core.errors import RequestError
from coderouter_core.model import Dialect
from coderouter_core.wire import codec

HI = {"role": "user", "content": "hi"}
MESSAGES: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [HI]}
CHAT: dict[str, Any] = {"model": "m", "messages": [HI]}
BODIES = {Dialect.MESSAGES: MESSAGES, Dialect.CHAT: CHAT}
DIALECTS = pytest.mark.parametrize("dialect", list(BODIES))


def refusal(dialect: Dialect, body: dict[str, Any]) -> str:
    with pytest.raises(RequestError) as caught:
        codec(dialect).check(body)
    assert (caught.value.fault.status, caught.value.fault.kind) == (400, "invalid_request_error")
    return caught.value.fault.message


@DIALECTS
@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"messages": "hi"}, "messages: must be a list of turns; not a string", id="text"),
        pytest.param({"messages": None}, "messages: must be a list of turns; not null", id="null"),
        pytest.param({"messages": []}, "messages: must hold at least one turn", id="empty"),
        pytest.param(
            {"messages": [HI, "hi"]},
            "messages.1: must be an object with role and content, not a string",
            id="turn",
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": 5}]},
            "messages.0.content: must be a string or a list of blocks, not a number",
            id="content",
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": ["hi"]}]},
            "messages.0.content.0: must be an object with a type",
            id="block",
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"text": "hi"}]}]},
            "messages.0.content.0: must be an object with a type",
            id="block-without-type",
        ),
        pytest.param({"stream": "yes"}, "stream: must be true or false, not a string", id="stream"),
        pytest.param({"model": 5}, "model: must be a string, not a number", id="model"),
        pytest.param({"tools": {}}, "tools: must be a list, not an object", id="tools"),
        pytest.param({"tools": ["f"]}, "tools.0: must be an object, not a string", id="tool"),
        pytest.param({"temperature": "hot"}, "temperature: must be a number, not a string", id="temperature"),
        pytest.param(
            {"max_tokens": 0}, "max_tokens: must be a whole number of at least 1; not 0", id="no-tokens"
        ),
        pytest.param(
            {"max_tokens": True},
            "max_tokens: must be a whole number of at least 1; not a boolean",
            id="tokens",
        ),
    ],
)
def test_what_both_dialects_refuse(dialect: Dialect, change: dict[str, Any], message: str) -> None:
    assert refusal(dialect, {**BODIES[dialect], **change}) == message


@DIALECTS
def test_messages_are_required(dialect: Dialect) -> None:
    assert refusal(dialect, {"max_tokens": 9}) == "messages: must be a list of turns; it is missing"


@pytest.mark.parametrize(
    ("dialect", "roles"),
    [
        (Dialect.MESSAGES, "user, assistant, system"),
        (Dialect.CHAT, "system, developer, user, assistant, tool, function"),
    ],
)
def test_a_role_nobody_knows_is_named(dialect: Dialect, roles: str) -> None:
    body = {**BODIES[dialect], "messages": [{"role": "bogus", "content": "x"}]}

    assert refusal(dialect, body) == f"messages.0.role: must be one of {roles}, not 'bogus'"


@DIALECTS
def test_the_prompt_is_never_quoted(dialect: Dialect) -> None:
    body = {**BODIES[dialect], "messages": [{"role": "my secret prompt", "content": "x"}]}

    assert "secret" not in refusal(dialect, body)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            {"max_tokens": None}, "max_tokens: must be a whole number of at least 1; not null", id="tokens"
        ),
        pytest.param(
            {"messages": [{"role": "user"}]},
            "messages.0.content: must be a string or a list of blocks, not null",
            id="content",
        ),
        pytest.param(
            {"system": 5}, "system: must be a string or a list of blocks, not a number", id="system"
        ),
        pytest.param({"tool_choice": "auto"}, "tool_choice: must be an object, not a string", id="choice"),
        pytest.param(
            {"stop_sequences": "x"}, "stop_sequences: must be a list of strings, not a string", id="stop"
        ),
        pytest.param({"thinking": True}, "thinking: must be an object, not a boolean", id="thinking"),
    ],
)
def test_what_messages_refuses(change: dict[str, Any], message: str) -> None:
    assert refusal(Dialect.MESSAGES, {**MESSAGES, **change}) == message


def test_messages_requires_max_tokens() -> None:
    message = refusal(Dialect.MESSAGES, {"messages": [HI]})

    assert message == "max_tokens: must be a whole number of at least 1; it is missing"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"stop": 5}, "stop: must be a string or a list of strings, not a number", id="stop"),
        pytest.param({"n": 0}, "n: must be a whole number of at least 1; not 0", id="n"),
        pytest.param(
            {"tool_choice": 1}, "tool_choice: must be a string or an object, not a number", id="choice"
        ),
        pytest.param(
            {"messages": [{"role": "assistant", "tool_calls": {"id": 1}}]},
            "messages.0.tool_calls: must be a list of objects",
            id="calls",
        ),
    ],
)
def test_what_chat_refuses(change: dict[str, Any], message: str) -> None:
    assert refusal(Dialect.CHAT, {**CHAT, **change}) == message


@pytest.mark.parametrize(
    ("dialect", "change"),
    [
        pytest.param(Dialect.MESSAGES, {"brand_new": {"a": 1}, "stream": None}, id="unknown-field"),
        pytest.param(
            Dialect.MESSAGES, {"messages": [HI, {"role": "system", "content": "x"}, HI]}, id="system-amid"
        ),
        pytest.param(
            Dialect.MESSAGES, {"messages": [{"role": "user", "content": [{"type": "new"}]}]}, id="new-block"
        ),
        pytest.param(Dialect.MESSAGES, {"system": [{"type": "text", "text": "x"}]}, id="system-blocks"),
        pytest.param(
            Dialect.MESSAGES, {"tools": [{"type": "web_search_20250305", "name": "w"}]}, id="server-tool"
        ),
        pytest.param(Dialect.CHAT, {"messages": [{"role": "assistant", "content": None}]}, id="null-content"),
        pytest.param(Dialect.CHAT, {"messages": [{"role": "developer", "content": "x"}]}, id="developer"),
        pytest.param(
            Dialect.CHAT, {"messages": [{"role": "function", "name": "f", "content": "x"}]}, id="function"
        ),
        pytest.param(Dialect.CHAT, {"stop": "x", "max_tokens": None, "temperature": 1}, id="stop-string"),
        pytest.param(Dialect.CHAT, {"stop": ["x"], "tools": None, "tool_choice": "auto"}, id="stop-list"),
    ],
)
def test_what_passes(dialect: Dialect, change: dict[str, Any]) -> None:
    codec(dialect).check({**BODIES[dialect], **change})


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "tool_calls"]), inner, max_size=3
        )
    ),
    max_leaves=10,
)
FIELDS = st.sampled_from(
    [
        "messages",
        "max_tokens",
        "system",
        "tools",
        "tool_choice",
        "stream",
        "stop",
        "n",
        "functions",
        "metadata",
    ]
)


@DIALECTS
@given(body=st.dictionaries(FIELDS, ANYTHING, max_size=5))
def test_any_object_passes_or_is_refused_with_a_reason(dialect: Dialect, body: dict[str, Any]) -> None:
    try:
        codec(dialect).check(body)
        message = ": must be nothing else"
    except RequestError as error:
        message = error.fault.message

    assert ": must " in message
