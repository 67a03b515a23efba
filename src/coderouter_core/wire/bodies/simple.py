"""Requests with simple schemas, wherever one may stand in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from coderouter_core.model.items import declares_tools
from coderouter_core.wire.bodies.schemas import simple_schema
from coderouter_core.wire.lenient import table

_PLACES = ("input_schema", "parameters")
#: Where a request says what its answer must be like: Chat Completions, Messages now and earlier, Responses.
_FORMATS = (
    ("response_format", "json_schema", "schema"),
    ("output_config", "format", "schema"),
    ("output_format", "schema"),
    ("text", "format", "schema"),
)


def simple_tools(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request of any dialect that declare tools, the conversation's turns among them, with simple
    schemas; nothing where they are simple already."""
    found: dict[str, Any] = {}
    for key in ("tools", "functions"):
        found |= _changed(body, key, _simple_tool)
    for key in ("messages", "input"):
        found |= _changed(body, key, _simple_turn)
    return found


def simple_format(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request of any dialect that hold the schema of its answer, with a simple one; nothing where it is
    simple already, or there is none."""
    found = {}
    for field, *path in _FORMATS:
        whole = table(body.get(field))
        if (simple := _within(whole, path)) is not whole:
            found[field] = simple
    return found


def _changed(holder: Mapping[str, Any], key: str, simple: Callable[[Any], Any]) -> dict[str, Any]:
    """The list at `key` with `simple` done to each; nothing where that changes none."""
    old = holder.get(key)
    if not isinstance(old, list):
        return {}
    new = [simple(each) for each in old]
    return {key: new} if any(each is not before for each, before in zip(new, old, strict=True)) else {}


def _simple_tool(tool: Any) -> Any:
    if not isinstance(tool, dict):
        return tool
    changed: dict[str, Any] = {}
    for key in _PLACES:
        schema = tool.get(key)
        if isinstance(schema, dict) and (simple := simple_schema(schema)) != schema:
            changed[key] = simple
    function = tool.get("function")
    if isinstance(function, dict) and (inner := _simple_tool(function)) is not function:
        changed["function"] = inner
    if tool.get("type") == "namespace":
        changed |= _changed(tool, "tools", _simple_tool)
    return {**tool, **changed} if changed else tool


def _simple_turn(turn: Any) -> Any:
    """A turn may declare tools: an item of the Responses dialect, a system turn of the Messages dialect."""
    if not isinstance(turn, dict):
        return turn
    changed: dict[str, Any] = {}
    if declares_tools(turn):
        changed = _changed(turn, "tools", _simple_tool)
    elif turn.get("role") == "system":
        changed = _changed(turn, "content", _simple_block)
    return {**turn, **changed} if changed else turn


def _simple_block(block: Any) -> Any:
    tool = table(block.get("tool")) if isinstance(block, dict) else {}
    old = tool.get("definition")
    new = _simple_tool(old)
    return block if new is old else {**block, "tool": {**tool, "definition": new}}


def _within(holder: dict[str, Any], path: list[str]) -> dict[str, Any]:
    """`holder` with a simple schema at the end of `path`; the same object where there is nothing to do."""
    key, *rest = path
    inner = holder.get(key)
    if not isinstance(inner, dict):
        return holder
    simple = _within(inner, rest) if rest else simple_schema(inner)
    same = simple is inner if rest else simple == inner
    return holder if same else {**holder, key: simple}
