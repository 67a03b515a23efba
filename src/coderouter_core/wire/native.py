"""A Messages request as the model behind a provider takes it: Claude, or another one that speaks Claude's dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coderouter_core.wire.bodies import thinking
from coderouter_core.wire.bodies.attribution import is_attribution
from coderouter_core.wire.bodies.losses import Losses
from coderouter_core.wire.lenient import string, table
from coderouter_core.wire.signature import without_foreign_thinking, without_our_thinking

_FOREIGN = "a thinking block that another model wrote bears no signature that this one would take"
_UNLED = "the tool calls that are answered here were not led by thinking of this model"
_CLEARS = "clear_thinking"


def for_claude(body: Mapping[str, Any], losses: Losses, *, made: bool) -> Mapping[str, Any]:
    """`body` as Claude takes it; the same object where nothing is in the way. `made`: it was translated.

    While thinking is on, Claude wants it to lead the calls whose results it is given; where that thinking cannot be
    given, thinking is off for this request.
    """
    clean = without_foreign_thinking(body)
    if clean is not None:
        losses.add("messages.thinking", _FOREIGN)
    elif not made:
        return body
    out = body if clean is None else clean
    if table(out.get("thinking")).get("type") != "enabled" or _led(out.get("messages")):
        return out
    losses.add("thinking", _UNLED)
    return _without_clearing({**out, "thinking": {"type": "disabled"}}, losses)


def for_others(body: Mapping[str, Any], losses: Losses, *, thoughts: bool) -> Mapping[str, Any]:
    """`body` for a model that is not Claude; the same object where nothing is in the way.

    `thoughts`: it wants the thinking of earlier turns back, whoever signed it.
    """
    out = body
    system = body.get("system")
    if isinstance(system, list) and system and is_attribution(system[0]):
        rest = {key: value for key, value in body.items() if key != "system"}
        out = {**rest, "system": system[1:]} if len(system) > 1 else rest
    if not thoughts and (clean := without_our_thinking(out)) is not None:
        losses.add("messages.thinking", _FOREIGN)
        out = clean
    if (idle := thinking.without_idle_effort(out)) is not None:
        losses.add("output_config.effort", thinking.OFF)
        out = idle
    return out


def _led(turns: Any) -> bool:
    """Whether thinking leads the last assistant turn, or no call in it is answered by what follows."""
    for turn in reversed(turns if isinstance(turns, list) else []):
        content = table(turn).get("content")
        if table(turn).get("role") != "assistant":
            continue
        kinds = [table(block).get("type") for block in content] if isinstance(content, list) else []
        return "tool_use" not in kinds or kinds[0] in ("thinking", "redacted_thinking")
    return True


def _without_clearing(body: dict[str, Any], losses: Losses) -> dict[str, Any]:
    """Where thinking is off, a request to clear old thinking is refused."""
    managed: Mapping[str, Any] = table(body.get("context_management"))
    edits = managed.get("edits")
    if not isinstance(edits, list):
        return body
    kept = [edit for edit in edits if not string(table(edit).get("type")).startswith(_CLEARS)]
    if len(kept) == len(edits):
        return body
    losses.add("context_management", "thinking is off, and there is none to clear")
    if kept:
        return {**body, "context_management": {**managed, "edits": kept}}
    return {key: value for key, value in body.items() if key != "context_management"}
