"""Figures of many attempts: shares, percentiles, sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from coderouter_core.api import Attempt, Outcome

#: Streams that are over sooner say nothing of a speed.
SHORTEST_STREAM_S = 0.05


def percentile(values: Iterable[float], share: float) -> float | None:
    """The smallest value that `share` (0 to 1) of all do not exceed; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def figures_of(attempts: Sequence[Attempt]) -> dict[str, Any]:
    """What attempts of one provider come to. Who was cancelled did neither well nor badly. Seconds, tokens, dollars."""
    outcomes = Counter([each.outcome for each in attempts])
    ok, broken = outcomes[Outcome.OK], outcomes[Outcome.BROKEN]
    failed = outcomes[Outcome.FAILED] + broken
    usages = [each.usage for each in attempts]
    costs = [each.cost for each in attempts if each.cost is not None]
    prompt = sum([usage.prompt for usage in usages])
    firsts = sorted([each.first_token_s for each in attempts if each.first_token_s is not None])
    return {
        "attempts": len(attempts),
        "ok": ok,
        "failed": failed,
        "broken": broken,
        "success": ok / (ok + failed) if ok + failed else None,
        "ttft_p50_s": percentile(firsts, 0.5),
        "ttft_p95_s": percentile(firsts, 0.95),
        "tokens_per_s": percentile(_speeds(attempts), 0.5),
        "input_tokens": prompt,
        "output_tokens": sum([usage.output for usage in usages]),
        "cache_share": sum([usage.cache_read for usage in usages]) / prompt if prompt else None,
        "cost_usd": sum([cost.usd for cost in costs if cost.usd is not None]),
        "savings_usd": sum([cost.savings_usd for cost in costs]),
        "unpriced": sum([cost.usd is None for cost in costs]),
        "last_error": _last_error(attempts),
    }


def _speeds(attempts: Iterable[Attempt]) -> Iterator[float]:
    """Tokens a second of each answer, from its first token on."""
    for each in attempts:
        if each.outcome is Outcome.OK and each.usage.output > 1:
            streaming_s = each.seconds - (each.first_token_s or 0.0)
            if streaming_s >= SHORTEST_STREAM_S:
                yield each.usage.output / streaming_s


def _last_error(attempts: Sequence[Attempt]) -> dict[str, Any] | None:
    """The newest failure: what kind, with which status, when. Not the upstream's words, which may be anything."""
    for each in reversed(attempts):
        if each.outcome in (Outcome.FAILED, Outcome.BROKEN):
            return {"kind": each.error_kind, "status": each.status, "at": each.started_at + each.seconds}
    return None
