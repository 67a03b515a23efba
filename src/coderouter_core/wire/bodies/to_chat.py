"""A Messages request as a Chat Completions request.

Left out without a word: cache hints, since they change no answer; hints on when a tool's definition is loaded; and
the first system block that attributes the request to its client. Everything else that is lost is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from coderouter_core.wire.bodies import thinking
from coderouter_core.wire.bodies.attribution import is_attribution
from coderouter_core.wire.bodies.losses import Losses
from coderouter_core.wire.bodies.names import Names, digest
from coderouter_core.wire.bodies.to_chat_turns import TurnsToChat, changed_tool
from coderouter_core.wire.lenient import string, table

_SAME = ("model", "max_tokens", "temperature", "top_p")
_OURS = ("profile", "anthropic_beta")
_HINTS = frozenset({"cache_control", "defer_loading", "eager_input_streaming", "type"})
_TOOL = frozenset({"name", "description", "input_schema"})
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
#: OpenAI refuses longer names of tools and of users.
SHORT = 64

EMPTY_SCHEMA = {"type": "object", "properties": {}}


def to_chat(
    body: Mapping[str, Any], losses: Losses, *, control: str, reasoning: bool
) -> tuple[dict[str, Any], Mapping[str, str]]:
    """The request, and the client's names of the tools that had to be given others."""
    rest = dict(body)
    for key in _OURS:
        rest.pop(key, None)
    out = {key: value for key in _SAME if (value := rest.pop(key, None)) is not None}
    names = Names(SHORT)
    turns = TurnsToChat(losses, names, reasoning=reasoning)
    said = rest.pop("messages", ())
    out["messages"] = _system(rest.pop("system", None), losses) + turns.of(said)
    tools = _tools(_declared(rest.pop("tools", None) or (), said), names, losses)
    choice = rest.pop("tool_choice", None)
    if tools:
        out["tools"] = tools
        out |= _choice(table(choice), names, {tool["function"]["name"] for tool in tools}, losses)
    elif table(choice).get("type") not in (None, "auto", "none"):
        losses.add("tool_choice", "without tools there is nothing to choose")
    if stop := rest.pop("stop_sequences", None):
        out["stop"] = stop
    if rest.pop("stream", None):
        out["stream"] = True
        out["stream_options"] = {"include_usage": True}
    out |= _user(rest) | thinking.to_chat(rest, losses, control) | _format(rest)
    losses.rest(rest, "has no form in chat completions")
    return out, names.back


def _user(rest: dict[str, Any]) -> dict[str, Any]:
    """Who asks, taken out of `rest`; an id that is too long by its digest, which tells users apart as well."""
    metadata = table(rest.get("metadata"))
    user = metadata.get("user_id")
    if not isinstance(user, str) or not user:
        return {}
    rest["metadata"] = {key: value for key, value in metadata.items() if key != "user_id"}
    return {"user": user if len(user) <= SHORT else digest(user)}


def _format(rest: dict[str, Any]) -> dict[str, Any]:
    """The schema that the answer must follow, taken out of `rest`."""
    config = table(rest.get("output_config"))
    wanted = table(config.get("format") or rest.get("output_format"))
    if wanted.get("type") != "json_schema" or not isinstance(wanted.get("schema"), dict):
        return {}
    rest.pop("output_format", None)
    if config:
        rest["output_config"] = {key: value for key, value in config.items() if key != "format"}
    schema = {"name": "answer", "schema": wanted["schema"], "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _system(system: Any, losses: Losses) -> list[dict[str, Any]]:
    if isinstance(system, list) and system and is_attribution(system[0]):
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


def _declared(tools: Iterable[dict[str, Any]], turns: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each tool once, as it was defined last: one that was withdrawn is defined again when it is back."""
    amid = {string(tool.get("name")): tool for tool in defined_amid(turns)}
    return [*(tool for tool in tools if string(tool.get("name")) not in amid), *amid.values()]


def _tools(tools: Any, names: Names, losses: Losses) -> list[dict[str, Any]]:
    found = []
    for tool in tools:
        name = string(tool.get("name"))
        schema = tool.get("input_schema")
        if not isinstance(schema, dict) and tool.get("type", "custom") != "custom":
            losses.add(f"tools.{name}", f"{tool['type']} is run by Anthropic's servers or defined by them")
            continue
        function = {"name": names.of(name), "parameters": table(schema) or EMPTY_SCHEMA}
        if description := string(tool.get("description")):
            function["description"] = description
        found.append({"type": "function", "function": function})
        for key in sorted(tool.keys() - _TOOL - _HINTS):
            if tool[key]:
                losses.add(f"tools.{key}", "has no form in chat completions")
    return found


def defined_amid(turns: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The tools that system turns define, which were not known when the conversation began."""
    for turn in turns:
        content = turn.get("content") if turn.get("role") == "system" else None
        for block in content if isinstance(content, list) else ():
            if block.get("type") == "tool_addition" and table(block.get("tool")).get("definition"):
                yield changed_tool(block)


def _choice(choice: dict[str, Any], names: Names, known: set[str], losses: Losses) -> dict[str, Any]:
    kind = string(choice.get("type"))
    out: dict[str, Any] = {}
    if kind == "tool" and (name := names.of(choice.get("name"))) in known:
        out["tool_choice"] = {"type": "function", "function": {"name": name}}
    elif kind in _CHOICES:
        out["tool_choice"] = _CHOICES[kind]
    elif choice:
        losses.add("tool_choice", "names a tool that chat completions cannot be given")
    if choice.get("disable_parallel_tool_use"):
        out["parallel_tool_calls"] = False
    return out
