"""Tools that OpenAI defines and the client runs: other models are told of them as functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from coderouter_core.wire.lenient import string, table

Arguments = dict[str, Any]

_LIMITS = {"timeout_ms": {"type": "integer"}}


@frozen
class Builtin:
    """`about` and `schema` are those of the function. A call of it is an item of type `item`, whose id begins with
    `prefix`, and whose `field` is what `made` makes of the function's arguments; `said` leads back."""

    about: str
    schema: Mapping[str, Any]
    item: str
    prefix: str
    field: str
    made: Callable[[Arguments], dict[str, Any]]
    said: Callable[[dict[str, Any]], Arguments]


def _some(arguments: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: arguments[key] for key in keys if arguments.get(key)}


def _command(arguments: Arguments) -> dict[str, Any]:
    command = arguments.get("command")
    words = ["bash", "-lc", command] if isinstance(command, str) else command or []
    return {
        "type": "exec",
        "command": words,
        "env": {},
        **_some(arguments, "working_directory", "timeout_ms"),
    }


def _command_said(action: dict[str, Any]) -> Arguments:
    return {key: value for key, value in action.items() if key not in ("type", "env") and value}


def _commands(arguments: Arguments) -> dict[str, Any]:
    commands = arguments.get("commands") or arguments.get("command") or []
    lines = [commands] if isinstance(commands, str) else commands
    return {"commands": lines, **_some(arguments, "timeout_ms", "max_output_length")}


def _commands_said(action: dict[str, Any]) -> Arguments:
    return {key: value for key, value in action.items() if value}


def _operation(arguments: Arguments) -> dict[str, Any]:
    meant = table(arguments.get("operation")) or arguments
    kind = string(meant.get("type"))
    operation = {"type": kind, "path": string(meant.get("path"))}
    return operation if kind == "delete_file" else {**operation, "diff": string(meant.get("diff"))}


#: By the type under which a request declares them.
BUILTINS: Mapping[str, Builtin] = {
    "local_shell": Builtin(
        "Runs a command on the user's machine.",
        {
            "type": "object",
            "properties": {
                "command": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "The program and its arguments.",
                },
                "working_directory": {"type": "string"},
                **_LIMITS,
            },
            "required": ["command"],
        },
        "local_shell_call",
        "lsh",
        "action",
        _command,
        _command_said,
    ),
    "shell": Builtin(
        "Runs shell commands on the user's machine, one after the other.",
        {
            "type": "object",
            "properties": {
                "commands": {"type": "array", "items": {"type": "string"}},
                **_LIMITS,
                "max_output_length": {"type": "integer"},
            },
            "required": ["commands"],
        },
        "shell_call",
        "sh",
        "action",
        _commands,
        _commands_said,
    ),
    "apply_patch": Builtin(
        "Creates, updates or deletes one file. A diff is in the V4A format: lines that begin with a space, - or +, after"
        " a line of @@ with what stands around them; for a new file every line begins with +.",
        {
            "type": "object",
            "properties": {
                "type": {"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
                "path": {"type": "string"},
                "diff": {"type": "string", "description": "Not for delete_file."},
            },
            "required": ["type", "path"],
        },
        "apply_patch_call",
        "apc",
        "operation",
        _operation,
        _operation,
    ),
}
#: The same, by the type of the items that are their calls.
BY_ITEM: Mapping[str, tuple[str, Builtin]] = {each.item: (kind, each) for kind, each in BUILTINS.items()}


def is_clients(kind: str, tool: Mapping[str, Any]) -> bool:
    """Whether a declared tool is one of them: a shell in a container of OpenAI's is not."""
    place = string(table(tool.get("environment")).get("type"))
    return kind in BUILTINS and not place.startswith("container")


def output_text(item: Mapping[str, Any]) -> str | None:
    """What a client says that such a tool gave, where that is not text or parts already."""
    if item.get("type") == "apply_patch_call_output":
        return "\n".join(filter(None, (string(item.get("status")), string(item.get("output")))))
    output = item.get("output")
    if item.get("type") != "shell_call_output" or not isinstance(output, list):
        return None
    return "\n".join(filter(None, (_chunk(table(each)) for each in output)))


def _chunk(said: dict[str, Any]) -> str:
    outcome = table(said.get("outcome"))
    code = outcome.get("exit_code")
    ended = "timed out" if outcome.get("type") == "timeout" else f"exit code {code}" if code else ""
    return "\n".join(filter(None, (string(said.get("stdout")), string(said.get("stderr")), ended)))
