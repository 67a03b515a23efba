"""Checks of answers that any model gives, whole and streamed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coderouter_core.cli.conformance.check import (
    ANTHROPIC_AND_CHAT,
    Failed,
    Skipped,
    dialect_check,
    expect,
)
from coderouter_core.cli.conformance.gateway import GREETING, TOOL_NAME, TOOLS, Gateway, usage_of_streams
from coderouter_core.model import Dialect
from coderouter_core.testing import Reply, ToolCall

API = "Anthropic API, messages; OpenAI API, chat and responses"
COUNTING_UP = "Count from 1 to 30, with a comma after each number, like 1, 2, 3."
AT_ITS_LIMIT = {
    Dialect.MESSAGES: ("max_tokens", "max_tokens"),
    Dialect.CHAT: ("max_tokens", "length"),
    Dialect.RESPONSES: ("max_output_tokens", "incomplete"),
}
FINISHED = {
    Dialect.MESSAGES: ("end_turn", "max_tokens", "stop_sequence"),
    Dialect.CHAT: ("stop", "length"),
    Dialect.RESPONSES: ("completed", "incomplete"),
}
CALLED = {Dialect.MESSAGES: "tool_use", Dialect.CHAT: "tool_calls", Dialect.RESPONSES: "completed"}
#: The least that OpenAI takes as max_output_tokens.
FEW_TOKENS = 16
STOP_AT = "5"


@dialect_check(
    "answer",
    "An answer that is not streamed has id, model, text and a stop reason of the dialect.",
    source=API,
)
def answer(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(GREETING)
    said = gateway.says(dialect)
    expect(said.id and isinstance(said.id, str), "it has no id")
    expect(said.model and isinstance(said.model, str), "it does not name its model")
    expect(said.text or said.thinking, "it says nothing")
    expect(said.stop in FINISHED[dialect], f"it stopped for {said.stop!r}")


@dialect_check(
    "stream", "A streamed answer says something, ends with a stop reason and without an error.", source=API
)
def stream(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(GREETING)
    said = gateway.says(dialect, stream=True)
    expect(said.error is None, f"it ended with an error: {said.error}")
    expect(said.text or said.thinking, "it says nothing")
    expect(said.stop in FINISHED[dialect], f"it stopped for {said.stop!r}")


@dialect_check("ids", "Two answers have different ids.", source=API)
def ids(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(GREETING)
    one, other = gateway.says(dialect).id, gateway.says(dialect).id
    expect(one != other, f"both have the id {one!r}")


@dialect_check(
    "usage", "An answer tells how many tokens it read and wrote, and a stream tells them, too.", source=API
)
def usage(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(GREETING)
    for streamed, extra in ((False, {}), (True, usage_of_streams(dialect))):
        said = gateway.says(dialect, stream=streamed, **extra)
        how = "a stream" if streamed else "an answer"
        expect(said.prompt > 0, f"{how} tells no tokens of the prompt")
        expect(said.output > 0, f"{how} tells no tokens of what it says")


@dialect_check(
    "usage-total",
    "The total of the tokens is the sum of the prompt's and the answer's.",
    source=API,
    dialects=(Dialect.CHAT, Dialect.RESPONSES),
)
def usage_total(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(GREETING)
    heard = gateway.answer(dialect)
    told, total = heard.said, heard.body["usage"]["total_tokens"]
    expect(total == told.prompt + told.output, f"{told.prompt} and {told.output} are not {total}")


@dialect_check("limit", "An answer that is cut by the limit of tokens says so.", source=API)
def limit(gateway: Gateway, dialect: Dialect) -> None:
    key, word = AT_ITS_LIMIT[dialect]
    gateway.play(Reply("1, 2, 3, 4, 6, 7,", stop="max_tokens"))
    for streamed in (False, True):
        asked = {key: FEW_TOKENS, **(usage_of_streams(dialect) if streamed else {})}
        said = gateway.says(dialect, COUNTING_UP, stream=streamed, **asked)
        if gateway.upstream is None and said.stop in FINISHED[dialect] and said.output < FEW_TOKENS:
            raise Skipped(f"the model said less than {FEW_TOKENS} tokens")
        expect(said.stop == word, f"it stopped for {said.stop!r}, not {word!r}")


@dialect_check(
    "stop-sequence",
    "An answer ends before a stop sequence, which is not part of it.",
    source=API,
    dialects=ANTHROPIC_AND_CHAT,
)
def stop_sequence(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(Reply("1, 2, 3, 4, ", stop="stop_sequence"))
    key = "stop_sequences" if dialect is Dialect.MESSAGES else "stop"
    asked: Mapping[str, Any] = {key: [STOP_AT]}
    said = gateway.says(dialect, COUNTING_UP, **asked)
    expect(STOP_AT not in said.text, "the stop sequence stands in the text")
    expect(said.stop in FINISHED[dialect], f"it stopped for {said.stop!r}")
    if gateway.upstream is not None:
        sent = gateway.upstream.calls[-1].body
        expect([STOP_AT] in (sent.get("stop"), sent.get("stop_sequences")), "it did not reach the upstream")


@dialect_check(
    "tool", "A tool that the client insists on is called, with an id and JSON as arguments.", source=API
)
def tool(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(Reply(calls=[ToolCall(TOOL_NAME, {"city": "Zürich"})]))
    for streamed in (False, True):
        said = gateway.says(dialect, "What is the weather in Zürich?", stream=streamed, **TOOLS[dialect])
        if not said.calls and gateway.upstream is None:
            raise Skipped("the model did not call the tool")
        expect(said.calls, "there is no call")
        call = said.calls[0]
        expect(call.name == TOOL_NAME, f"it calls {call.name!r}")
        expect(call.id, "the call has no id")
        expect(isinstance(call.decoded, dict), f"its arguments are {call.arguments!r}")
        expect(said.stop in (CALLED[dialect], *_forced(dialect)), f"it stopped for {said.stop!r}")


def _forced(dialect: Dialect) -> tuple[str, ...]:
    """OpenAI says ``stop`` where a call was forced."""
    return ("stop",) if dialect is Dialect.CHAT else ()


@dialect_check("tool-result", "A turn with a tool's result is answered.", source=API)
def tool_result(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(GREETING)
    key = "input" if dialect is Dialect.RESPONSES else "messages"
    turns = {key: TOLD[dialect], "tools": TOOLS[dialect]["tools"]}
    said = gateway.says(dialect, **turns)
    expect(said.text or said.calls or said.thinking, "it says nothing")
    if gateway.upstream is not None and b"RAIN AND WIND" not in gateway.upstream.calls[-1].raw:
        raise Failed("the result did not reach the upstream")


_CITY = '{"city":"Bern"}'
#: A question, a call, and what the tool said.
TOLD = {
    Dialect.MESSAGES: [
        {"role": "user", "content": "What is the weather in Bern?"},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "toolu_probe1", "name": TOOL_NAME, "input": {"city": "Bern"}}
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "toolu_probe1", "content": "RAIN AND WIND"}],
        },
    ],
    Dialect.CHAT: [
        {"role": "user", "content": "What is the weather in Bern?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_probe1", "type": "function", "function": {"name": TOOL_NAME, "arguments": _CITY}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_probe1", "content": "RAIN AND WIND"},
    ],
    Dialect.RESPONSES: [
        {"role": "user", "content": "What is the weather in Bern?"},
        {"type": "function_call", "call_id": "call_probe1", "name": TOOL_NAME, "arguments": _CITY},
        {"type": "function_call_output", "call_id": "call_probe1", "output": "RAIN AND WIND"},
    ],
}
