"""The fields beside the conversation of a Responses request, as those of a Chat Completions request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from coderouter_core.wire.bodies.losses import Losses
from coderouter_core.wire.lenient import string, table
from coderouter_core.wire.responses.answer import SEALED
from coderouter_core.wire.responses.tools import Tool, Tools

_SAME = ("model", "temperature", "top_p", "user", "parallel_tool_calls")
_READ = ("input", "instructions", "profile")
#: Nothing of the answer depends on them: labels, keys of caches, what is kept, and how a stream is padded.
_NO_LOSS = (
    "background",
    "client_metadata",
    "conversation",
    "metadata",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "stream_options",
)
#: Values that ask for what is the case anyway.
_SILENT: Mapping[str, tuple[Any, ...]] = {
    "service_tier": ("auto", "default"),
    "truncation": ("disabled",),
    "top_logprobs": (0,),
    "parallel_tool_calls": (True,),
}


def fields(
    body: Mapping[str, Any], tools: Tools, losses: Losses, dialect: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields in the words of Chat Completions, and apart from them how hard and how long to answer, which only
    some servers take: ``reasoning_effort``, ``verbosity``. `dialect` is its name for people."""
    rest = dict(body)
    for key in (*_READ, *_NO_LOSS):
        rest.pop(key, None)
    for key, values in _SILENT.items():
        if rest.get(key) in values:
            del rest[key]
    out = {key: value for key in _SAME if (value := rest.pop(key, None)) is not None}
    if most := rest.pop("max_output_tokens", None):
        out["max_tokens"] = most
    if rest.pop("stream", None):
        out["stream"] = True
        out["stream_options"] = {"include_usage": True}
    _tools(rest, out, tools, losses, dialect)
    hints = _hints(rest, out)
    for wanted in rest.pop("include", None) or ():
        if wanted != SEALED:
            losses.add(f"include.{wanted}", f"has no form in {dialect}")
    losses.rest(rest, f"has no form in {dialect}")
    return out, hints


def _hints(rest: dict[str, Any], out: dict[str, Any]) -> dict[str, Any]:
    text, reasoning = table(rest.pop("text", None)), table(rest.pop("reasoning", None))
    if wanted := _format(table(text.get("format"))):
        out["response_format"] = wanted
    said = {"reasoning_effort": reasoning.get("effort"), "verbosity": text.get("verbosity")}
    return {key: value for key, value in said.items() if value is not None}


def _format(wanted: dict[str, Any]) -> dict[str, Any] | None:
    if wanted.get("type") == "json_schema":
        return {"type": "json_schema", "json_schema": {k: v for k, v in wanted.items() if k != "type"}}
    return {"type": "json_object"} if wanted.get("type") == "json_object" else None


def _tools(rest: dict[str, Any], out: dict[str, Any], tools: Tools, losses: Losses, dialect: str) -> None:
    rest.pop("tools", None)
    for kind in tools.left_out:
        losses.add(f"tools.{kind}", f"has no form in {dialect}: it is not run by the client as a function")
    choice = rest.pop("tool_choice", None)
    declared = list(tools)
    if table(choice).get("type") == "allowed_tools":
        declared = tools.only(table(each) for each in table(choice).get("tools") or ())
        choice = table(choice).get("mode")
    if not declared:
        out.pop("parallel_tool_calls", None)
        if choice not in (None, "auto", "none"):
            losses.add("tool_choice", "without tools there is nothing to choose")
        return
    out["tools"] = _functions(declared)
    if isinstance(choice, str):
        out["tool_choice"] = choice
    elif isinstance(choice, dict):
        if name := tools.sent_for(choice):
            out["tool_choice"] = {"type": "function", "function": {"name": name}}
        else:
            losses.add(
                "tool_choice", f"names a tool that has no form in {dialect}: {string(choice.get('type'))}"
            )


def _functions(tools: Iterable[Tool]) -> list[dict[str, Any]]:
    found = []
    for tool in tools:
        function: dict[str, Any] = {"name": tool.sent, "parameters": dict(tool.schema)}
        if tool.description:
            function["description"] = tool.description
        if tool.strict:
            function["strict"] = True
        found.append({"type": "function", "function": function})
    return found
