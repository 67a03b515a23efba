"""What the items of a Responses request say, in a form that is no dialect's.

Left out without a word: items that only a Responses server could read, sealed reasoning of OpenAI's among them, and
declarations of tools, which are read as such (see `coderouter_core.wire.responses.tools`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import orjson
from attrs import frozen

from coderouter_core.wire.bodies.losses import Losses
from coderouter_core.wire.lenient import string, table
from coderouter_core.wire.responses.builtin import BY_ITEM, output_text
from coderouter_core.wire.responses.sealed import Thought, unseal
from coderouter_core.wire.responses.tools import INPUT, Tools

Part = dict[str, Any]

_SILENT = frozenset({"additional_tools", "configuration_update", "compaction", "compaction_trigger"})
_SERVERS = "is the work of OpenAI's servers"


@frozen
class Said:
    """A message. `parts` are the dialect's own: input_text, output_text, refusal, input_image, input_file …"""

    role: Literal["system", "user", "assistant"]
    parts: list[Part]


@frozen
class Called:
    """A call of a function. `arguments` are JSON."""

    id: str
    name: str
    arguments: str


@frozen
class Answered:
    """What a call gave."""

    id: str
    parts: list[Part]


Entry = Said | Called | Answered | Thought


def entries(body: Mapping[str, Any], tools: Tools, losses: Losses) -> Iterator[Entry]:
    """The conversation, oldest first."""
    if instructions := string(body.get("instructions")):
        yield Said("system", [_text(instructions)])
    items = body.get("input")
    if isinstance(items, str):
        yield Said("user", [_text(items)])
        return
    for item in items or ():
        if (entry := _entry(item, tools, losses)) is not None:
            yield entry


def _entry(item: Mapping[str, Any], tools: Tools, losses: Losses) -> Entry | None:
    kind = string(item.get("type")) or "message"
    if kind == "message":
        return _message(item)
    if kind == "reasoning":
        return unseal(item.get("encrypted_content"))
    if kind.endswith("_output") and isinstance(item.get("call_id"), str):
        return Answered(item["call_id"], _output(item))
    if kind.endswith("_call") and (call := _call(kind, item, tools)):
        return call
    if kind not in _SILENT:
        losses.add(f"input.{kind}", _SERVERS)
    return None


def _message(item: Mapping[str, Any]) -> Said:
    role = item.get("role")
    parts = _parts(item.get("content"))
    if role in ("system", "developer"):
        return Said("system", parts)
    return Said("assistant" if role == "assistant" else "user", parts)


def _call(kind: str, item: Mapping[str, Any], tools: Tools) -> Called | None:
    identity = string(item.get("call_id")) or string(item.get("id"))
    name = tools.sent(string(item.get("name")), string(item.get("namespace")))
    if kind == "function_call":
        return Called(identity, name, string(item.get("arguments")))
    if kind == "custom_tool_call":
        return Called(identity, name, _json({INPUT: string(item.get("input"))}))
    if kind == "tool_search_call" and item.get("call_id"):
        said = item.get("arguments")
        return Called(identity, "tool_search", said if isinstance(said, str) else _json(said or {}))
    if kind in BY_ITEM:
        name, builtin = BY_ITEM[kind]
        return Called(identity, name, _json(builtin.said(table(item.get(builtin.field)))))
    return None


def _output(item: Mapping[str, Any]) -> list[Part]:
    if item.get("type") == "tool_search_output":
        # The tools themselves are declared with the others; here the model learns their names.
        found = Tools({"tools": item.get("tools")})
        names = ", ".join(tool.sent for tool in found)
        return [_text(f"Tools that can be called now: {names}" if names else "No tool was found.")]
    if (said := output_text(item)) is not None:
        return _parts(said)
    output = item.get("output")
    return _parts(_json(output) if isinstance(output, dict) else output)


def _parts(content: Any) -> list[Part]:
    if isinstance(content, str):
        return [_text(content)] if content else []
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _text(text: str) -> Part:
    return {"type": "input_text", "text": text}


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
