"""Figures of many attempts: shares, percentiles, sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from attrs import asdict, frozen

from coderouter_core.api import Attempt, Outcome

#: Streams that are over sooner say nothing of a speed.
SHORTEST_STREAM_S = 0.05
#: Values of a sample that other processes are told, evenly chosen; their percentiles stay about as they were.
MOST_TOLD = 64


def percentile(values: Iterable[float], share: float) -> float | None:
    """The smallest value that `share` (0 to 1) of all do not exceed; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


@frozen
class Sample:
    """Some `values`, in order, that stand for `count` of them."""

    values: Sequence[float] = ()
    count: int = 0

    @classmethod
    def of(cls, values: Iterable[float]) -> Sample:
        ordered = sorted(values)
        return cls(ordered, len(ordered))

    def thinned(self) -> Sample:
        return self if len(self.values) <= MOST_TOLD else Sample(evenly(self.values), self.count)


def evenly(ordered: Sequence[float]) -> Sequence[float]:
    """At most `MOST_TOLD` of them, one from the middle of each part."""
    size = len(ordered)
    if size <= MOST_TOLD:
        return ordered
    return [ordered[int((part + 0.5) * size / MOST_TOLD)] for part in range(MOST_TOLD)]


def joint_percentile(samples: Sequence[Sample], share: float) -> float | None:
    """As `percentile`, of everything that the samples stand for."""
    told = [each for each in samples if each.values]
    if len(told) <= 1:
        return percentile(told[0].values, share) if told else None
    weighed = sorted((value, each.count / len(each.values)) for each in told for value in each.values)
    # Weights are fractions, and their sum is off by as little.
    wanted, seen = share * sum(each.count for each in told) - 1e-6, 0.0
    for value, weight in weighed:
        seen += weight
        if seen >= wanted:
            return value
    return weighed[-1][0]


@frozen
class Figures:
    """What attempts of one provider come to, such that those of several processes can be joined. Seconds, tokens,
    dollars. Who was cancelled did neither well nor badly."""

    attempts: int = 0
    ok: int = 0
    failed: int = 0
    broken: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cost_usd: float = 0.0
    savings_usd: float = 0.0
    unpriced: int = 0
    firsts: Sample = Sample()
    speeds: Sample = Sample()
    last_error: Mapping[str, Any] | None = None

    def plain(self) -> dict[str, Any]:
        """For another process to read."""
        return {
            **asdict(self, recurse=False),
            **{name: asdict(getattr(self, name).thinned()) for name in _SAMPLES},
        }

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Figures:
        """Raises `TypeError` for what `plain` did not write."""
        return cls(**{**plain, **{name: Sample(**plain[name]) for name in _SAMPLES}})


_SAMPLES = ("firsts", "speeds")
_SUMS = (
    "attempts", "ok", "failed", "broken", "input_tokens", "output_tokens", "cost_usd", "savings_usd", "unpriced"
)  # fmt: skip


def figures_of(attempts: Sequence[Attempt]) -> Figures:
    outcomes = Counter([each.outcome for each in attempts])
    usages = [each.usage for each in attempts]
    costs = [each.cost for each in attempts if each.cost is not None]
    return Figures(
        attempts=len(attempts),
        ok=outcomes[Outcome.OK],
        failed=outcomes[Outcome.FAILED] + outcomes[Outcome.BROKEN],
        broken=outcomes[Outcome.BROKEN],
        input_tokens=sum([usage.prompt for usage in usages]),
        output_tokens=sum([usage.output for usage in usages]),
        cache_read_tokens=sum([usage.cache_read for usage in usages]),
        cost_usd=sum([cost.usd for cost in costs if cost.usd is not None]),
        savings_usd=sum([cost.savings_usd for cost in costs]),
        unpriced=sum([cost.usd is None for cost in costs]),
        firsts=Sample.of(each.first_token_s for each in attempts if each.first_token_s is not None),
        speeds=Sample.of(_speeds(attempts)),
        last_error=_last_error(attempts),
    )


def joined(figures: Sequence[Figures]) -> Figures:
    """The figures of one provider by several processes as those of one."""
    sums = {name: sum(getattr(each, name) for each in figures) for name in (*_SUMS, "cache_read_tokens")}
    return Figures(
        **sums,
        firsts=_sample([each.firsts for each in figures]),
        speeds=_sample([each.speeds for each in figures]),
        last_error=_newest_error(figures),
    )


def _sample(samples: Sequence[Sample]) -> Sample:
    told = sorted(value for each in samples for value in each.values)
    return Sample(told, sum(each.count for each in samples))


def _newest_error(figures: Iterable[Figures]) -> Mapping[str, Any] | None:
    errors = [each.last_error for each in figures if each.last_error is not None]
    return max(errors, key=lambda error: float(error["at"]), default=None)


def shown(figures: Sequence[Figures]) -> dict[str, Any]:
    """The figures of one provider by several processes, as the page shows them."""
    sums = {name: sum(getattr(each, name) for each in figures) for name in _SUMS}
    ended, prompt = sums["ok"] + sums["failed"], sums["input_tokens"]
    firsts, speeds = [each.firsts for each in figures], [each.speeds for each in figures]
    return {
        **sums,
        "success": sums["ok"] / ended if ended else None,
        "ttft_p50_s": joint_percentile(firsts, 0.5),
        "ttft_p95_s": joint_percentile(firsts, 0.95),
        "tokens_per_s": joint_percentile(speeds, 0.5),
        "cache_share": sum(each.cache_read_tokens for each in figures) / prompt if prompt else None,
        "last_error": _newest_error(figures),
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
