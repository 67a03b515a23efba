"""Make llama.cpp do what ``tool_choice`` asks."""

from __future__ import annotations

from typing import Any

import orjson

#: How every call begins in our template.
CALL_OPENING = '{"name": "'


def honour_tool_choice(body: bytes, *, open_call: bool) -> bytes:
    """A chat body in which a demanded call is one that llama.cpp will make.

    It does not know the choice of one function by name: only that function is then offered, and a call is
    required. It lets a model that must call talk first, and a small one then never stops: `open_call` (for
    our template alone) begins the answer with the beginning of a call, which its grammar must then finish.
    """
    if b'"tool_choice"' not in body:
        return body
    request = orjson.loads(body)
    tools, choice = request.get("tools"), request.get("tool_choice")
    if not isinstance(tools, list) or not tools:
        return body
    if isinstance(choice, dict):
        tools = [tool for tool in tools if _name(tool) == _name(choice)]
    elif choice != "required":
        return body
    if not tools:
        return body
    request.update(tools=tools, tool_choice="required")
    messages = request.get("messages")
    if open_call and isinstance(messages, list) and messages and messages[-1].get("role") != "assistant":
        request["messages"] = [*messages, {"role": "assistant", "content": CALL_OPENING}]
        # A small model that may go on after a call repeats it without end.
        request.setdefault("parallel_tool_calls", False)
    return orjson.dumps(request)


def _name(value: Any) -> Any:
    """The name of a function in a tool or in a choice of one."""
    function = value.get("function") if isinstance(value, dict) else None
    return function.get("name") if isinstance(function, dict) else None
