"""What the real model answers, through the adapter."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import attrs
import httpx
import pytest
from coderouter_adapter_embedded import Embedded, EmbeddedKeys, EmbeddedModel
from coderouter_adapter_embedded.adapter import EmbeddedAdapter

from coderouter_core.api import Answer, Call, Dialect, Limits, Operation, Provider

T = TypeVar("T")

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city now",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CLOCK = {
    "type": "function",
    "function": {"name": "get_time", "description": "The time now", "parameters": {"type": "object"}},
}
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def shown(city: str) -> list[dict[str, Any]]:
    """A question, its call, what came of it, the answer: one example."""
    function = {"name": "get_weather", "arguments": json.dumps({"city": city})}
    return [
        user(f"What is the weather in {city}?"),
        {"role": "assistant", "tool_calls": [{"id": city, "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": city, "content": "sunny, 21 degrees"},
        {"role": "assistant", "content": f"It is sunny in {city}, 21 degrees."},
    ]


def with_adapter(use: Callable[[EmbeddedAdapter], Awaitable[T]], context: int | None = None) -> T:
    keys = EmbeddedKeys(EmbeddedModel(threads=1, context=context))
    provider = Provider("tiny", kind="embedded", options={EmbeddedKeys: keys})

    async def run() -> T:
        adapter = Embedded().make_adapter(provider, httpx.AsyncHTTPTransport())
        assert adapter is not None
        try:
            return await use(adapter)
        finally:
            await adapter.aclose()

    return asyncio.run(run())


def call(
    messages: Sequence[Mapping[str, Any]], operation: Operation = Operation.GENERATE, **body: Any
) -> Call:
    whole = {"model": "any", "messages": messages, "max_tokens": 8, "temperature": 0, **body}
    provider = Provider("tiny", kind="embedded")
    raw = json.dumps(whole).encode()
    return Call(provider, "r", Dialect.CHAT, operation, raw, bool(body.get("stream")), Limits())


async def read(answer: Answer) -> bytes:
    try:
        return b"".join([chunk async for chunk in answer.chunks])
    finally:
        await answer.aclose()


def ask(messages: Sequence[Mapping[str, Any]], context: int | None = None, **body: Any) -> tuple[int, Any]:
    """Status and body of an answer; of a streamed one its chunks."""

    async def use(adapter: EmbeddedAdapter) -> tuple[int, Any]:
        answer = await adapter.open(call(messages, **body))
        raw = await read(answer)
        if not body.get("stream"):
            return answer.status, json.loads(raw)
        frames = [frame.removeprefix(b"data: ") for frame in raw.split(b"\n\n") if frame]
        assert frames.pop() == b"[DONE]"
        return answer.status, [json.loads(frame) for frame in frames]

    return with_adapter(use, context)


def test_it_answers_with_text() -> None:
    _, answer = ask([user("What is 2 + 2?")], max_tokens=16)

    assert "4" in answer["choices"][0]["message"]["content"]


def test_a_system_prompt_and_text_in_parts_are_read() -> None:
    parts = [{"type": "text", "text": "What is the capital"}, {"type": "text", "text": " of France?"}]

    _, answer = ask([{"role": "system", "content": "Answer in one word."}, user(parts)])

    assert "Paris" in answer["choices"][0]["message"]["content"]


def test_an_answer_says_which_model_gave_it() -> None:
    _, answer = ask([user("Hi")], model="gpt-5", max_tokens=1)

    assert answer["model"] == "smollm2-135m-instruct"


def test_it_streams_piece_by_piece() -> None:
    _, chunks = ask([user("Hi")], stream=True)

    assert sum(bool(chunk["choices"][0]["delta"].get("content")) for chunk in chunks) > 2


def test_a_stream_ends_with_its_usage_when_asked() -> None:
    _, chunks = ask([user("Hi")], stream=True, stream_options={"include_usage": True}, max_tokens=3)

    assert chunks[-1]["usage"]["completion_tokens"] == 3


@pytest.mark.parametrize(
    "choice",
    [
        pytest.param("required", id="required"),
        pytest.param({"type": "function", "function": {"name": "get_weather"}}, id="by-name"),
    ],
)
def test_a_demanded_tool_is_called(choice: Any) -> None:
    tools = [WEATHER] if choice == "required" else [CLOCK, WEATHER]

    _, answer = ask([user("What is the weather in Oslo?")], tools=tools, tool_choice=choice, max_tokens=32)

    [made] = answer["choices"][0]["message"]["tool_calls"]
    assert (made["function"]["name"], json.loads(made["function"]["arguments"])) == (
        "get_weather",
        {"city": "Oslo"},
    )


def test_a_demanded_tool_is_called_in_a_stream() -> None:
    question = [user("What is the weather in Oslo?")]

    _, chunks = ask(question, tools=[WEATHER], tool_choice="required", stream=True, max_tokens=32)

    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    functions = [made["function"] for delta in deltas for made in delta.get("tool_calls", [])]
    assert json.loads("".join(each["arguments"] for each in functions)) == {"city": "Oslo"}


def test_a_model_that_was_shown_how_calls_a_tool_unasked() -> None:
    messages = [*shown("Rome"), *shown("Lima"), user("What is the weather in Oslo?")]

    _, answer = ask(messages, tools=[WEATHER], max_tokens=32)

    [made] = answer["choices"][0]["message"]["tool_calls"]
    assert json.loads(made["function"]["arguments"]) == {"city": "Oslo"}


def test_a_prompt_that_is_too_long_is_refused_with_its_size() -> None:
    status, answer = ask([user("hello " * 300)], context=256)

    assert (status, answer["error"]["type"], answer["error"]["n_ctx"]) == (
        400,
        "exceed_context_size_error",
        256,
    )


def test_an_image_is_refused_in_words() -> None:
    _, answer = ask([user([{"type": "image_url", "image_url": {"url": PIXEL}}])])

    assert "image input is not supported" in answer["error"]["message"]


def test_embeddings_are_refused_in_words() -> None:
    async def use(adapter: EmbeddedAdapter) -> Answer:
        answer = await adapter.open(call([], Operation.EMBED, input="x"))
        await answer.aclose()
        return answer

    assert with_adapter(use).status == 501


def test_text_is_completed() -> None:
    async def use(adapter: EmbeddedAdapter) -> Any:
        return json.loads(await read(await adapter.open(call([], Operation.COMPLETE, prompt="1, 2, 3,"))))

    assert "4" in with_adapter(use)["choices"][0]["text"]


@pytest.mark.parametrize(
    ("dialect", "tools"),
    [
        pytest.param(Dialect.CHAT, [WEATHER], id="chat"),
        pytest.param(
            Dialect.MESSAGES,
            [
                {
                    "name": "get_weather",
                    "description": "The weather in a city now",
                    "input_schema": WEATHER["function"]["parameters"],
                }
            ],
            id="messages",
        ),
    ],
)
def test_tokens_are_counted_as_they_are_charged(dialect: Dialect, tools: Any) -> None:
    async def use(adapter: EmbeddedAdapter) -> tuple[int | None, int]:
        question = [user("How many tokens are these?")]
        answer = json.loads(await read(await adapter.open(call(question, tools=[WEATHER], max_tokens=1))))
        counted = attrs.evolve(call(question, tools=tools), dialect=dialect)
        return await adapter.count_tokens(counted), answer["usage"]["prompt_tokens"]

    counted, charged = with_adapter(use)
    assert counted == charged


def test_two_requests_are_answered_at_the_same_time() -> None:
    async def use(adapter: EmbeddedAdapter) -> Mapping[str, Any]:
        long = [user("Tell me a long story")]
        answers = [await adapter.open(call(long, stream=True, max_tokens=1000)) for _ in range(2)]
        try:
            for answer in answers:
                await anext(answer.chunks)
            return await adapter.vitals()
        finally:
            for answer in answers:
                await answer.aclose()

    assert with_adapter(use) == {"slots": 2, "processing": 2, "context_window": 4096}


def test_it_stops_when_nobody_listens_any_more() -> None:
    async def use(adapter: EmbeddedAdapter) -> Mapping[str, Any]:
        answer = await adapter.open(call([user("Tell me a long story")], stream=True, max_tokens=3000))
        await anext(answer.chunks)
        await answer.aclose()
        for _ in range(100):
            if not (await adapter.vitals())["processing"]:
                break
            await asyncio.sleep(0.02)
        return await adapter.vitals()

    assert with_adapter(use)["processing"] == 0
