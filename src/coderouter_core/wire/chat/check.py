"""What a Chat Completions request must be. Fields that are not named here are an open set and pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coderouter_core.wire import checking

ROLES = ("system", "developer", "user", "assistant", "tool", "function")


def check(body: Mapping[str, Any]) -> None:
    """Raise `RequestError` where it is not."""
    for at, turn in enumerate(checking.turns(body, ROLES)):
        if type(turn.get("content")) is not str:
            checking.content(f"messages.{at}.content", turn.get("content"), optional=True)
        if turn.get("tool_calls"):
            _calls(f"messages.{at}", turn)
    checking.kind(body, "model", str, what="a string")
    checking.kind(body, "stream", bool, what="true or false")
    checking.kind(body, "stream_options", dict, what="an object")
    for key in ("tools", "functions"):
        checking.objects(body, key)
    checking.kind(body, "tool_choice", str, dict, what="a string or an object")
    checking.kind(body, "stop", str, list, what="a string or a list of strings")
    for key in ("temperature", "top_p"):
        checking.kind(body, key, int, float, what="a number")
    for key in ("max_tokens", "max_completion_tokens", "n"):
        checking.positive(body, key)


def _calls(where: str, turn: Mapping[str, Any]) -> None:
    calls = turn["tool_calls"]
    if type(calls) is not list or set(map(type, calls)) - {dict}:
        raise checking.refusal(f"{where}.tool_calls", "must be a list of objects")
