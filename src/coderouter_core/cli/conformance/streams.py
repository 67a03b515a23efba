"""Checks of the order in which a stream of each dialect comes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from coderouter_core.cli.conformance.check import dialect_check, expect
from coderouter_core.cli.conformance.gateway import GREETING, Gateway, usage_of_streams
from coderouter_core.model import Dialect
from coderouter_core.wire.grammar import problems

STREAMING = "Anthropic API, streaming messages"
CHUNKS = "OpenAI API, chat completion chunks"
EVENTS = "OpenAI API, streaming responses"
MESSAGES, CHAT, RESPONSES = (Dialect.MESSAGES,), (Dialect.CHAT,), (Dialect.RESPONSES,)
ENDS = ("response.completed", "response.incomplete", "response.failed")


def grammatical(dialect: Dialect, raw: bytes) -> None:
    """Fail where a stream of `messages` or `chat` breaks its dialect's rules."""
    found = problems(dialect, raw)
    expect(not found, "; ".join(found[:4]))


@dialect_check(
    "order",
    "message_start; blocks that do not overlap, each with start, deltas and stop; message_delta; message_stop.",
    source=STREAMING,
    dialects=MESSAGES,
)
def messages_order(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(GREETING)
    grammatical(dialect, gateway.answer(dialect, stream=True).raw)


@dialect_check(
    "start",
    "message_start holds a message with id, role, model and usage, and no content yet.",
    source=STREAMING,
    dialects=MESSAGES,
)
def messages_start(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(GREETING)
    message = gateway.answer(dialect, stream=True).events[0][1]["message"]
    expect(message["content"] == [], "it has content")
    expect(
        (message["type"], message["role"]) == ("message", "assistant"), "it is no message of the assistant's"
    )
    expect(message["id"] and message["model"], "it lacks id or model")
    expect(isinstance(message["usage"]["input_tokens"], int), "it does not tell input_tokens")


@dialect_check(
    "running-totals",
    "Token counts of message_delta are totals, never less than message_start told.",
    source=STREAMING,
    dialects=MESSAGES,
)
def messages_totals(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(GREETING)
    events = [event for _, event in gateway.answer(dialect, stream=True).events]
    first = events[0]["message"]["usage"].get("output_tokens") or 0
    told = [event["usage"]["output_tokens"] for event in events if event["type"] == "message_delta"]
    expect(told, "message_delta tells no usage")
    expect(all(isinstance(each, int) and each >= first for each in told), f"{first}, then {told}")


@dialect_check(
    "order",
    "Chunks of one id: a role first, one finish reason, nothing after it but usage, then [DONE].",
    source=CHUNKS,
    dialects=CHAT,
)
def chat_order(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(GREETING)
    grammatical(dialect, gateway.answer(dialect, stream=True).raw)


@dialect_check(
    "usage-hidden",
    "A client that does not ask for usage gets no chunk without choices.",
    source=CHUNKS,
    dialects=CHAT,
)
def chat_usage_hidden(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(GREETING)
    bare = [
        chunk
        for _, chunk in gateway.answer(dialect, stream=True).events
        if chunk != "[DONE]" and not chunk["choices"]
    ]
    expect(not bare, "it gets one")


@dialect_check(
    "usage-asked", "With include_usage the last chunk has usage and no choices.", source=CHUNKS, dialects=CHAT
)
def chat_usage_asked(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(GREETING)
    events = gateway.answer(dialect, stream=True, **usage_of_streams(dialect)).events
    last = events[-2][1]
    expect(last["choices"] == [] and last["usage"], "it has none, or is not the last")


def _kinds(gateway: Gateway, dialect: Dialect) -> Sequence[Any]:
    gateway.play(GREETING)
    return [event for _, event in gateway.answer(dialect, stream=True).events if event != "[DONE]"]


@dialect_check(
    "order",
    "response.created comes first; completed, incomplete or failed last, with the whole response.",
    source=EVENTS,
    dialects=RESPONSES,
)
def responses_order(gateway: Gateway, dialect: Dialect) -> None:
    events = _kinds(gateway, dialect)
    expect(events[0]["type"] == "response.created", f"it begins with {events[0]['type']}")
    expect(events[-1]["type"] in ENDS, f"it ends with {events[-1]['type']}")
    expect(events[-1]["response"]["id"] == events[0]["response"]["id"], "the response changes its id")


@dialect_check(
    "named",
    "Each event's name is the type in its data.",
    source=EVENTS,
    dialects=(Dialect.MESSAGES, Dialect.RESPONSES),
)
def named(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(GREETING)
    events = gateway.answer(dialect, stream=True).events
    wrong = [name for name, event in events if event != "[DONE]" and name != event["type"]]
    expect(not wrong, f"an event is called {wrong[:1]}")


@dialect_check("sequence", "Sequence numbers rise by event.", source=EVENTS, dialects=RESPONSES)
def responses_sequence(gateway: Gateway, dialect: Dialect) -> None:
    numbers = [event["sequence_number"] for event in _kinds(gateway, dialect)]
    expect(all(one < other for one, other in itertools.pairwise(numbers)), f"they are {numbers[:12]}")


@dialect_check(
    "items",
    "An item and its part are added before their first delta, and each item is done.",
    source=EVENTS,
    dialects=RESPONSES,
)
def responses_items(gateway: Gateway, dialect: Dialect) -> None:
    kinds = [event["type"] for event in _kinds(gateway, dialect)]
    wanted = ("response.output_item.added", "response.content_part.added", "response.output_text.delta")
    missing = [kind for kind in wanted if kind not in kinds]
    expect(not missing, f"there is no {', '.join(missing)}")
    places = [kinds.index(kind) for kind in wanted]
    expect(places == sorted(places), "a delta comes before its item or part")
    added, done = kinds.count(wanted[0]), kinds.count("response.output_item.done")
    expect(added == done, f"{added} items are added and {done} are done")
