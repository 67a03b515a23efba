"""Notice an agent that repeats one tool call, and say, tell or stop it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import orjson
from attrs import Attribute, field, frozen, validators

from coderouter_core.api import (
    EventSpec,
    Instruction,
    Level,
    Option,
    Profile,
    Refusal,
    Request,
    Router,
    Scope,
    hookimpl,
)

HINT = (
    "You have made the same tool call several times in a row with the same arguments. Its result will not"
    " change. Try another tool or other arguments, or ask the user how to go on."
)

#: Items of the Responses dialect that are calls of the client's tools.
ITEMS = (
    "function_call",
    "custom_tool_call",
    "local_shell_call",
    "shell_call",
    "apply_patch_call",
    "tool_search_call",
)
#: Where such an item says what is to be done.
_SAID = ("arguments", "input", "action", "operation")

#: A run is counted no further than this; nobody needs the exact length of a longer one.
LONGEST_RUN = 1000


def _fits_the_window(option: ToolLoop, _attribute: Attribute[int], threshold: int) -> None:
    if threshold > option.tool_loop_window:
        raise ValueError(
            f"must be ≤ tool_loop_window ({option.tool_loop_window}), not {threshold}:"
            " a longer run would never be seen; widen the window or lower the threshold"
        )


@frozen
class ToolLoop:
    """Keys on a profile. Of the last `tool_loop_window` calls, `tool_loop_threshold` equal ones in a row are a loop."""

    tool_loop_window: int = field(default=5, validator=[validators.ge(2), validators.le(50)])
    tool_loop_threshold: int = field(
        default=3, validator=[validators.ge(2), validators.le(50), _fits_the_window]
    )
    tool_loop_action: Literal["warn", "inject", "break"] = "warn"
    tool_loop_inject_hint: str | None = None


@frozen
class Call:
    """A tool call, its arguments as they came: two are the same when name and arguments are, whatever the order of keys."""

    name: str
    arguments: Any


def _parsed(arguments: Any) -> Any:
    """Arguments as a value; text that is not JSON stays text."""
    if not isinstance(arguments, str):
        return arguments
    try:
        return orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments


def _of_item(item: Mapping[str, Any]) -> Call:
    """The call that an item of the Responses dialect is; a group's name stands before its tool's."""
    names = [item.get("namespace"), item.get("name") or str(item["type"]).removesuffix("_call")]
    arguments = next((item[key] for key in _SAID if key in item), None)
    return Call(".".join(str(name) for name in names if name), arguments)


def calls_backwards(turns: Iterable[Mapping[str, Any]]) -> Iterator[Call]:
    """The tool calls of a conversation in any dialect, the latest first. `turns` come latest first."""
    for turn in turns:
        if turn.get("type") in ITEMS:
            yield _of_item(turn)
        if turn.get("role") != "assistant":
            continue
        content = turn.get("content")
        for block in reversed(content) if isinstance(content, list) else ():
            if (
                isinstance(block, dict)
                and block.get("type") == "tool_use"
                and isinstance(block.get("name"), str)
            ):
                yield Call(block["name"], block.get("input"))
        named = turn.get("tool_calls")
        functions = (
            [call.get("function") for call in named if isinstance(call, dict)]
            if isinstance(named, list)
            else []
        )
        for function in reversed([*functions, turn.get("function_call")]):
            if isinstance(function, dict) and isinstance(function.get("name"), str):
                yield Call(function["name"], function.get("arguments"))


def trailing_run(calls: Iterator[Call]) -> tuple[str, int]:
    """Name and length of the run of equal calls that `calls`, latest first, begins with."""
    last = next(calls, None)
    if last is None:
        return "", 0
    run = 1
    for call in calls:
        if call.name != last.name or not _same(call, last):
            break
        run += 1
        if run >= LONGEST_RUN:
            break
    return last.name, run


def _same(one: Call, other: Call) -> bool:
    """Whether the arguments are equal as JSON: 1 and true are not the same, which Python's `==` thinks they are."""
    if isinstance(one.arguments, str) and one.arguments == other.arguments:
        return True
    said, before = _parsed(one.arguments), _parsed(other.arguments)
    try:
        return bool(said == before) and orjson.dumps(said, option=orjson.OPT_SORT_KEYS) == orjson.dumps(
            before, option=orjson.OPT_SORT_KEYS
        )
    except (TypeError, RecursionError):
        # Nested deeper than can be compared: only the same words are the same.
        return False


class ToolLoopGuard:
    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.PROFILE, ToolLoop)]

    @hookimpl
    def declare_events(self) -> Iterable[EventSpec]:
        fields = ("profile", "tool_name", "repeat_count", "threshold", "window", "action")
        return [EventSpec("tool-loop-detected", Level.WARNING, fields, "an agent repeats one tool call")]

    @hookimpl
    def configure(self, router: Router) -> None:
        self._router = router

    @hookimpl
    def review_request(self, request: Request, profile: Profile) -> Refusal | Instruction | None:
        option = profile.option(ToolLoop)
        name, run = trailing_run(calls_backwards(reversed(request.turns)))
        if run < option.tool_loop_threshold:
            return None
        loop = {
            "profile": profile.name,
            "tool_name": name,
            "repeat_count": run,
            "threshold": option.tool_loop_threshold,
            "window": option.tool_loop_window,
        }
        reason = f"{name!r} was called {run} times in a row with the same arguments"
        self._router.emit("tool-loop-detected", **loop, action=option.tool_loop_action)
        if option.tool_loop_action == "break":
            return Refusal(
                f"tool_loop_detected: {reason}; the conversation is stopped here (tool_loop_action: break)",
                code="tool_loop_detected",
                extra={"tool_loop": loop},
            )
        if option.tool_loop_action == "inject":
            hint = option.tool_loop_inject_hint
            return Instruction(HINT if hint is None else hint, reason)
        return None
