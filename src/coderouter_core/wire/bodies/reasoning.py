"""Chat backends that want the reasoning of earlier turns back with every call of a tool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coderouter_core.wire.lenient import string

FIELD = "reasoning_content"


def with_reasoning(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """A chat request whose assistant turns with calls all have ``reasoning_content``: what the client kept of it under
    this or another name, else the empty text. The same object where they have it already."""
    turns = body.get("messages")
    if not isinstance(turns, list):
        return body
    told = [_told(turn) for turn in turns]
    if all(new is old for new, old in zip(told, turns, strict=True)):
        return body
    return {**body, "messages": told}


def _told(turn: Any) -> Any:
    if not isinstance(turn, dict) or turn.get("role") != "assistant" or not turn.get("tool_calls"):
        return turn
    return turn if isinstance(turn.get(FIELD), str) else {**turn, FIELD: string(turn.get("reasoning"))}
