"""How hard a model is to think: the fields of one dialect as those that a backend takes.

`control` is the provider's ``reasoning_control``: ``none`` takes no such field, ``openai`` takes ``reasoning_effort``,
``anthropic`` takes ``thinking`` and ``output_config.effort``, ``provider_specific`` has a switch of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coderouter_core.wire.bodies.losses import Losses
from coderouter_core.wire.lenient import count, string, table

#: Budgets for thinking, in tokens, below which an effort is meant.
BUDGETS = (("low", 4096), ("medium", 16_384))

_TO_OPENAI = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
_TO_ANTHROPIC = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high"}
#: Why an effort is left out.
OFF = "thinking is switched off, and an effort with it is refused"


def to_chat(rest: dict[str, Any], losses: Losses, control: str) -> dict[str, Any]:
    """The fields for a chat backend. What was understood is taken out of `rest`."""
    thinking, config = table(rest.get("thinking")), table(rest.get("output_config"))
    effort = config.get("effort")
    if thinking.get("type") == "disabled":
        if effort is not None:
            losses.add("output_config.effort", OFF)
        _take(rest, "output_config", "effort")
        del rest["thinking"]
        return {"thinking": thinking} if control == "anthropic" else {}
    if control == "anthropic":
        _take(rest, "output_config", "effort")
        kept = {"thinking": rest.pop("thinking", None) or None}
        if effort is not None:
            kept["output_config"] = {"effort": effort}
        return {key: value for key, value in kept.items() if value is not None}
    if control != "openai":
        return {}
    level = _TO_OPENAI.get(string(effort)) or _level(count(thinking.get("budget_tokens")))
    if level is None and thinking.get("type") != "adaptive":
        return {}
    if effort is None or string(effort) in _TO_OPENAI:
        _take(rest, "output_config", "effort")
    if rest.pop("thinking", None) and thinking.get("display"):
        losses.add("thinking.display", "has no form in chat completions")
    return {"reasoning_effort": level} if level else {}


def to_messages(rest: dict[str, Any], losses: Losses, control: str) -> dict[str, Any]:
    """The fields for a Messages backend. What was understood is taken out of `rest`."""
    effort = rest.get("reasoning_effort")
    if control == "openai" and effort is not None:
        return {"reasoning_effort": rest.pop("reasoning_effort")}
    if control != "anthropic":
        return {}
    out: dict[str, Any] = {}
    if thinking := table(rest.get("thinking")):
        # Not a field of the dialect, but one that its clients send to reach Anthropic's models.
        out["thinking"] = rest.pop("thinking")
    if effort == "none":
        rest.pop("reasoning_effort")
        out.setdefault("thinking", {"type": "disabled"})
    elif level := _TO_ANTHROPIC.get(string(effort)):
        rest.pop("reasoning_effort")
        if thinking.get("type") == "disabled":
            losses.add("reasoning_effort", OFF)
        else:
            out["output_config"] = {"effort": level}
    return out


def without_idle_effort(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """A Messages request without the effort that is asked of a model whose thinking is off; None where it asks none."""
    config = table(body.get("output_config"))
    if table(body.get("thinking")).get("type") != "disabled" or "effort" not in config:
        return None
    out = dict(body)
    _take(out, "output_config", "effort")
    return out


def _take(body: dict[str, Any], field: str, key: str) -> None:
    left = {name: value for name, value in table(body.get(field)).items() if name != key}
    if left:
        body[field] = left
    elif isinstance(body.get(field), dict):
        del body[field]


def _level(budget: int) -> str | None:
    if not budget:
        return None
    return next((name for name, most in BUDGETS if budget < most), "high")
