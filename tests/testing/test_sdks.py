"""The vendors' SDKs read what a script says: that its dialects are theirs."""

import json
from typing import Any

import anthropic
import openai
import pytest

from coderouter_core.testing import ErrorAfter, ProviderError, Reply, Steps, ToolCall, Upstream

CALLS = (ToolCall("weather", {"city": "Zürich"}), ToolCall("weather", {"city": '東京 "x" \\ 🎉'}))
INPUTS = [call.arguments for call in CALLS]
ASK: dict[str, Any] = {"model": "any", "messages": [{"role": "user", "content": "hi"}]}
STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def ask_anthropic(steps: Steps, stream: bool) -> Any:
    with (
        Upstream(steps) as upstream,
        anthropic.Anthropic(base_url=upstream.url, api_key="client", max_retries=0) as client,
    ):
        if not stream:
            return client.messages.create(max_tokens=99, **ASK)
        with client.messages.stream(max_tokens=99, **ASK) as events:
            return events.get_final_message()


def ask_openai(steps: Steps, stream: bool) -> Any:
    with (
        Upstream(steps) as upstream,
        openai.OpenAI(base_url=f"{upstream.url}/v1", api_key="client", max_retries=0) as client,
    ):
        if not stream:
            return client.chat.completions.create(**ASK)
        with client.chat.completions.stream(stream_options={"include_usage": True}, **ASK) as events:
            return events.get_final_completion()


@STREAMED
def test_anthropic_reads_text_and_usage(stream: bool) -> None:
    message = ask_anthropic(Reply("Hello wörld 🎉", usage=(101, 57)), stream)

    assert message.content[0].text == "Hello wörld 🎉"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (101, 57)


@STREAMED
def test_openai_reads_text_and_usage(stream: bool) -> None:
    completion = ask_openai(Reply("Hello wörld 🎉", usage=(101, 57)), stream)

    assert completion.choices[0].message.content == "Hello wörld 🎉"
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (101, 57)


@STREAMED
def test_anthropic_reads_parallel_tool_calls(stream: bool) -> None:
    message = ask_anthropic(Reply("Go", calls=CALLS, chunk=5), stream)

    assert [block.input for block in message.content if block.type == "tool_use"] == INPUTS
    assert message.stop_reason == "tool_use"


@STREAMED
def test_openai_reads_parallel_tool_calls(stream: bool) -> None:
    choice = ask_openai(Reply("Go", calls=CALLS, chunk=5), stream).choices[0]

    assert [json.loads(call.function.arguments) for call in choice.message.tool_calls] == INPUTS
    assert choice.finish_reason == "tool_calls"


@STREAMED
def test_anthropic_reads_thinking(stream: bool) -> None:
    message = ask_anthropic(Reply("42", thinking="deep thought"), stream)

    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.content[0].thinking == "deep thought"


@STREAMED
def test_anthropic_reads_why_the_model_stopped(stream: bool) -> None:
    assert ask_anthropic(Reply("cut", stop="max_tokens"), stream).stop_reason == "max_tokens"


@STREAMED
def test_anthropic_raises_its_own_error(stream: bool) -> None:
    with pytest.raises(anthropic.RateLimitError, match="slow down"):
        ask_anthropic(ProviderError("slow down", 429), stream)


@STREAMED
def test_openai_raises_its_own_error(stream: bool) -> None:
    with pytest.raises(openai.RateLimitError, match="slow down"):
        ask_openai(ProviderError("slow down", 429), stream)


def test_anthropic_reads_an_error_in_a_stream() -> None:
    with pytest.raises(anthropic.APIStatusError, match="too busy"):
        ask_anthropic(ErrorAfter(3, message="too busy"), stream=True)


def test_openai_reads_an_error_in_a_stream() -> None:
    with pytest.raises(openai.APIError, match="too busy"):
        ask_openai(ErrorAfter(3, message="too busy"), stream=True)
