"""The vendors' TypeScript SDKs, run by node, through the router to scripted upstreams. ``nox -s e2e`` installs them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from e2e.agents import CHAT, PNG, WIRES, routed
from e2e.sdks import ask
from e2e.wiretap import Wiretap

from coderouter_core.testing import (
    CutAfter,
    ErrorAfter,
    ProviderError,
    Reply,
    Script,
    Step,
    ToolCall,
    make_router,
)

OSLO, TOKYO = ToolCall("weather", {"city": 'Oslo "x" 🎉'}), ToolCall("weather", {"city": "東京"})
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = {
    "messages": {"name": "weather", "description": "d", "input_schema": SCHEMA},
    "chat": {"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA}},
    "responses": {
        "type": "function",
        "name": "weather",
        "description": "d",
        "parameters": SCHEMA,
        "strict": False,
    },
}
ANSWER = Reply("Looking 🎉.", thinking="Which city?", calls=[OSLO, TOKYO], chunk=3)
DOT = base64.b64encode(PNG).decode()
URL = f"data:image/png;base64,{DOT}"
PICTURES = {
    "messages": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DOT}},
    "chat": {"type": "image_url", "image_url": {"url": URL}},
    "responses": {"type": "input_image", "image_url": URL, "detail": "auto"},
}
APIS = pytest.mark.parametrize("api", ["messages", "chat", "responses"])


def calls(api: str, told: Any) -> list[Any]:
    """The arguments of each call, and how many different ids there are."""
    if api == "messages":
        found = [block for block in told["message"]["content"] if block["type"] == "tool_use"]
        return [[call["input"] for call in found], len({call["id"] for call in found})]
    if api == "chat":
        found = told["answer"]["choices"][0]["message"]["tool_calls"]
        arguments = [call["function"]["arguments"] for call in found]
        return [[json.loads(each) for each in arguments], len({call["id"] for call in found})]
    found = [item for item in told["answer"]["output"] if item["type"] == "function_call"]
    arguments = [json.loads(call["arguments"]) for call in found]
    return [arguments, len({call["call_id"] for call in found})]


@WIRES
@APIS
def test_text_and_parallel_calls_are_streamed(tmp_path: Path, wire: Any, kind: str, api: str) -> None:
    with Wiretap(routed(wire, kind, ANSWER)) as tap:
        told = ask(tap.url, tmp_path, api, tools=[TOOLS[api]])

    wanted = [[OSLO.arguments, TOKYO.arguments], 2]
    assert ("".join(told["text"]), calls(api, told), tap.complaints) == ("Looking 🎉.", wanted, [])


@WIRES
def test_thinking_is_streamed(tmp_path: Path, wire: Any, kind: str) -> None:
    with Wiretap(routed(wire, kind, ANSWER)) as tap:
        told = ask(tap.url, tmp_path, "messages", tools=[TOOLS["messages"]])

    kinds = [block["type"] for block in told["message"]["content"]]
    wanted = ["thinking", "text", "tool_use", "tool_use"]
    assert ("".join(told["thinking"]), kinds, tap.complaints) == ("Which city?", wanted, [])


@WIRES
@APIS
def test_pictures_reach_the_upstream(tmp_path: Path, wire: Any, kind: str, api: str) -> None:
    router = routed(wire, kind, "A dot.")

    with Wiretap(router) as tap:
        told = ask(tap.url, tmp_path, api, PICTURES[api], tools=[TOOLS[api]])

    upstream = "chat" if kind == "openai-compat" else "messages"
    (turn,) = router.upstreams["local"].calls[0].body["messages"]
    picture = {key: value for key, value in turn["content"][0].items() if key in PICTURES[upstream]}
    assert (told["text"], picture, tap.complaints) == (["A dot."], PICTURES[upstream], [])


@APIS
def test_they_get_the_next_provider(tmp_path: Path, api: str) -> None:
    with Wiretap(routed(*CHAT, ProviderError("overloaded", status=529))) as tap:
        told = ask(tap.url, tmp_path, api, tools=[TOOLS[api]])

    assert ("".join(told["text"]), tap.complaints) == ("from the cloud", [])


@APIS
@pytest.mark.parametrize("failure", [CutAfter(6), ErrorAfter(6)], ids=["cut", "error"])
def test_a_stream_that_breaks_is_an_error(tmp_path: Path, api: str, failure: Step) -> None:
    with Wiretap(routed(*CHAT, failure)) as tap:
        told = ask(tap.url, tmp_path, api, tools=[TOOLS[api]])

    failed = told.get("error") or told["answer"].get("error")
    assert (bool(told["text"]), bool(failed), tap.complaints) == (True, True, [])


@APIS
@pytest.mark.parametrize(
    ("status", "name"), [(400, "BadRequestError"), (401, "AuthenticationError"), (429, "RateLimitError")]
)
def test_errors_are_typed_as_if_nobody_stood_between(
    tmp_path: Path, api: str, status: int, name: str
) -> None:
    router = make_router(Script(only=ProviderError("no", status=status)))

    told = ask(router.url, tmp_path, api, tools=[TOOLS[api]])

    assert (told["error"]["name"], told["error"]["status"]) == (name, status)
