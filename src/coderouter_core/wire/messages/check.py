"""What a Messages request must be. Fields that are not named here are an open set and pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coderouter_core.wire import checking

ROLES = ("user", "assistant", "system")


def check(body: Mapping[str, Any]) -> None:
    """Raise `RequestError` where it is not; a ``system`` turn among the messages is what newer clients send."""
    for at, turn in enumerate(checking.turns(body, ROLES)):
        # A system turn may do nothing but change how the model answers from there on.
        settles = turn["role"] == "system" and bool(turn.get("output_config"))
        checking.content(f"messages.{at}.content", turn.get("content"), optional=settles)
    checking.positive(body, "max_tokens", required=True)
    checking.kind(body, "model", str, what="a string")
    checking.kind(body, "stream", bool, what="true or false")
    if "system" in body:
        checking.content("system", body["system"], optional=True)
    checking.objects(body, "tools")
    checking.kind(body, "tool_choice", dict, what="an object")
    checking.kind(body, "stop_sequences", list, what="a list of strings")
    for key in ("temperature", "top_p"):
        checking.kind(body, key, int, float, what="a number")
    checking.kind(body, "metadata", dict, what="an object")
    checking.kind(body, "thinking", dict, what="an object")
