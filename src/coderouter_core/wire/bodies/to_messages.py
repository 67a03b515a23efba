"""A Chat Completions request as a Messages request.

Left out without a word: fields that say what is the case anyway. Everything else that is lost is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coderouter_core.wire.bodies import thinking
from coderouter_core.wire.bodies.losses import Losses
from coderouter_core.wire.bodies.names import Names, digest
from coderouter_core.wire.bodies.to_chat import EMPTY_SCHEMA
from coderouter_core.wire.bodies.to_messages_turns import TurnsToMessages
from coderouter_core.wire.checking import refusal
from coderouter_core.wire.lenient import count, string, table

#: Messages requests must say how long an answer may be.
MAX_TOKENS = 4096

_SAME = ("model", "top_p", "top_k")
_TAKEN = ("profile", "stream_options", "max_tokens", "max_completion_tokens")
_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
#: Anthropic refuses longer names of tools, and longer ids of users.
_LONGEST = 128
_LONGEST_USER = 256
_SILENT: dict[str, Any] = {"n": 1, "response_format": {"type": "text"}, "parallel_tool_calls": True}


def to_messages(
    body: Mapping[str, Any], losses: Losses, *, control: str, reasoning: bool, structured: bool
) -> tuple[dict[str, Any], Mapping[str, str]]:
    """The request, and the client's names of the tools that had to be given others."""
    rest = dict(body)
    if (rest.get("n") or 1) > 1:
        raise refusal("n", f"must be 1 for a provider that speaks Messages, not {rest['n']}")
    most = rest.get("max_completion_tokens") or rest.get("max_tokens")
    for key in _TAKEN:
        rest.pop(key, None)
    out = {key: value for key in _SAME if (value := rest.pop(key, None)) is not None}
    names = Names(_LONGEST)
    turns = TurnsToMessages(losses, names, reasoning=reasoning)
    out["messages"] = turns.of(rest.pop("messages", ()))
    if turns.system:
        out["system"] = turns.system
    _sampling(rest, out, losses)
    _tools(rest, out, names, losses)
    if rest.pop("stream", None):
        out["stream"] = True
    out |= _user(rest) | thinking.to_messages(rest, losses, control)
    # What is thought counts as answered.
    out["max_tokens"] = most or MAX_TOKENS + count(table(out.get("thinking")).get("budget_tokens"))
    if structured and (wanted := _format(rest)):
        out["output_config"] = {**table(out.get("output_config")), "format": wanted}
    for key, value in _SILENT.items():
        if rest.get(key) == value:
            del rest[key]
    losses.rest(rest, "has no form in Messages")
    return out, names.back


def _user(rest: dict[str, Any]) -> dict[str, Any]:
    """Who asks, taken out of `rest`; an id that is too long by its digest, which tells users apart as well."""
    user = rest.get("user")
    if not isinstance(user, str) or not user:
        return {}
    del rest["user"]
    return {"metadata": {"user_id": user if len(user) <= _LONGEST_USER else digest(user)}}


def _format(rest: dict[str, Any]) -> dict[str, Any]:
    """The schema that the answer must follow, taken out of `rest`."""
    wanted = table(rest.get("response_format"))
    schema = table(wanted.get("json_schema")).get("schema")
    if wanted.get("type") != "json_schema" or not isinstance(schema, dict):
        return {}
    del rest["response_format"]
    return {"type": "json_schema", "schema": schema}


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


def _tools(rest: dict[str, Any], out: dict[str, Any], names: Names, losses: Losses) -> None:
    functions = [{"type": "function", "function": each} for each in rest.pop("functions", None) or ()]
    tools = []
    for tool in [*(rest.pop("tools", None) or ()), *functions]:
        if tool.get("type", "function") == "function" and isinstance(tool.get("function"), dict):
            tools.append(_tool(tool["function"], names, losses))
        else:
            losses.add(f"tools.{tool.get('type')}", "only function tools have a form in Messages")
    choice = rest.pop("tool_choice", None)
    if (legacy := rest.pop("function_call", None)) and choice is None:
        choice = {"type": "function", "function": legacy} if isinstance(legacy, dict) else legacy
    if table(choice).get("type") == "allowed_tools":
        tools, choice = _allowed(tools, table(choice.get("allowed_tools")), names)
    alone = rest.get("parallel_tool_calls") is False
    if alone:
        del rest["parallel_tool_calls"]
    if not tools:
        if choice not in (None, "auto", "none"):
            losses.add("tool_choice", "without tools there is nothing to choose")
        return
    out["tools"] = tools
    wanted = _choice(choice, names, losses)
    if alone:
        wanted = wanted or {"type": "auto"}
        if wanted["type"] != "none":
            wanted["disable_parallel_tool_use"] = True
    if wanted:
        out["tool_choice"] = wanted


def _allowed(
    tools: list[dict[str, Any]], allowed: dict[str, Any], names: Names
) -> tuple[list[dict[str, Any]], Any]:
    """The tools that may be called in this turn, and whether one must be."""
    listed = allowed.get("tools")
    functions = [table(table(each).get("function")) for each in (listed if isinstance(listed, list) else ())]
    known = {names.of(function.get("name")) for function in functions}
    return [tool for tool in tools if tool["name"] in known], allowed.get("mode")


def _tool(function: dict[str, Any], names: Names, losses: Losses) -> dict[str, Any]:
    schema = table(function.get("parameters")) or EMPTY_SCHEMA
    tool: dict[str, Any] = {
        "name": names.of(function.get("name")),
        "input_schema": {"type": "object", **schema},
    }
    if description := string(function.get("description")):
        tool["description"] = description
    if function.get("strict"):
        losses.add("tools.strict", "has no form in Messages")
    return tool


def _choice(choice: Any, names: Names, losses: Losses) -> dict[str, Any]:
    if isinstance(choice, str) and choice in _CHOICES:
        return {"type": _CHOICES[choice]}
    name = table(table(choice).get("function")).get("name")
    if isinstance(name, str):
        return {"type": "tool", "name": names.of(name)}
    if choice is not None:
        losses.add("tool_choice", "has no form in Messages")
    return {}
