"""A real model behind the router, asked by clients that nobody here wrote. ``nox -s e2e`` installs them."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from coderouter_adapter_embedded import Embedded
from coderouter_adapter_embedded.weights import fetch
from e2e.agents import desk
from e2e.sdks import ask
from e2e.test_claude_code import claude
from e2e.test_llm import llm
from e2e.wiretap import Wiretap

from coderouter_core.testing import Script, ServedRouter, make_router

QUESTION = "What is the weather in Oslo?"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
#: A tool, and the demand to call it, as each API writes them.
FORCED: dict[str, Any] = {
    "messages": {
        "tools": [{"name": "get_weather", "description": "The weather in a city", "input_schema": SCHEMA}],
        "tool_choice": {"type": "tool", "name": "get_weather"},
    },
    "chat": {
        "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}],
        "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
    },
    "responses": {
        "tools": [{"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": False}],
        "tool_choice": {"type": "function", "name": "get_weather"},
    },
}
#: Greedy, and short: the model is small, and so is its window.
BRIEF: dict[str, Any] = {
    "messages": {"temperature": 0},
    "chat": {"temperature": 0, "max_tokens": 24},
    "responses": {"temperature": 0, "max_output_tokens": 24},
}
APIS = pytest.mark.parametrize("api", ["messages", "chat", "responses"])


@functools.cache
def small() -> ServedRouter:
    """One model for all of these tests: it is loaded once."""
    fetch()
    return make_router(Embedded(), Script(small="unused"), providers={"small": {"kind": "embedded"}})


def python(url: str, api: str) -> Any:
    """The arguments of the tool that Python's SDKs had to get called, streaming."""
    turns: list[Any] = [{"role": "user", "content": QUESTION}]
    if api == "messages":
        client = anthropic.Anthropic(base_url=url, api_key="anything", max_retries=0)
        with client.messages.stream(model="some", max_tokens=40, messages=turns, **FORCED[api]) as stream:
            (block,) = stream.get_final_message().content
        return block.input  # type: ignore[union-attr]
    sdk = openai.OpenAI(base_url=f"{url}/v1", api_key="anything", max_retries=0)
    if api == "chat":
        with sdk.chat.completions.stream(
            model="some", messages=turns, max_tokens=40, **FORCED[api]
        ) as chunks:
            (call,) = chunks.get_final_completion().choices[0].message.tool_calls or ()
        return json.loads(call.function.arguments)
    with sdk.responses.stream(model="some", input=turns, max_output_tokens=40, **FORCED[api]) as events:
        (item,) = events.get_final_response().output
    return json.loads(item.arguments)  # type: ignore[union-attr]


@APIS
def test_pythons_sdks_force_a_call(api: str) -> None:
    with Wiretap(small()) as tap:
        arguments = python(tap.url, api)

    assert (list(arguments), tap.complaints) == (["city"], [])


@APIS
def test_typescripts_sdks_stream_text(tmp_path: Path, api: str) -> None:
    with Wiretap(small()) as tap:
        told = ask(tap.url, desk(tmp_path), api, **BRIEF[api])

    assert (len(told["text"]) > 1, told.get("error"), tap.complaints) == (True, None, [])


def test_llm_prints_an_answer(tmp_path: Path) -> None:
    with Wiretap(small()) as tap:
        said = llm(tap.url, desk(tmp_path), "-o", "max_tokens", "24")

    assert (bool(said), "Error" in said, tap.complaints) == (True, False, [])


def test_claude_code_chats_with_a_short_prompt_and_no_tools(tmp_path: Path) -> None:
    work = desk(tmp_path)

    with Wiretap(small()) as tap:
        said = claude(
            tap.url, work, "Say hello.", "--system-prompt", "Be brief.", "--tools", "", most_tokens=120
        )

    # It is not greedy, so that the model may ramble until it is stopped.
    failed = said.startswith("API Error") and "output token maximum" not in said
    assert (bool(said), failed, tap.complaints) == (True, False, [])
