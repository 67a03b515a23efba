"""A Chat Completions request as a Messages request.

Left out without a word: the reasoning of earlier turns, which only the model that thought it can sign, and fields
that say what is the case anyway. Everything else that is lost is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coderouter_core.wire.bodies.losses import Losses
from coderouter_core.wire.bodies.to_chat import EMPTY_SCHEMA
from coderouter_core.wire.bodies.to_messages_turns import TurnsToMessages
from coderouter_core.wire.lenient import string, table

#: Messages requests must say how long an answer may be.
MAX_TOKENS = 4096

_SAME = ("model", "top_p", "top_k")
_TAKEN = ("profile", "stream_options", "max_tokens", "max_completion_tokens")
_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high"}
_SILENT: dict[str, Any] = {"n": 1, "response_format": {"type": "text"}, "parallel_tool_calls": True}


def to_messages(body: Mapping[str, Any], losses: Losses, *, effort: bool) -> dict[str, Any]:
    rest = dict(body)
    most = rest.get("max_completion_tokens") or rest.get("max_tokens") or MAX_TOKENS
    for key in _TAKEN:
        rest.pop(key, None)
    out = {key: value for key in _SAME if (value := rest.pop(key, None)) is not None}
    out["max_tokens"] = most
    turns = TurnsToMessages(losses)
    out["messages"] = turns.of(rest.pop("messages", ()))
    if turns.system:
        out["system"] = turns.system
    _sampling(rest, out, losses)
    _tools(rest, out, losses)
    if rest.pop("stream", None):
        out["stream"] = True
    if effort and (level := _EFFORTS.get(str(rest.get("reasoning_effort")))):
        del rest["reasoning_effort"]
        out["output_config"] = {"effort": level}
    for key, value in _SILENT.items():
        if rest.get(key) == value:
            del rest[key]
    losses.rest(rest, "has no form in Messages")
    return out


def _sampling(rest: dict[str, Any], out: dict[str, Any], losses: Losses) -> None:
    temperature = rest.pop("temperature", None)
    if temperature is not None:
        out["temperature"] = min(max(temperature, 0), 1)
        if out["temperature"] != temperature:
            losses.add("temperature", f"Messages takes 0 to 1; sent as {out['temperature']}")
    stop = rest.pop("stop", None)
    sequences = [stop] if isinstance(stop, str) else stop or []
    if kept := [each for each in sequences if isinstance(each, str) and each.strip()]:
        out["stop_sequences"] = kept
    if len(kept) != len(sequences):
        losses.add("stop", "Messages takes no stop sequence that is only white space")


def _tools(rest: dict[str, Any], out: dict[str, Any], losses: Losses) -> None:
    functions = [{"type": "function", "function": each} for each in rest.pop("functions", None) or ()]
    tools = []
    for tool in [*(rest.pop("tools", None) or ()), *functions]:
        if tool.get("type", "function") == "function" and isinstance(tool.get("function"), dict):
            tools.append(_tool(tool["function"], losses))
        else:
            losses.add(f"tools.{tool.get('type')}", "only function tools have a form in Messages")
    choice = rest.pop("tool_choice", None)
    if (legacy := rest.pop("function_call", None)) and choice is None:
        choice = {"type": "function", "function": legacy} if isinstance(legacy, dict) else legacy
    alone = rest.get("parallel_tool_calls") is False
    if not tools:
        return
    out["tools"] = tools
    wanted = _choice(choice, losses)
    if alone:
        del rest["parallel_tool_calls"]
        wanted = wanted or {"type": "auto"}
        if wanted["type"] != "none":
            wanted["disable_parallel_tool_use"] = True
    if wanted:
        out["tool_choice"] = wanted


def _tool(function: dict[str, Any], losses: Losses) -> dict[str, Any]:
    schema = table(function.get("parameters")) or EMPTY_SCHEMA
    tool: dict[str, Any] = {"name": function.get("name"), "input_schema": {"type": "object", **schema}}
    if description := string(function.get("description")):
        tool["description"] = description
    if function.get("strict"):
        losses.add("tools.strict", "has no form in Messages")
    return tool


def _choice(choice: Any, losses: Losses) -> dict[str, Any]:
    if isinstance(choice, str) and choice in _CHOICES:
        return {"type": _CHOICES[choice]}
    name = table(table(choice).get("function")).get("name")
    if isinstance(name, str):
        return {"type": "tool", "name": name}
    if choice is not None:
        losses.add("tool_choice", "has no form in Messages")
    return {}
