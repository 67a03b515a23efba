"""What a Responses request must be. Fields and items that are not named here are an open set and pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coderouter_core.errors import RequestError
from coderouter_core.model import Fault
from coderouter_core.wire import checking

ROLES = ("user", "assistant", "system", "developer")

_STATELESS = "this router keeps no conversations"
#: Fields that ask for something of an earlier request, and what to do instead.
_REFUSED = {
    "previous_response_id": f"must be null: {_STATELESS}; send the whole conversation in input",
    "conversation": f"must be null: {_STATELESS}; send the whole conversation in input",
    "prompt": "must be null: stored prompts are OpenAI's; send instructions and input",
}


def check(body: Mapping[str, Any]) -> None:
    """Raise `RequestError` where it is not."""
    for key, what in _REFUSED.items():
        if body.get(key) is not None:
            raise _unsupported(key, what)
    checking.kind(body, "background", bool, what="true or false")
    if body.get("background"):
        raise _unsupported("background", f"must be false: {_STATELESS}; wait for the answer, or stream it")
    _input(body)
    checking.kind(body, "model", str, what="a string")
    checking.kind(body, "stream", bool, what="true or false")
    checking.kind(body, "instructions", str, what="a string")
    checking.objects(body, "tools")
    checking.kind(body, "tool_choice", str, dict, what="a string or an object")
    checking.kind(body, "include", list, what="a list")
    for key in ("reasoning", "text"):
        checking.kind(body, key, dict, what="an object")
    for key in ("temperature", "top_p"):
        checking.kind(body, key, int, float, what="a number")
    checking.positive(body, "max_output_tokens")


def _unsupported(key: str, what: str) -> RequestError:
    code = "previous_response_not_found" if key == "previous_response_id" else "unsupported_parameter"
    return RequestError(
        Fault(400, "invalid_request_error", f"{key}: {what}", code=code, extra={"param": key})
    )


def _input(body: Mapping[str, Any]) -> None:
    items = body.get("input")
    if isinstance(items, str):
        return
    if not isinstance(items, list):
        said = f"not {checking.named(items)}" if "input" in body else "it is missing"
        raise checking.refusal("input", f"must be a string or a list of items; {said}")
    if not items:
        raise checking.refusal("input", "must hold at least one item")
    for at, item in enumerate(items):
        _item(f"input.{at}", item)


def _item(where: str, item: Any) -> None:
    if not isinstance(item, dict):
        raise checking.refusal(where, f"must be an object with a type, not {checking.named(item)}")
    # A reference need not say that it is one.
    kind = item.get("type") or ("message" if "role" in item or "id" not in item else "item_reference")
    if not isinstance(kind, str):
        raise checking.refusal(f"{where}.type", f"must be a string, not {checking.named(kind)}")
    if kind == "message":
        if item.get("role") not in ROLES:
            raise checking.refusal(f"{where}.role", f"must be one of {', '.join(ROLES)}")
        checking.content(f"{where}.content", item.get("content"), optional=True)
    elif kind == "item_reference":
        raise _unsupported(where, f"must be the item itself, not a reference: {_STATELESS}")
    elif kind in ("function_call", "custom_tool_call"):
        _strings(where, item, "name", "call_id")
    elif kind in ("function_call_output", "custom_tool_call_output"):
        _strings(where, item, "call_id")
        checking.content(f"{where}.output", item.get("output"), optional=True)


def _strings(where: str, item: Mapping[str, Any], *keys: str) -> None:
    for key in keys:
        if not isinstance(item.get(key), str):
            said = f"not {checking.named(item[key])}" if key in item else "it is missing"
            raise checking.refusal(f"{where}.{key}", f"must be a string; {said}")
