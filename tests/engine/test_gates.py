"""What a provider cannot do: who is tried before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from coderouter_core.cli.assemble import enabled_plugins
from coderouter_core.testing import Asked, ProviderError, Script, ServedRouter, make_router

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


NEEDS = [
    pytest.param("messages", THINKING, "thinking", id="thinking"),
    pytest.param("messages", {"thinking": {"type": "adaptive"}}, "thinking", id="adaptive-thinking"),
    pytest.param("messages", {"tools": [TOOL]}, "tools", id="tools"),
    pytest.param("messages", {"messages": shown(IMAGE)}, "vision", id="image"),
    pytest.param("chat", {"reasoning_effort": "high"}, "thinking", id="chat-effort"),
    pytest.param("chat", {"tools": [FUNCTION]}, "tools", id="chat-tools"),
    pytest.param("chat", {"messages": shown(IMAGE_URL)}, "vision", id="chat-image"),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("dialect", "body", "flag"), NEEDS)
def test_a_provider_that_can_is_tried_before_one_that_cannot(
    dialect: str, body: dict[str, Any], flag: str, stream: bool
) -> None:
    router = capable(Script(weak="weak", able="able"), weak={flag: False}, able={flag: True})

    assert router.ask(dialect=dialect, stream=stream, **body).provider == "able"


@pytest.mark.parametrize(("dialect", "body", "flag"), NEEDS)
def test_a_request_that_asks_for_less_keeps_the_order(dialect: str, body: dict[str, Any], flag: str) -> None:
    router = capable(Script(weak="weak", able="able"), weak={flag: False}, able={flag: True})

    assert router.ask(dialect=dialect).provider == "weak"


@pytest.mark.parametrize(("dialect", "body", "flag"), NEEDS)
def test_nobody_moves_where_nobody_can(dialect: str, body: dict[str, Any], flag: str) -> None:
    router = capable(Script(one="one", two="two"), one={flag: False}, two={flag: False})

    asked = router.ask(dialect=dialect, **body)

    assert (asked.provider, "demote-provider" in asked.event_names) == ("one", False)


def test_a_demotion_is_the_cores_own_and_says_what_is_lacking() -> None:
    router = capable(Script(weak="weak", able="able"), weak={"tools": False})

    asked = router.ask(tools=[TOOL])

    (event,) = [event for event in asked.events if event.name == "demote-provider"]
    assert dict(event.fields) == {
        "profile": "default",
        "provider": "weak",
        "plugin": "core",
        "reason": "the request declares tools, which it does not take",
        "weight": 10,
    }


@pytest.mark.parametrize(
    ("flag", "body", "provider"),
    [
        pytest.param("tools", {"tools": [TOOL]}, "unsaid", id="tools"),
        pytest.param("vision", {"messages": shown(IMAGE)}, "unsaid", id="vision"),
        pytest.param("thinking", THINKING, "able", id="thinking-must-be-known"),
        pytest.param(
            "thinking", {"thinking": {"type": "adaptive"}}, "unsaid", id="adaptive-leaves-it-to-the-model"
        ),
    ],
)
def test_what_nobody_said_counts_as_able_except_thinking(
    flag: str, body: dict[str, Any], provider: str
) -> None:
    router = capable(Script(unsaid="unsaid", able="able"), able={flag: True})

    assert router.ask(**body).provider == provider


def test_a_provider_whose_reasoning_can_be_switched_is_one_that_thinks() -> None:
    router = capable(
        Script(local="local", able="able"), local={"reasoning_control": "openai"}, able={"thinking": True}
    )

    assert router.ask(**THINKING).provider == "local"


def test_thinking_that_is_switched_off_is_not_asked_for() -> None:
    router = capable(Script(weak="weak", able="able"), weak={"thinking": False}, able={"thinking": True})

    assert router.ask(thinking={"type": "disabled"}).provider == "weak"


def test_a_provider_that_cannot_is_still_there_when_the_others_fail() -> None:
    script = Script(weak="weak", able=ProviderError("down", status=503))
    router = capable(script, weak={"tools": False})

    asked = router.ask(tools=[TOOL])

    assert (asked.provider, degraded(asked)) == ("weak", [("weak", ["tools"], "provider-does-not-support")])


def test_a_profile_for_claude_code_with_models_that_cope_badly_is_told_at_start() -> None:
    adapter = dict(enabled_plugins()).get("openai-compat")
    if adapter is None:
        pytest.skip("the bundled rule is about a kind whose adapter is not installed")
    router = make_router(
        ("openai-compat", adapter),
        Script(llama="hi", other="ho"),
        providers={"llama": {"kind": "openai-compat", "model": "meta-llama/llama-3.3-70b"}},
        profiles=[
            {"name": "default", "providers": ["llama"]},
            {"name": "claude-code-fast", "providers": ["other", "llama"]},
        ],
    )

    found = [
        event.fields for event in router.events if event.name == "chain-claude-code-suitability-degraded"
    ]

    assert [{**fields, "hint": bool(fields["hint"])} for fields in found] == [
        {
            "profile": "claude-code-fast",
            "degraded_providers": ["llama"],
            "degraded_models": ["meta-llama/llama-3.3-70b"],
            "hint": True,
        }
    ]
