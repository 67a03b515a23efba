"""The vendors' own SDKs put generated streams together, and have in the end what the upstream said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random

import anthropic
import openai
import pytest

from coderouter_core.model import Dialect
from coderouter_core.testing import Raw, Script, ServedRouter, make_router
from coderouter_core.testing.streams import Stream, generate

SSE = {"content-type": "text/event-stream"}
COUNT = 8
Told = tuple[str, list[tuple[str, object]]]


def upstream(dialect: Dialect) -> Iterator[Stream]:
    """Whole streams that say something, and all of it: SDKs raise for an answer that a limit cut off."""
    streams = (generate(Random(seed), dialect) for seed in range(10**6))
    told = (each for each in streams if each.end == "whole" and each.said.reason in ("end_turn", "tool_use"))
    yield from (next(told) for _ in range(COUNT))


def said(stream: Stream) -> Told:
    return stream.said.text, [(name, dict(arguments)) for name, arguments in stream.said.calls]


def by_messages(router: ServedRouter) -> Told:
    client = anthropic.Anthropic(base_url=router.url, api_key="x", max_retries=0)
    with client.messages.stream(
        model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}]
    ) as events:
        message = events.get_final_message()
    text = "".join(block.text for block in message.content if block.type == "text")
    return text, [(block.name, block.input) for block in message.content if block.type == "tool_use"]


def by_chat(router: ServedRouter) -> Told:
    client = openai.OpenAI(base_url=f"{router.url}/v1", api_key="x", max_retries=0)
    with client.chat.completions.stream(
        model="m", messages=[{"role": "user", "content": "hi"}], stream_options={"include_usage": True}
    ) as events:
        message = events.get_final_completion().choices[0].message
    calls = [call.function for call in message.tool_calls or ()]
    return message.content or "", [(call.name, json.loads(call.arguments)) for call in calls]


def by_responses(router: ServedRouter) -> Told:
    client = openai.OpenAI(base_url=f"{router.url}/v1", api_key="x", max_retries=0)
    with client.responses.stream(model="m", input="hi") as events:
        last = [event for event in events if event.type in ("response.completed", "response.incomplete")][-1]
    items = last.response.output
    calls = [(item.name, json.loads(item.arguments)) for item in items if item.type == "function_call"]
    return last.response.output_text, calls


#: Each with a client of another dialect: what a provider of the client's own sends is relayed, right or wrong.
WAYS = [
    pytest.param(by_messages, Dialect.CHAT, id="messages-from-chat"),
    pytest.param(by_chat, Dialect.MESSAGES, id="chat-from-messages"),
    pytest.param(by_responses, Dialect.CHAT, id="responses-from-chat"),
    pytest.param(by_responses, Dialect.MESSAGES, id="responses-from-messages"),
]


@pytest.mark.parametrize(("client", "dialect"), WAYS)
def test_an_sdk_has_what_was_said(client: Callable[[ServedRouter], Told], dialect: Dialect) -> None:
    speak = Script.chat if dialect is Dialect.CHAT else Script.messages
    router = make_router(Script(only=speak("")))
    for stream in upstream(dialect):
        router.upstreams["only"].play(Raw(200, SSE, stream.data))

        assert client(router) == said(stream), stream.quirks
