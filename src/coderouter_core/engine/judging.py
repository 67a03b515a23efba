"""Whether a whole answer says something, whatever its kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from coderouter_core.model import StreamEvent

#: Members of a chat message that are content.
SPOKEN = (
    "content",
    "tool_calls",
    "function_call",
    "refusal",
    "audio",
    "images",
    "reasoning",
    "reasoning_content",
    "thinking",
)
TEXTS = ("text", "thinking")
#: Reasons to stop that say nothing by themselves.
SETTLED_REASONS = ("end_turn", "tool_use", "")


def says_something(events: Iterable[StreamEvent]) -> bool:
    """True when any event is content: text, thinking, a call with a name, or a stop that says why."""
    return any(
        (event.kind == "delta" and event.text)
        or (event.kind == "block_start" and event.block == "tool_call" and event.name)
        or (event.kind == "stop" and event.reason not in SETTLED_REASONS)
        for event in events
    )


def holds_content(answer: Mapping[str, Any]) -> bool:
    """True when any choice or any block of `answer` says something, also in kinds that only its own dialect knows."""
    choices, blocks, vectors = answer.get("choices"), answer.get("content"), answer.get("data")
    if isinstance(vectors, list):
        return bool(vectors)
    if isinstance(choices, list):
        if any(isinstance(choice, dict) and _completes(choice) for choice in choices):
            return True
        messages = [choice.get("message") for choice in choices if isinstance(choice, dict)]
        return any(isinstance(each, dict) and any(each.get(key) for key in SPOKEN) for each in messages)
    if isinstance(blocks, list):
        return any(isinstance(block, dict) and _says(block) for block in blocks)
    return False


def _completes(choice: Mapping[str, Any]) -> bool:
    """A legacy completion may be empty: a text that is complete already is one, too."""
    return isinstance(choice.get("text"), str) and bool(choice["text"] or choice.get("finish_reason"))


def _says(block: Mapping[str, Any]) -> bool:
    kind = block.get("type")
    if kind in TEXTS:
        return bool(block.get(kind))
    return kind != "tool_use" or bool(block.get("name"))
