"""Responses requests as requests of the other dialects."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from coderouter_core.errors import RequestError
from coderouter_core.model import Dialect
from coderouter_core.wire import Translated, client_side, codec, translate
from coderouter_core.wire.responses.sealed import Thought, seal

PNG = "aVZCT1J3MEtHZ28="
IMAGE = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}
IMAGE_PART = {"type": "image_url", "image_url": {"url": IMAGE["image_url"]}}
IMAGE_BLOCK = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
PDF = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}
USER = {"role": "user", "content": "hi"}
RUN = {
    "type": "function",
    "name": "run",
    "description": "d",
    "parameters": {"type": "object", "properties": {}},
}
FUNCTION = {"type": "function", "function": {key: RUN[key] for key in ("name", "parameters", "description")}}
CUSTOM = {"type": "custom", "name": "apply_patch"}
GROUP = {"type": "namespace", "name": "agents", "tools": [{"type": "function", "name": "run"}]}


def message(role: str, *texts: str) -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text} for text in texts]}


def call(identity: str, **more: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": identity, "name": "run", "arguments": '{"a":1}', **more}


def result(identity: str, output: Any = "RAN") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": identity, "output": output}


def reasoning(text: str, signature: str = "") -> dict[str, Any]:
    return {"type": "reasoning", "summary": [], "encrypted_content": seal(Thought(text, signature))}


def translated(target: Dialect, how: dict[str, Any] | None = None, /, **body: Any) -> Translated:
    """What passes the target's own check, as it must."""
    whole = {"model": "m", "input": "hi", **body}
    client_side(Dialect.RESPONSES).check(whole)
    found = translate(whole, Dialect.RESPONSES, target, **(how or {}))
    codec(target).check(found.body)
    return found


def chat(*items: Any, how: dict[str, Any] | None = None, **body: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = translated(Dialect.CHAT, how, input=list(items), **body).body["messages"]
    return found


def messages(*items: Any, **body: Any) -> dict[str, Any]:
    return translated(Dialect.MESSAGES, input=list(items), **body).body


def dropped(target: Dialect, how: dict[str, Any] | None = None, /, **body: Any) -> list[str]:
    return [field for field, _ in translated(target, how, **body).dropped]


def test_a_plain_request_for_chat() -> None:
    asked = {"instructions": "INS", "temperature": 0.5, "max_output_tokens": 9, "stream": True}

    assert translated(Dialect.CHAT, **asked) == Translated(
        {
            "model": "m",
            "temperature": 0.5,
            "max_tokens": 9,
            "stream": True,
            "stream_options": {"include_usage": True},
            "messages": [{"role": "system", "content": "INS"}, USER],
        }
    )


def test_a_plain_request_for_messages() -> None:
    assert translated(Dialect.MESSAGES, instructions="INS", max_output_tokens=9) == Translated(
        {
            "model": "m",
            "max_tokens": 9,
            "system": "INS",
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        }
    )


def test_what_developers_say_first_is_one_system_prompt() -> None:
    assert chat(message("developer", "ONE"), message("system", "TWO"), USER, instructions="INS") == [
        {"role": "system", "content": "INS\nONE\nTWO"},
        USER,
    ]


def test_what_they_say_later_stays_in_its_place() -> None:
    assert [turn["role"] for turn in chat(USER, message("developer", "NOW"), USER)] == [
        "user",
        "system",
        "user",
    ]


def test_parallel_calls_and_their_results_for_chat() -> None:
    turns = chat(USER, message("assistant", "Go."), call("c1"), call("c2"), result("c1"), result("c2"))

    assert [(turn["role"], turn.get("tool_call_id"), len(turn.get("tool_calls", ()))) for turn in turns] == [
        ("user", None, 0),
        ("assistant", None, 2),
        ("tool", "c1", 0),
        ("tool", "c2", 0),
    ]


def test_parallel_calls_and_their_results_for_messages() -> None:
    turns = messages(USER, message("assistant", "Go."), call("c1"), call("c2"), result("c1"), result("c2"))

    assert [[block["type"] for block in turn["content"]] for turn in turns["messages"]] == [
        ["text"],
        ["text", "tool_use", "tool_use"],
        ["tool_result", "tool_result"],
    ]


@pytest.mark.parametrize(
    ("item", "name", "arguments"),
    [
        pytest.param(call("c"), "run", {"a": 1}, id="function"),
        pytest.param(call("c", namespace="agents"), "agents__run", {"a": 1}, id="of-a-group"),
        pytest.param(
            {"type": "custom_tool_call", "call_id": "c", "name": "apply_patch", "input": 'a\n"b"'},
            "apply_patch",
            {"input": 'a\n"b"'},
            id="custom",
        ),
        pytest.param(
            {"type": "tool_search_call", "call_id": "c", "execution": "client", "arguments": {"query": "x"}},
            "tool_search",
            {"query": "x"},
            id="search",
        ),
        pytest.param(
            {
                "type": "local_shell_call",
                "call_id": "c",
                "action": {"type": "exec", "command": ["ls"], "env": {}},
            },
            "local_shell",
            {"command": ["ls"]},
            id="shell",
        ),
    ],
)
def test_calls_of_earlier_turns(item: dict[str, Any], name: str, arguments: Any) -> None:
    [_, turn, _] = chat(USER, item, result("c"))

    function = turn["tool_calls"][0]["function"]
    assert (function["name"], json.loads(function["arguments"])) == (name, arguments)


@pytest.mark.parametrize(
    "item",
    [
        {"type": "custom_tool_call_output", "call_id": "c", "output": "RAN"},
        {"type": "local_shell_call_output", "call_id": "c", "output": "RAN"},
        result("c", [{"type": "input_text", "text": "RAN"}]),
        result("c", {"stdout": "RAN"}),
    ],
    ids=["custom", "shell", "parts", "object"],
)
def test_results(item: dict[str, Any]) -> None:
    if isinstance(item["output"], dict):
        item = {**item, "type": "shell_call_output"}

    assert "RAN" in chat(USER, call("c"), item)[-1]["content"]


def test_an_image_for_chat() -> None:
    [turn] = chat({"role": "user", "content": [{"type": "input_text", "text": "see"}, IMAGE]})

    assert turn["content"] == [{"type": "text", "text": "see"}, IMAGE_PART]


def test_an_image_for_messages() -> None:
    body = messages({"role": "user", "content": [IMAGE]})

    assert body["messages"][0]["content"] == [IMAGE_BLOCK]


def test_an_image_in_a_result_stays_there_for_messages() -> None:
    body = messages(USER, call("c"), result("c", [IMAGE]))

    assert body["messages"][-1]["content"][0]["content"] == [IMAGE_BLOCK]


def test_an_image_in_a_result_follows_it_for_chat() -> None:
    turns = chat(USER, call("c"), result("c", [IMAGE]))

    assert [turn["role"] for turn in turns[-2:]] == ["tool", "user"]
    assert IMAGE_PART in turns[-1]["content"]


def test_a_document_for_messages() -> None:
    [block] = messages({"role": "user", "content": [PDF]})["messages"][0]["content"]

    assert (block["type"], block["title"], block["source"]["data"]) == ("document", "a.pdf", "AAAA")


@pytest.mark.parametrize("target", [Dialect.CHAT, Dialect.MESSAGES])
def test_an_uploaded_file_leaves_a_note_and_is_told(target: Dialect) -> None:
    found = translated(
        target, input=[{"role": "user", "content": [{"type": "input_file", "file_id": "file_1"}]}]
    )

    assert ("left out" in str(found.body["messages"]), len(found.dropped)) == (True, 1)


def tools_of(target: Dialect, *tools: Any, **body: Any) -> Any:
    return translated(target, tools=list(tools), **body).body.get("tools")


def test_functions_for_chat() -> None:
    assert tools_of(Dialect.CHAT, RUN, {**RUN, "strict": True}) == [
        {"type": "function", "function": {**FUNCTION["function"], "strict": True}}
    ]


def test_functions_for_messages() -> None:
    assert tools_of(Dialect.MESSAGES, RUN) == [
        {"name": "run", "description": "d", "input_schema": RUN["parameters"]}
    ]


def test_custom_tools_are_functions_of_one_string() -> None:
    [tool] = tools_of(Dialect.CHAT, CUSTOM)

    assert list(tool["function"]["parameters"]["properties"]) == ["input"]


@pytest.mark.parametrize("target", [Dialect.CHAT, Dialect.MESSAGES])
def test_tools_of_servers_are_told(target: Dialect) -> None:
    assert dropped(target, tools=[RUN, {"type": "web_search"}]) == ["tools.web_search"]


@pytest.mark.parametrize(
    ("choice", "for_chat", "for_messages"),
    [
        pytest.param("auto", "auto", {"type": "auto"}, id="auto"),
        pytest.param("required", "required", {"type": "any"}, id="required"),
        pytest.param("none", "none", {"type": "none"}, id="none"),
        pytest.param(
            {"type": "function", "name": "run"},
            {"type": "function", "function": {"name": "run"}},
            {"type": "tool", "name": "run"},
            id="function",
        ),
        pytest.param(
            {"type": "custom", "name": "apply_patch"},
            {"type": "function", "function": {"name": "apply_patch"}},
            {"type": "tool", "name": "apply_patch"},
            id="custom",
        ),
        pytest.param(
            {"type": "function", "name": "run", "namespace": "agents"},
            {"type": "function", "function": {"name": "agents__run"}},
            {"type": "tool", "name": "agents__run"},
            id="of-a-group",
        ),
    ],
)
def test_choices(choice: Any, for_chat: Any, for_messages: Any) -> None:
    asked = {"tools": [RUN, CUSTOM, GROUP], "tool_choice": choice}

    found = [translated(target, **asked).body["tool_choice"] for target in (Dialect.CHAT, Dialect.MESSAGES)]
    assert found == [for_chat, for_messages]


def test_allowed_tools_are_the_only_ones() -> None:
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "run"}]}

    body = translated(Dialect.CHAT, tools=[RUN, CUSTOM], tool_choice=allowed).body
    assert (body["tools"], body["tool_choice"]) == ([FUNCTION], "required")


def test_a_choice_of_a_servers_tool_is_told() -> None:
    asked = {"tools": [RUN, {"type": "web_search"}], "tool_choice": {"type": "web_search"}}

    assert dropped(Dialect.CHAT, **asked) == ["tools.web_search", "tool_choice"]


@pytest.mark.parametrize(
    ("target", "field"),
    [
        (Dialect.CHAT, ("parallel_tool_calls", False)),
        (Dialect.MESSAGES, ("tool_choice", {"type": "auto", "disable_parallel_tool_use": True})),
    ],
)
def test_one_call_at_a_time(target: Dialect, field: tuple[str, Any]) -> None:
    body = translated(target, tools=[RUN], parallel_tool_calls=False).body

    assert body[field[0]] == field[1]


SCHEMA = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}


def test_a_schema_for_chat() -> None:
    assert translated(Dialect.CHAT, text={"format": SCHEMA}).body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
    }


def test_json_for_chat() -> None:
    body = translated(Dialect.CHAT, text={"format": {"type": "json_object"}}).body

    assert body["response_format"] == {"type": "json_object"}


def test_a_schema_is_told_as_lost_for_messages() -> None:
    assert dropped(Dialect.MESSAGES, text={"format": SCHEMA}) == ["response_format"]


def test_how_hard_to_think_for_chat() -> None:
    asked = {"reasoning": {"effort": "minimal", "summary": "auto"}, "text": {"verbosity": "low"}}
    body = translated(Dialect.CHAT, {"control": "openai"}, **asked).body

    assert (body["reasoning_effort"], body["verbosity"]) == ("minimal", "low")


def test_how_hard_to_think_for_messages() -> None:
    body = translated(Dialect.MESSAGES, {"control": "anthropic"}, reasoning={"effort": "high"}).body

    assert body["output_config"] == {"effort": "high"}


@pytest.mark.parametrize("target", [Dialect.CHAT, Dialect.MESSAGES])
def test_how_hard_to_think_is_told_where_nobody_is_asked(target: Dialect) -> None:
    asked = {"reasoning": {"effort": "high"}, "text": {"verbosity": "low"}}

    assert dropped(target, **asked) == ["reasoning_effort", "verbosity"]


@pytest.mark.parametrize("target", [Dialect.CHAT, Dialect.MESSAGES])
def test_what_no_answer_depends_on_is_not_told(target: Dialect) -> None:
    asked = {
        "store": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "k",
        "client_metadata": {"a": "b"},
        "metadata": {"a": "b"},
        "parallel_tool_calls": True,
        "truncation": "disabled",
        "service_tier": "auto",
        "reasoning": {"summary": "auto"},
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
    }

    assert dropped(target, **asked) == []


@pytest.mark.parametrize("target", [Dialect.CHAT, Dialect.MESSAGES])
@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"truncation": "auto"}, "truncation"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"include": ["message.output_text.logprobs"]}, "include.message.output_text.logprobs"),
        ({"brand_new": 1}, "brand_new"),
        (
            {"input": [USER, {"type": "web_search_call", "id": "w", "status": "completed"}]},
            "input.web_search_call",
        ),
    ],
)
def test_what_is_lost_is_told(target: Dialect, asked: dict[str, Any], field: str) -> None:
    assert dropped(target, **asked) == [field]


THOUGHT = [USER, reasoning("HM", "c2ln"), message("assistant", "Go."), call("c"), result("c")]


def test_thoughts_come_back_to_chat_providers_that_want_them() -> None:
    [_, turn, _] = chat(*THOUGHT, how={"reasoning": True})

    assert (turn["reasoning_content"], turn["content"]) == ("HM", "Go.")


def test_thoughts_do_not_come_back_to_others() -> None:
    assert "HM" not in str(chat(*THOUGHT))


def test_signed_thoughts_come_back_to_messages_providers() -> None:
    turn = messages(*THOUGHT)["messages"][1]

    assert turn["content"][0] == {"type": "thinking", "thinking": "HM", "signature": "c2ln"}


@pytest.mark.parametrize(
    "item",
    [reasoning("HM"), {"type": "reasoning", "summary": [{"text": "HM"}], "encrypted_content": "gAAAA"}],
    ids=["nobody-signed", "not-ours"],
)
def test_other_thoughts_do_not(item: dict[str, Any]) -> None:
    assert "HM" not in str(messages(USER, item, call("c"), result("c")))


def test_nothing_of_the_request_is_changed() -> None:
    body = {"model": "m", "input": [USER, *THOUGHT], "tools": [RUN, CUSTOM, GROUP], "instructions": "INS"}
    before = json.dumps(body)

    for target in (Dialect.CHAT, Dialect.MESSAGES):
        translate(body, Dialect.RESPONSES, target, reasoning=True)

    assert json.dumps(body) == before


VALUES = st.sampled_from([None, True, 0, -1, 2.5, "", "a", [], {}, ["x"], {"a": 1}, [{"type": "input_text"}]])
KEYS = st.sampled_from(
    [
        *(
            "role",
            "content",
            "name",
            "namespace",
            "arguments",
            "input",
            "output",
            "tools",
            "action",
            "execution",
        ),
        *("text", "image_url", "file_data", "encrypted_content", "id", "parameters", "format", "description"),
    ]
)
TYPES = st.sampled_from(
    [
        *(
            "message",
            "reasoning",
            "function_call",
            "function_call_output",
            "custom_tool_call",
            "local_shell_call",
        ),
        *(
            "custom_tool_call_output",
            "tool_search_call",
            "tool_search_output",
            "additional_tools",
            "brand_new",
        ),
        *(
            "input_text",
            "output_text",
            "input_image",
            "input_file",
            "refusal",
            "function",
            "custom",
            "namespace",
        ),
    ]
)
OBJECTS = st.recursive(
    VALUES,
    lambda inner: st.builds(
        lambda kind, role, rest: {"type": kind, "role": role, "call_id": "c", "name": "n", **rest},
        TYPES,
        st.sampled_from(["user", "assistant", "developer"]),
        st.dictionaries(KEYS, inner | st.lists(inner, max_size=2), max_size=3),
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        *("tools", "tool_choice", "text", "reasoning", "include", "metadata", "truncation", "service_tier"),
        *("parallel_tool_calls", "instructions", "user", "top_logprobs", "brand_new"),
    ]
)


@given(
    items=st.lists(OBJECTS, min_size=1, max_size=5),
    rest=st.dictionaries(FIELDS, OBJECTS | st.lists(OBJECTS, max_size=2), max_size=4),
    how=st.sampled_from([{}, *({"control": name, "reasoning": True} for name in ("openai", "anthropic"))]),
)
@pytest.mark.parametrize("target", [Dialect.CHAT, Dialect.MESSAGES])
def test_whatever_passes_the_check_becomes_a_request(
    target: Dialect, items: list[Any], rest: dict[str, Any], how: dict[str, Any]
) -> None:
    body = {"model": "m", "input": items, **rest}
    try:
        client_side(Dialect.RESPONSES).check(body)
    except RequestError:
        assume(False)

    made = translate(body, Dialect.RESPONSES, target, **how).body

    codec(target).check(orjson.loads(orjson.dumps(made)))
    client_side(Dialect.RESPONSES).fold([], asked=body)
