"""What an upstream will bill for an attempt, also where it did not get to say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from coderouter_core.errors import PluginError, UpstreamError
from coderouter_core.model import Attempt, Request, Usage, cache_outcome, rough_prompt, rough_tokens


def was_cut(failure: BaseException | None, status: int | None) -> bool:
    """Whether the upstream took the request, by its `status`, and its answer was lost on the way, or in a plugin."""
    if status is None or not 200 <= status < 300:
        return False
    if isinstance(failure, PluginError):
        return True
    if not isinstance(failure, UpstreamError):
        return False
    return failure.kind in ("transport", "timeout") or failure.fault.code == "truncated"


def billed(usage: Usage, size: int, *, ended: bool, request: Request) -> tuple[Usage, bool]:
    """What will be billed, and whether that had to be estimated.

    `usage` is what was reported so far, `size` the bytes of what the answer said, `ended` whether it came to
    its proper end. The prompt was read, whether its usage came or not, and what was said was written: a count of
    nothing is none. What was said before a cut is often more than the count that came with the first frame.
    """
    estimated, reported = False, usage.reported and bool(usage.prompt or usage.output)
    if not usage.prompt:
        usage, estimated = evolve(usage, input=rough_prompt(request), reported=reported), True
    said = rough_tokens(size)
    if said > usage.output and not (ended and usage.output):
        usage, estimated = evolve(usage, output=said), True
    return usage, estimated


def cache_observed(record: Attempt, request: Request) -> Mapping[str, Any]:
    """The fields of ``cache-observed`` for an attempt that was answered."""
    usage, cost = record.usage, record.cost
    usd = cost.usd if cost is not None else None
    return {
        "provider": record.provider.name,
        "profile": record.profile.name,
        "request_had_cache_control": request.marks_cache,
        "outcome": cache_outcome(usage).value,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation_input_tokens": usage.cache_write,
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "streaming": record.stream,
        "cost_usd": usd or 0.0,
        "cost_savings_usd": cost.savings_usd if cost is not None else 0.0,
        "priced": usd is not None,
        "estimated": record.estimated,
    }
