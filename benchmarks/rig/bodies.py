"""The requests that are sent and the answer that comes back: made up, and the same in every run."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import orjson

MODEL = "bench-model"
PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages"}
TOOLS, TURNS = 20, 30

_VOCABULARY = (
    "the file function returns value of a list with each name when path is read and then written"
    " test error line import class method should keep order because module config server request"
    " answer stream token provider chain rule profile ledger event reason default option plugin"
)
_WORDS = tuple(_VOCABULARY.split())

ANSWER = orjson.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1_750_000_000,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello. What shall we build today?"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 21, "completion_tokens": 9, "total_tokens": 30},
    }
)


def tiny(dialect: str = "chat", *, stream: bool = False) -> bytes:
    """A question of one line, about 150 bytes."""
    question = "Say hello, and ask in one short sentence what we should build today."
    body: dict[str, Any] = {
        "model": "default",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": question}],
    }
    if dialect == "chat" and stream:
        # What most agents ask; without it a router has a chunk to hide, which nginx has not.
        body["stream_options"] = {"include_usage": True}
    return orjson.dumps({**body, "stream": True} if stream else body)


def agent(dialect: str = "chat") -> bytes:
    """A request in the middle of an agent's session, about 60 KB: system prompt, tools, calls and results."""
    words = random.Random(7)  # the same request in every run
    system = _text(words, 900)
    tools = [_tool(words, number) for number in range(TOOLS)]
    turns = [_turn(words, number) for number in range(TURNS // 2)]
    make = _chat if dialect == "chat" else _messages
    return orjson.dumps(make(system, tools, turns))


def _text(words: random.Random, count: int) -> str:
    return " ".join(words.choices(_WORDS, k=count))


def _tool(words: random.Random, number: int) -> dict[str, Any]:
    properties = {
        f"argument_{at}": {"type": "string", "description": _text(words, 14)} for at in range(3 + number % 3)
    }
    return {
        "name": f"tool_{number}",
        "description": _text(words, 60),
        "schema": {"type": "object", "properties": properties, "required": ["argument_0"]},
    }


def _turn(words: random.Random, number: int) -> dict[str, Any]:
    """A call of a tool by the assistant, and what the tool answered."""
    return {
        "id": f"call_{number:04d}",
        "said": _text(words, 25),
        "tool": f"tool_{number % TOOLS}",
        "arguments": {"argument_0": _text(words, 20)},
        "result": _text(words, 330),
    }


def _chat(system: str, tools: Sequence[dict[str, Any]], turns: Sequence[dict[str, Any]]) -> dict[str, Any]:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": system},
        {"role": "user", "content": "Find out why the tests fail, and mend it."},
    ]
    for turn in turns:
        call = {"name": turn["tool"], "arguments": orjson.dumps(turn["arguments"]).decode()}
        messages += [
            {
                "role": "assistant",
                "content": turn["said"],
                "tool_calls": [{"id": turn["id"], "type": "function", "function": call}],
            },
            {"role": "tool", "tool_call_id": turn["id"], "content": turn["result"]},
        ]
    functions = [
        {"name": tool["name"], "description": tool["description"], "parameters": tool["schema"]}
        for tool in tools
    ]
    return {
        "model": "default",
        "max_tokens": 4096,
        "messages": messages,
        "tools": [{"type": "function", "function": function} for function in functions],
    }


def _messages(
    system: str, tools: Sequence[dict[str, Any]], turns: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "Find out why the tests fail, and mend it."}
    ]
    for turn in turns:
        call = {"type": "tool_use", "id": turn["id"], "name": turn["tool"], "input": turn["arguments"]}
        result = {"type": "tool_result", "tool_use_id": turn["id"], "content": turn["result"]}
        messages += [
            {"role": "assistant", "content": [{"type": "text", "text": turn["said"]}, call]},
            {"role": "user", "content": [result]},
        ]
    return {
        "model": "default",
        "max_tokens": 4096,
        "system": [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}],
        "messages": messages,
        "tools": [
            {"name": tool["name"], "description": tool["description"], "input_schema": tool["schema"]}
            for tool in tools
        ],
    }
