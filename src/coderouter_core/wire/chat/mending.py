"""A whole Chat Completions answer whose calls are not written as clients read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from coderouter_core.wire.ids import call_id
from coderouter_core.wire.lenient import string, table

#: Finish reasons that say nothing of calls.
_PLAIN = (None, "", "stop")


def mended(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """`body` with calls that all have a name, an id of their own and arguments in a string, with content that is a
    string, and with a finish reason that tells of calls; everything else as it came. None where that is so already."""
    choices = body.get("choices")
    if not isinstance(choices, list):
        return None
    whole = [_choice(choice) for choice in choices]
    if all(new is old for new, old in zip(whole, choices, strict=True)):
        return None
    return {**body, "choices": whole}


def _choice(choice: Any) -> Any:
    message = table(choice).get("message")
    if not isinstance(message, dict):
        return choice
    said = message
    if isinstance(message.get("content"), list):
        parts = [table(part) for part in message["content"]]
        said = {**said, "content": "".join(string(part.get("text")) for part in parts)}
    calls = message.get("tool_calls")
    whole = _calls(calls) if isinstance(calls, list) else None
    if whole is not None:
        said = {**said, "tool_calls": whole}
        if not whole:
            del said["tool_calls"]
    finish = choice.get("finish_reason")
    if said.get("tool_calls") and finish in _PLAIN:
        return {**choice, "message": said, "finish_reason": "tool_calls"}
    return choice if said is message else {**choice, "message": said}


def _calls(calls: list[Any]) -> list[Any] | None:
    """The calls that can be carried out; None where nothing is wrong with them."""
    taken: set[str] = set()
    whole = [call for each in calls if (call := _call(each, taken)) is not None]
    same = len(whole) == len(calls) and all(new is old for new, old in zip(whole, calls, strict=True))
    return None if same else whole


def _call(call: Any, taken: set[str]) -> Any:
    if not isinstance(call, dict):
        return None
    fixed: dict[str, Any] = {}
    if "function" in call or "custom" not in call:
        function = table(call.get("function"))
        if not string(function.get("name")):
            return None
        arguments = function.get("arguments")
        if not isinstance(arguments, str):
            arguments = "{}" if arguments is None else orjson.dumps(arguments).decode()
        arguments = arguments if arguments.strip() else "{}"
        if arguments is not function.get("arguments"):
            fixed["function"] = {**function, "arguments": arguments}
        if not call.get("type"):
            fixed["type"] = "function"
    identity = string(call.get("id"))
    if not identity or identity in taken:
        identity = fixed["id"] = call_id()
    taken.add(identity)
    return {**call, **fixed} if fixed else call
