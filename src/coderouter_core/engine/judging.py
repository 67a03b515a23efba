"""Whether a whole answer says something, whatever its kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
)
TEXTS = ("text", "thinking")


def holds_content(answer: Mapping[str, Any]) -> bool:
    """True when any choice or any block of `answer` says something, also in kinds that only its own dialect knows."""
    choices, blocks = answer.get("choices"), answer.get("content")
    if isinstance(choices, list):
        messages = [choice.get("message") for choice in choices if isinstance(choice, dict)]
        return any(isinstance(each, dict) and any(each.get(key) for key in SPOKEN) for each in messages)
    if isinstance(blocks, list):
        return any(isinstance(block, dict) and _says(block) for block in blocks)
    return False


def _says(block: Mapping[str, Any]) -> bool:
    kind = block.get("type")
    if kind in TEXTS:
        return bool(block.get(kind))
    return kind != "tool_use" or bool(block.get("name"))
