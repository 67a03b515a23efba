"""The official SDKs through the router, over real HTTP."""

from __future__ import annotations

import base64
import json
from typing import Any

import anthropic
import openai
import pytest

from coderouter_core.testing import (
    CutAfter,
    ErrorAfter,
    ProviderError,
    Reply,
    Script,
    ServedRouter,
    ToolCall,
    make_router,
)

WIRES = [pytest.param(Script.messages, id="messages-upstream"), pytest.param(Script.chat, id="chat-upstream")]
WEATHER = ToolCall("weather", {"city": 'Zürich "x" 🎉'})
OTHER = ToolCall("weather", {"city": "東京"})
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"name": "weather", "description": "d", "input_schema": SCHEMA}
OPENAI_TOOL = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA}}
PNG = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
        "0000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
    )
).decode()
THINKING = {"type": "enabled", "budget_tokens": 1024}
HI: list[Any] = [{"role": "user", "content": "hi"}]


def ant(router: ServedRouter, **more: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=router.url, api_key="client", max_retries=0, timeout=15, **more)


def oai(router: ServedRouter, **more: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{router.url}/v1", api_key="client", max_retries=0, timeout=15, **more)


def ask_anthropic(router: ServedRouter, *, stream: bool, **more: Any) -> anthropic.types.Message:
    asked: dict[str, Any] = {"model": "claude-x", "max_tokens": 99, "messages": HI, **more}
    if not stream:
        return ant(router).messages.create(**asked)
    with ant(router).messages.stream(**asked) as events:
        return events.get_final_message()


def ask_openai(router: ServedRouter, *, stream: bool, **more: Any) -> Any:
    asked: dict[str, Any] = {"model": "gpt-x", "messages": HI, **more}
    if not stream:
        return oai(router).chat.completions.create(**asked)
    with oai(router).chat.completions.stream(**asked) as events:
        return events.get_final_completion()


both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
every_wire = pytest.mark.parametrize("wire", WIRES)


@every_wire
@both_ways
def test_anthropic_text(wire: Any, stream: bool) -> None:
    router = make_router(Script(only=wire(Reply("Grüße 🎉", usage=(101, 57)))))

    message = ask_anthropic(router, stream=stream)

    assert (message.content[0].text, message.stop_reason, message.usage.output_tokens) == (
        "Grüße 🎉",
        "end_turn",
        57,
    )  # type: ignore[union-attr]


@every_wire
@both_ways
def test_anthropic_parallel_tool_calls(wire: Any, stream: bool) -> None:
    router = make_router(Script(only=wire(Reply("Looking.", calls=[WEATHER, OTHER], chunk=3))))

    message = ask_anthropic(router, stream=stream, tools=[TOOL])

    calls = [block for block in message.content if block.type == "tool_use"]
    assert ([call.input for call in calls], len({call.id for call in calls}), message.stop_reason) == (
        [WEATHER.arguments, OTHER.arguments],
        2,
        "tool_use",
    )


@every_wire
def test_anthropic_tool_results_reach_the_upstream(wire: Any) -> None:
    router = make_router(Script(only=wire("fine")))
    turns = [
        *HI,
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "a"}}],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "RAIN"},
                {"type": "text", "text": "AND?"},
            ],
        },
    ]

    ask_anthropic(router, stream=False, messages=turns, tools=[TOOL])

    sent = router.upstreams["only"].calls[0].raw.decode()
    assert ("RAIN" in sent, "AND?" in sent, sent.index("RAIN") < sent.index("AND?")) == (True, True, True)


@every_wire
def test_anthropic_images_reach_the_upstream(wire: Any) -> None:
    router = make_router(Script(only=wire("fine")))
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}

    ask_anthropic(
        router,
        stream=False,
        messages=[{"role": "user", "content": [image, {"type": "text", "text": "what"}]}],
    )

    (block, _) = router.upstreams["only"].calls[0].body["messages"][0]["content"]
    assert block in (image, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}})


@every_wire
@both_ways
def test_anthropic_thinking(wire: Any, stream: bool) -> None:
    router = make_router(Script(only=wire(Reply("Yes.", thinking="Hm 🎉.", calls=[WEATHER], chunk=3))))

    message = ask_anthropic(router, stream=stream, tools=[TOOL], thinking=THINKING)

    kinds = [block.type for block in message.content]
    assert (message.content[0].thinking, kinds) == ("Hm 🎉.", ["thinking", "text", "tool_use"])  # type: ignore[union-attr]


@every_wire
def test_anthropic_images_of_tools_reach_the_upstream(wire: Any) -> None:
    router = make_router(Script(only=wire("fine")))
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    call = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "a"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [image]}
    turns = [*HI, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]

    ask_anthropic(router, stream=False, messages=turns, tools=[TOOL])

    assert PNG in router.upstreams["only"].calls[0].raw.decode()


@every_wire
@both_ways
def test_openai_text(wire: Any, stream: bool) -> None:
    router = make_router(Script(only=wire(Reply("Grüße 🎉", usage=(101, 57)))))

    choice = ask_openai(router, stream=stream).choices[0]

    assert (choice.message.content, choice.finish_reason) == ("Grüße 🎉", "stop")


@every_wire
@both_ways
def test_openai_parallel_tool_calls(wire: Any, stream: bool) -> None:
    router = make_router(Script(only=wire(Reply("Looking.", calls=[WEATHER, OTHER], chunk=3))))

    choice = ask_openai(router, stream=stream, tools=[OPENAI_TOOL]).choices[0]

    calls = choice.message.tool_calls
    assert ([json.loads(call.function.arguments) for call in calls], choice.finish_reason) == (
        [WEATHER.arguments, OTHER.arguments],
        "tool_calls",
    )


@every_wire
@both_ways
def test_openai_reasoning(wire: Any, stream: bool) -> None:
    router = make_router(Script(only=wire(Reply("Yes.", thinking="Hm 🎉.", chunk=3))))

    message = ask_openai(router, stream=stream).choices[0].message

    assert (message.reasoning_content, message.content) == ("Hm 🎉.", "Yes.")


@every_wire
@both_ways
def test_responses_take_images_and_call_tools(wire: Any, stream: bool) -> None:
    router = make_router(Script(only=wire(Reply("Looking.", calls=[WEATHER, OTHER], chunk=3))))
    part = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"}
    tool = {"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}
    asked: dict[str, Any] = {"model": "m", "input": [{"role": "user", "content": [part]}], "tools": [tool]}

    if stream:
        with oai(router).responses.stream(**asked) as events:
            response = events.get_final_response()
    else:
        response = oai(router).responses.create(**asked)

    called = [json.loads(item.arguments) for item in response.output if item.type == "function_call"]
    seen = PNG in router.upstreams["only"].calls[0].raw.decode()
    assert (called, seen) == ([WEATHER.arguments, OTHER.arguments], True)


@every_wire
def test_openai_images_reach_the_upstream(wire: Any) -> None:
    router = make_router(Script(only=wire("fine")))
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}

    ask_openai(
        router, stream=False, messages=[{"role": "user", "content": [{"type": "text", "text": "what"}, part]}]
    )

    (_, block) = router.upstreams["only"].calls[0].body["messages"][0]["content"]
    assert block in (
        part,
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
    )


@every_wire
@both_ways
def test_both_sdks_get_the_next_provider(wire: Any, stream: bool) -> None:
    router = make_router(Script(first=wire(ProviderError("overloaded", status=529)), second=wire("hello")))

    texts = [
        ask_anthropic(router, stream=stream).content[0].text,  # type: ignore[union-attr]
        ask_openai(router, stream=stream).choices[0].message.content,
    ]

    assert texts == ["hello", "hello"]


@pytest.mark.parametrize(
    ("status", "anthropic_error", "openai_error"),
    [
        (400, anthropic.BadRequestError, openai.BadRequestError),
        (401, anthropic.AuthenticationError, openai.AuthenticationError),
        (403, anthropic.PermissionDeniedError, openai.PermissionDeniedError),
        (404, anthropic.NotFoundError, openai.NotFoundError),
        (429, anthropic.RateLimitError, openai.RateLimitError),
        (500, anthropic.InternalServerError, openai.InternalServerError),
    ],
)
@both_ways
@every_wire
def test_errors_are_typed_as_if_nobody_stood_between(
    wire: Any, stream: bool, status: int, anthropic_error: type[Exception], openai_error: type[Exception]
) -> None:
    router = make_router(Script(only=wire(ProviderError("no", status=status))))

    with pytest.raises(anthropic_error):
        ask_anthropic(router, stream=stream)
    with pytest.raises(openai_error):
        ask_openai(router, stream=stream)


@every_wire
@pytest.mark.parametrize(
    "failure", [ErrorAfter(6), CutAfter(6), CutAfter(6, rst=True)], ids=["error", "cut", "reset"]
)
def test_a_stream_that_breaks_raises_in_both_sdks(wire: Any, failure: Any) -> None:
    router = make_router(Script(only=wire(failure)))

    with pytest.raises(anthropic.APIStatusError):
        ask_anthropic(router, stream=True)
    with pytest.raises(openai.APIError):
        ask_openai(router, stream=True)


def test_the_anthropic_sdk_counts_and_lists() -> None:
    router = make_router(Script(only="x"))

    count = ant(router).messages.count_tokens(model="m", messages=HI).input_tokens
    names = [model.id for model in ant(router).models.list(limit=20).data]

    assert (count > 0, names) == (True, ["default", "only"])


def test_the_openai_sdk_lists() -> None:
    router = make_router(Script(only="x"))

    assert [model.id for model in oai(router).models.list().data] == ["default", "only"]


def test_every_anthropic_header_and_field_reaches_a_native_upstream() -> None:
    router = make_router(Script(only=Script.messages("x")))
    beta = {"anthropic-beta": "claude-code-20250219,context-management-2025-06-27", "anthropic-new": "1"}
    extra = {
        "context_management": {"edits": [{"type": "clear_thinking_20251015"}]},
        "output_config": {"effort": "high"},
        "metadata": {"user_id": "u"},
        "brand_new": [1, {"x": None}],
    }

    ant(router, default_headers=beta).messages.create(model="m", max_tokens=9, messages=HI, extra_body=extra)

    (call,) = router.upstreams["only"].calls
    assert ({name: call.headers.get(name) for name in beta}, {key: call.body.get(key) for key in extra}) == (
        beta,
        extra,
    )


def test_every_field_reaches_a_chat_upstream() -> None:
    router = make_router(Script(only="x"))
    extra = {
        "seed": 7,
        "logprobs": True,
        "response_format": {"type": "json_object"},
        "reasoning_effort": "low",
        "max_completion_tokens": 55,
        "logit_bias": {"5": 1},
        "stop": ["Z"],
        "user": "u1",
        "min_p": 0.1,
    }

    oai(router).chat.completions.create(model="m", messages=HI, extra_body=extra)

    body = router.upstreams["only"].calls[0].body
    assert body == {**extra, "model": "only-model", "messages": HI}
