"""Turns of any dialect: who said one, and what it holds. In the Responses dialect calls and results are turns too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_models(turn: Mapping[str, Any]) -> bool:
    """Whether the model said it: an assistant's message, a call, reasoning."""
    if "role" in turn:
        return bool(turn["role"] == "assistant")
    kind = turn.get("type")
    return isinstance(kind, str) and (kind == "reasoning" or kind.endswith("_call"))


def held(turn: Mapping[str, Any]) -> Any:
    """What it holds: a message's content, a result's output."""
    return turn["content"] if "content" in turn else turn.get("output")


def declares_tools(turn: Mapping[str, Any]) -> bool:
    """Whether tools are declared in the midst of the conversation."""
    return turn.get("type") in ("additional_tools", "tool_search_output") and bool(turn.get("tools"))
