"""A Messages request as a Chat Completions request.

Left out without a word: cache hints, since they change no answer; hints on when a tool's definition is loaded;
the first system block that attributes the request to its client; and the thinking of earlier turns, which belongs
to the model that thought it (unless `reasoning` asks for it). Everything else that is lost is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coderouter_core.wire.bodies.losses import Losses
from coderouter_core.wire.bodies.to_chat_turns import TurnsToChat
from coderouter_core.wire.lenient import count, string, table

_SAME = ("model", "max_tokens", "temperature", "top_p")
_OURS = ("profile", "anthropic_beta")
_HINTS = frozenset({"cache_control", "defer_loading", "eager_input_streaming", "type"})
_TOOL = frozenset({"name", "description", "input_schema"})
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_ATTRIBUTION = "x-anthropic-billing-header"
_EFFORTS = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
#: Budgets for thinking, in tokens, below which an effort is meant.
_BUDGETS = (("low", 4096), ("medium", 16_384))

EMPTY_SCHEMA = {"type": "object", "properties": {}}


def to_chat(body: Mapping[str, Any], losses: Losses, *, effort: bool, reasoning: bool) -> dict[str, Any]:
    rest = dict(body)
    for key in _OURS:
        rest.pop(key, None)
    out = {key: value for key in _SAME if (value := rest.pop(key, None)) is not None}
    turns = TurnsToChat(losses, reasoning=reasoning)
    out["messages"] = _system(rest.pop("system", None), losses) + turns.of(rest.pop("messages", ()))
    tools = _tools(rest.pop("tools", None) or (), losses)
    choice = rest.pop("tool_choice", None)
    if tools:
        out["tools"] = tools
        out |= _choice(table(choice), {tool["function"]["name"] for tool in tools}, losses)
    if stop := rest.pop("stop_sequences", None):
        out["stop"] = stop
    if rest.pop("stream", None):
        out["stream"] = True
        out["stream_options"] = {"include_usage": True}
    if effort and (level := _effort(rest)):
        out["reasoning_effort"] = level
    if table(rest.get("thinking")).get("type") == "disabled":
        del rest["thinking"]
    losses.rest(rest, "has no form in chat completions")
    return out


def _system(system: Any, losses: Losses) -> list[dict[str, Any]]:
    if isinstance(system, list) and system and _text(system[0]).startswith(_ATTRIBUTION):
        system = system[1:]
    pieces = [system] if isinstance(system, str) else []
    for block in system if isinstance(system, list) else ():
        if table(block).get("type") == "text":
            pieces.append(_text(block))
        else:
            losses.add("system", "a block that is not text has no place in a system prompt")
    text = "\n".join(piece for piece in pieces if piece)
    return [{"role": "system", "content": text}] if text else []


def _text(block: Any) -> str:
    return string(table(block).get("text"))


def _tools(tools: Any, losses: Losses) -> list[dict[str, Any]]:
    found = []
    for tool in tools:
        name = string(tool.get("name"))
        schema = tool.get("input_schema")
        if not isinstance(schema, dict) and tool.get("type", "custom") != "custom":
            losses.add(f"tools.{name}", f"{tool['type']} is run by Anthropic's servers or defined by them")
            continue
        function = {"name": name, "parameters": table(schema) or EMPTY_SCHEMA}
        if description := string(tool.get("description")):
            function["description"] = description
        found.append({"type": "function", "function": function})
        for key in sorted(tool.keys() - _TOOL - _HINTS):
            if tool[key]:
                losses.add(f"tools.{key}", "has no form in chat completions")
    return found


def _choice(choice: dict[str, Any], names: set[str], losses: Losses) -> dict[str, Any]:
    kind, name = string(choice.get("type")), string(choice.get("name"))
    out: dict[str, Any] = {}
    if kind == "tool" and name in names:
        out["tool_choice"] = {"type": "function", "function": {"name": name}}
    elif kind in _CHOICES:
        out["tool_choice"] = _CHOICES[kind]
    elif choice:
        losses.add("tool_choice", "names a tool that chat completions cannot be given")
    if choice.get("disable_parallel_tool_use"):
        out["parallel_tool_calls"] = False
    return out


def _effort(rest: dict[str, Any]) -> str | None:
    """The wanted effort, taken out of `rest`."""
    config = table(rest.get("output_config"))
    level = _EFFORTS.get(str(config.get("effort")))
    thinking = table(rest.get("thinking"))
    budget = count(thinking.get("budget_tokens"))
    if level is not None:
        rest["output_config"] = {key: value for key, value in config.items() if key != "effort"}
    elif budget:
        level = next((name for name, most in _BUDGETS if budget < most), "high")
    if level is not None and thinking.get("type") != "disabled":
        rest.pop("thinking", None)
    return level
