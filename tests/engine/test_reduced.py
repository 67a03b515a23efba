"""What a provider cannot take: what is left out for it, and what stands in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from coderouter_core.testing import Asked, ProviderError, Reply, Script, ServedRouter, make_router

THINKING: dict[str, Any] = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
TOOL: dict[str, Any] = {
    "name": "look",
    "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}},
}
FUNCTION: dict[str, Any] = {
    "type": "function",
    "function": {"name": "look", "parameters": TOOL["input_schema"]},
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
IMAGE: dict[str, Any] = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
}
IMAGE_URL: dict[str, Any] = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
UNSEEN = "[image left out: this model cannot see images]"
HINT: dict[str, Any] = {"cache_control": {"type": "ephemeral"}}


def shown(image: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "text", "text": "what is it?"}, image]}]


def capable(script: Script, *plugins: Any, **capabilities: Mapping[str, Any]) -> ServedRouter:
    providers = {name: {"capabilities": said} for name, said in capabilities.items()}
    return make_router(script, *plugins, providers=providers)


def degraded(asked: Asked) -> list[tuple[str, list[str], str]]:
    return [
        (event.fields["provider"], event.fields["dropped"], event.fields["reason"])
        for event in asked.events
        if event.name == "capability-degraded"
    ]


def sent(router: ServedRouter, name: str = "only") -> Any:
    return router.upstreams[name].calls[-1].body


def test_thinking_is_left_out_with_the_effort_that_goes_with_it() -> None:
    router = capable(Script(only=Script.messages("hi")), only={"thinking": False})
    effort: dict[str, Any] = {
        "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": {}}}
    }

    asked = router.ask(**THINKING, **effort)

    assert degraded(asked) == [("only", ["thinking", "output_config.effort"], "provider-does-not-support")]
    assert (sent(router).get("thinking"), sent(router)["output_config"].keys()) == (None, {"format"})


def test_the_thinking_of_earlier_turns_goes_with_it() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "sig"}
    turns: list[dict[str, Any]] = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [thought, {"type": "text", "text": "b"}]},
        {"role": "user", "content": "c"},
    ]
    router = capable(Script(only=Script.messages("hi")), only={"thinking": False})

    router.ask(turns, **THINKING)

    assert sent(router)["messages"][1]["content"] == [{"type": "text", "text": "b"}]


def test_a_wish_to_clear_old_thinking_goes_with_it() -> None:
    edits = [{"type": "clear_thinking_20251015"}, {"type": "clear_tool_uses_20250919"}]
    router = capable(Script(only=Script.messages("hi")), only={"thinking": False})

    router.ask(**THINKING, context_management={"edits": edits})

    assert sent(router)["context_management"] == {"edits": edits[1:]}


def test_a_chat_provider_that_does_not_think_is_not_told_how_hard() -> None:
    router = capable(Script(only="hi"), only={"thinking": False})

    asked = router.ask(dialect="chat", reasoning_effort="high")

    assert ("reasoning_effort" in sent(router), degraded(asked)) == (
        False,
        [("only", ["reasoning_effort"], "provider-does-not-support")],
    )


def test_tools_are_left_out_with_what_chooses_among_them() -> None:
    router = capable(Script(only="hi"), only={"tools": False})

    asked = router.ask(dialect="chat", tools=[FUNCTION], tool_choice="auto")

    assert (sent(router).keys() & {"tools", "tool_choice"}, degraded(asked)) == (
        set(),
        [("only", ["tools", "tool_choice"], "provider-does-not-support")],
    )


@pytest.mark.parametrize(
    ("dialect", "wire", "image"),
    [
        pytest.param("messages", Script.messages, IMAGE, id="messages"),
        pytest.param("messages", Script.chat, IMAGE, id="translated"),
        pytest.param("chat", Script.chat, IMAGE_URL, id="chat"),
    ],
)
def test_an_image_becomes_a_text_that_says_so(dialect: str, wire: Any, image: dict[str, Any]) -> None:
    router = capable(Script(only=wire("hi")), only={"vision": False})

    asked = router.ask(shown(image), dialect=dialect)

    content = str(sent(router)["messages"])
    assert (UNSEEN in content, PIXEL in content, degraded(asked)) == (
        True,
        False,
        [("only", ["image"], "provider-does-not-support")],
    )


def test_an_image_in_a_tools_result_is_replaced_too() -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [IMAGE]}
    turns: list[dict[str, Any]] = [
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    router = capable(Script(only=Script.messages("hi")), only={"vision": False})

    router.ask(turns)

    assert sent(router)["messages"][2]["content"][0]["content"] == [{"type": "text", "text": UNSEEN}]


HINTED: dict[str, Any] = {
    "system": [{"type": "text", "text": "be brief", **HINT}],
    "tools": [{**TOOL, **HINT}],
    "messages": [{"role": "user", "content": [{"type": "text", "text": "hi", **HINT}]}],
}


@pytest.mark.parametrize(
    ("wire", "said", "stripped", "told"),
    [
        pytest.param(Script.messages, {"prompt_cache": False}, True, True, id="known-not-to-take-it"),
        pytest.param(Script.messages, {"prompt_cache": True}, False, False, id="takes-it"),
        pytest.param(Script.messages, {}, False, False, id="native-and-unsaid"),
        pytest.param(Script.chat, {}, True, True, id="translated"),
        pytest.param(Script.chat, {"prompt_cache": True}, True, False, id="translated-and-cached-anyway"),
    ],
)
def test_cache_hints(wire: Any, said: dict[str, Any], stripped: bool, told: bool) -> None:
    router = capable(Script(only=wire("hi")), only=said)

    asked = router.ask(**HINTED)

    assert (b"cache_control" in router.upstreams["only"].calls[-1].raw) is not stripped
    assert degraded(asked) == ([("only", ["cache_control"], "translation-lossy")] if told else [])


@pytest.mark.parametrize("wire", [Script.messages, Script.chat], ids=["messages", "translated"])
def test_a_cache_hint_on_the_whole_request_goes_too(wire: Any) -> None:
    router = capable(Script(only=wire("hi")), only={"prompt_cache": False})

    asked = router.ask(**HINT)

    assert ("cache_control" in sent(router), degraded(asked)) == (
        False,
        [("only", ["cache_control"], "translation-lossy")],
    )


def test_what_is_left_out_for_one_attempt_reaches_the_others() -> None:
    script = Script(
        able=ProviderError("down", status=503),
        weak=ProviderError("down", status=503),
        last=ProviderError("down", status=503),
    )
    router = capable(script, weak={"vision": False})

    router.ask(shown(IMAGE), dialect="messages")

    assert [PIXEL in str(sent(router, name)) for name in ("able", "last", "weak")] == [True, True, False]


def test_a_request_that_fits_reaches_its_provider_byte_for_byte() -> None:
    router = capable(
        Script(only=Script.messages("hi")), only={"thinking": True, "vision": True, "tool_schema": "simple"}
    )
    raw = (
        b'{"model":"only-model", "max_tokens":9,  "thinking":{"type":"adaptive"},'
        b'"tools":[{"name":"f","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"h"}]}'
    )

    router.client.post("/v1/messages", content=raw, headers={"content-type": "application/json"})

    assert router.upstreams["only"].calls[-1].raw == raw.replace(
        b'"model":"only-model"', b'"model":"only-model"'
    )


# ---- reasoning in chat answers


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("said", "passes"),
    [
        pytest.param({}, True, id="unsaid"),
        pytest.param({"reasoning_passthrough": True}, True, id="yes"),
        pytest.param({"reasoning_passthrough": False}, False, id="no"),
    ],
)
def test_reasoning_passes_unless_somebody_said_no(said: dict[str, Any], passes: bool, stream: bool) -> None:
    router = capable(Script(only=Reply("hello", thinking="hm, let me see")), only=said)

    asked = router.ask(dialect="chat", stream=stream)

    assert (b'"reasoning_content":"' in asked.raw.replace(b": ", b":"), asked.text) == (passes, "hello")
    told = [("only", ["reasoning", "reasoning_content"], "non-standard-field")]
    assert degraded(asked) == ([] if passes else told)


def test_a_messages_client_gets_the_reasoning_all_the_same() -> None:
    router = capable(
        Script(only=Reply("hello", thinking="hm, let me see")), only={"reasoning_passthrough": False}
    )

    assert router.ask().body["content"][0]["thinking"] == "hm, let me see"


# ---- tool schemas


ODD: dict[str, Any] = {
    "type": "object",
    "properties": {"file": {"$ref": "#/$defs/Path"}, "like": {"$ref": "#"}},
    "required": ["file"],
    "$defs": {"Path": {"type": "string", "format": "uri", "pattern": "^(?!x)"}},
}
SIMPLE = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "description": "(format: uri; pattern: ^(?!x))"},
        "like": {"type": "object"},
    },
    "required": ["file"],
}


@pytest.mark.parametrize(
    ("dialect", "tool"),
    [
        pytest.param("messages", {"name": "open", "input_schema": ODD}, id="messages"),
        pytest.param(
            "chat", {"type": "function", "function": {"name": "open", "parameters": ODD}}, id="chat"
        ),
    ],
)
def test_an_engine_that_makes_grammars_gets_simple_schemas(dialect: str, tool: dict[str, Any]) -> None:
    router = capable(Script(only="hi"), only={"tool_schema": "simple"})

    router.ask(dialect=dialect, tools=[tool])

    assert sent(router)["tools"][0]["function"]["parameters"] == SIMPLE


def test_an_engine_that_makes_grammars_gets_a_simple_schema_for_its_answer() -> None:
    router = capable(Script(only="hi"), only={"tool_schema": "simple"})
    wanted = {"type": "json_schema", "json_schema": {"name": "file", "schema": ODD}}

    router.ask(dialect="chat", response_format=wanted)

    assert sent(router)["response_format"]["json_schema"]["schema"] == SIMPLE


def test_an_effort_that_is_left_out_does_not_come_back_with_a_simple_schema() -> None:
    router = capable(Script(only="hi"), only={"tool_schema": "simple", "thinking": False})
    config = {"effort": "high", "format": {"type": "json_schema", "schema": ODD}}

    router.ask(thinking={"type": "adaptive"}, output_config=config)

    assert "reasoning_effort" not in sent(router)


def test_the_same_tools_are_the_same_bytes_in_every_request() -> None:
    router = capable(Script(only=["hi", "ho"]), only={"tool_schema": "simple"})

    for _ in range(2):
        router.ask(tools=[{"name": "open", "input_schema": ODD}])

    first, second = router.upstreams["only"].calls
    assert first.raw == second.raw
