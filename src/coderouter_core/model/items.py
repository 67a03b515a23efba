"""Turns of any dialect: who said one, and what it holds. In the Responses dialect calls and results are turns too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_HINT = "cache_control"


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


def marks_cache(body: Mapping[str, Any], turns: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a ``cache_control`` stands where one is heeded: on the body, on a tool, on a turn, or on a block of
    either the system prompt or a turn, results included."""
    if _HINT in body:
        return True
    stack = [turns, body.get("tools"), body.get("system")]
    while stack:
        holders = stack.pop()
        for holder in holders if isinstance(holders, list) else ():
            if type(holder) is not dict:
                continue
            if _HINT in holder:
                return True
            inner = holder.get("content") or holder.get("function") or holder.get("output")
            if type(inner) is list:
                stack.append(inner)
            elif type(inner) is dict and _HINT in inner:
                return True
    return False
