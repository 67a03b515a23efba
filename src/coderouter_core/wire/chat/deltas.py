"""What the chunks of Chat Completions streams say, as far as a glance tells."""

from __future__ import annotations

from typing import Any

from coderouter_core.model import size_of
from coderouter_core.wire.lenient import table
from coderouter_core.wire.sse import fields

#: What servers call the reasoning in a delta; the first that is there says it all.
REASONING = ("reasoning_content", "reasoning", "thinking")
#: Fields of a delta that hold something to read.
TEXTS = ("content", "refusal", *REASONING)


def said_error(chunk: dict[str, Any], frame: bytes) -> bool:
    """Whether a chunk is an error: OpenAI's shape, the flat one of older vLLM servers, or one by its event line."""
    if chunk.get("error") or chunk.get("object") == "error":
        return True
    return "choices" not in chunk and frame.startswith(b"event:") and fields(frame)[0] == "error"


def size_of_delta(delta: dict[str, Any]) -> int:
    """The bytes of what a delta says: text, thinking and the arguments of calls."""
    size = 0
    for key in TEXTS:
        text = delta.get(key)
        if text:
            size += size_of(text if isinstance(text, str) else str(text))
    calls = delta.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        arguments = table(table(call).get("function")).get("arguments")
        if arguments:
            size += size_of(arguments if isinstance(arguments, str) else str(arguments))
    return size


def without_role(delta: dict[str, Any]) -> dict[str, Any]:
    """A later delta without the role that some servers repeat in each, to which clients add it; the same object where
    there is none."""
    return {key: value for key, value in delta.items() if key != "role"} if delta.get("role") else delta


def names_a_call(delta: dict[str, Any]) -> bool:
    """Whether a delta names a tool call."""
    calls = delta.get("tool_calls")
    functions = [table(call).get("function") for call in calls] if isinstance(calls, list) else []
    return any(table(function).get("name") for function in (*functions, delta.get("function_call")))


def usage_of(chunk: dict[str, Any]) -> dict[str, Any]:
    """The usage in a chunk, which some servers tell inside of a choice; empty where there is none."""
    choices = chunk.get("choices")
    beside = (table(table(choice).get("usage")) for choice in (choices if isinstance(choices, list) else ()))
    return table(chunk.get("usage")) or next(filter(None, beside), {})
