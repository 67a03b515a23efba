"""Prefer the providers that are fast and reliable now, as each profile's own traffic shows them."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from attrs import define, field, frozen

from coderouter_core.api import (
    Attempt,
    Demotion,
    EventSpec,
    Level,
    Operation,
    Option,
    Outcome,
    Profile,
    Provider,
    Router,
    Scope,
    Standing,
    hookimpl,
)

WINDOW_S = 60.0
DEBOUNCE_S = 30.0
SLOW_FACTOR = 1.5
FAILING_RATE = 0.10
LEAST_FOR_LATENCY = 3
LEAST_FOR_ERRORS = 5
SLOW, FAILING = 1, 2

#: An answer's latency is that of its first token and of so many more, whatever its true length.
USUAL_TOKENS = 256
#: The latest samples of a provider that are kept; the window holds no more under any load.
MOST_SAMPLES = 200

#: What the client or its prompt caused says nothing about a provider.
CLIENTS_OWN = frozenset({400, 413, 422})


@frozen
class Adaptive:
    """Key on a profile."""

    adaptive: bool = False


@frozen
class Sample:
    """One attempt: when it ended (monotonic), how slow it was, whether it failed. `latency_s` None: unknown."""

    at: float
    latency_s: float | None
    failed: bool


@frozen
class Figures:
    """What a window of samples says. `median_s` None: too few samples to tell."""

    median_s: float | None
    error_rate: float
    count: int


@define
class Watched:
    """One provider in one profile: its window, and the demotion that holds now."""

    samples: deque[Sample] = field(factory=lambda: deque(maxlen=MOST_SAMPLES))
    weight: int = 0
    changed_at: float | None = None
    _figures: Figures | None = None

    def add(self, sample: Sample) -> None:
        self.samples.append(sample)
        self._figures = None

    def figures(self, now: float) -> Figures:
        while self.samples and now - self.samples[0].at > WINDOW_S:
            self.samples.popleft()
            self._figures = None
        if self._figures is None:
            known = [sample.latency_s for sample in self.samples if sample.latency_s is not None]
            count = len(self.samples)
            self._figures = Figures(
                statistics.median(known) if known and count >= LEAST_FOR_LATENCY else None,
                sum(sample.failed for sample in self.samples) / count if count else 0.0,
                count,
            )
        return self._figures

    def settle(self, weight: int, now: float) -> int:
        """The weight that holds: a change is taken over once in `DEBOUNCE_S`; the first one at once."""
        quiet = self.changed_at is None or now - self.changed_at >= DEBOUNCE_S
        if weight != self.weight and quiet:
            self.weight, self.changed_at = weight, now
        return self.weight


def latency_s(attempt: Attempt) -> float | None:
    """Seconds to the first token and to `USUAL_TOKENS` more, so that a long answer is not a slow provider.

    An answer that is not streamed shows one time for all: it counts as it is up to `USUAL_TOKENS`, and by its
    share beyond. Who was left waiting for a first token waited at least that long. None: nothing can be said.
    """
    first, tokens = attempt.first_token_s, attempt.usage.output
    if first is None:
        return attempt.seconds if attempt.outcome is Outcome.CANCELLED else None
    if not attempt.stream:
        return attempt.seconds * min(1.0, USUAL_TOKENS / tokens) if tokens else attempt.seconds
    if not tokens or attempt.estimated:
        return None
    return first + USUAL_TOKENS * (attempt.seconds - first) / tokens


def sample_of(attempt: Attempt, now: float) -> Sample | None:
    """What an attempt says of its provider; None when it says nothing. Embeddings and legacy completions are too
    different from answers to be measured with them."""
    if attempt.operation is not Operation.GENERATE:
        return None
    if attempt.outcome in (Outcome.FAILED, Outcome.BROKEN):
        own = attempt.error_kind in ("context", "plugin") or (
            attempt.error_kind == "status" and attempt.status in CLIENTS_OWN
        )
        return None if own else Sample(now, None, failed=True)
    latency = latency_s(attempt)
    if latency is None and attempt.outcome is not Outcome.OK:
        return None
    return Sample(now, latency, failed=False)


class AdaptiveGuard:
    """State is by profile and provider: two profiles over the same providers do not disturb each other."""

    def __init__(self) -> None:
        self._watched: dict[str, dict[str, Watched]] = {}

    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.PROFILE, Adaptive)]

    @hookimpl
    def declare_events(self) -> Iterable[EventSpec]:
        fields = ("profile", "static_order", "effective_order", "stats")
        return [
            EventSpec("adaptive-routing-applied", Level.INFO, fields, "slow or failing providers moved back")
        ]

    @hookimpl
    def configure(self, router: Router) -> None:
        self._router = router

    @hookimpl
    def observe_attempt(self, attempt: Attempt) -> None:
        if not attempt.profile.option(Adaptive).adaptive:
            return
        sample = sample_of(attempt, self._router.clock.monotonic())
        if sample is not None:
            profile = self._watched.setdefault(attempt.profile.name, {})
            profile.setdefault(attempt.provider.name, Watched()).add(sample)

    @hookimpl
    def reorder_chain(self, chain: Sequence[Provider], profile: Profile) -> Iterable[Demotion]:
        watched = self._watched.get(profile.name)
        if not watched:
            return ()
        now = self._router.clock.monotonic()
        known = {
            provider.name: (watched[provider.name], watched[provider.name].figures(now))
            for provider in chain
            if provider.name in watched
        }
        medians = {
            name: figures.median_s for name, (_, figures) in known.items() if figures.median_s is not None
        }
        demotions: list[Demotion] = []
        for provider in chain:
            if provider.name not in known:
                continue
            entry, figures = known[provider.name]
            others = [median for name, median in medians.items() if name != provider.name]
            weight = entry.settle(_weight(figures, others), now)
            if weight:
                demotions.append(Demotion(provider, weight, _reason(figures, weight)))
        if demotions:
            self._tell(chain, profile, demotions, known)
        return demotions

    @hookimpl
    def report_standing(self) -> Iterator[Standing]:
        now = self._router.clock.monotonic()
        for profile, watched in self._watched.items():
            for name, entry in watched.items():
                if entry.weight:
                    reason = f"{_reason(entry.figures(now), entry.weight)}, in profile {profile!r}"
                    yield Standing(name, "degraded" if entry.weight & FAILING else "slow", reason)

    def _tell(
        self,
        chain: Sequence[Provider],
        profile: Profile,
        demotions: Sequence[Demotion],
        known: dict[str, tuple[Watched, Figures]],
    ) -> None:
        weights = {demotion.provider.name: demotion.weight for demotion in demotions}
        static = [provider.name for provider in chain]
        effective = sorted(static, key=lambda name: weights.get(name, 0))
        if effective == static:
            return
        stats = {
            name: {
                "median_latency_ms": None if figures.median_s is None else round(figures.median_s * 1000, 1),
                "error_rate": round(figures.error_rate, 4),
                "sample_count": figures.count,
            }
            for name, (_, figures) in known.items()
        }
        self._router.emit(
            "adaptive-routing-applied",
            profile=profile.name,
            static_order=static,
            effective_order=effective,
            stats=stats,
        )


def _weight(figures: Figures, others: Sequence[float]) -> int:
    """Slow: against the median of the others, so that one of two is not measured by itself."""
    weight = 0
    if (
        figures.median_s is not None
        and others
        and figures.median_s >= SLOW_FACTOR * statistics.median(others)
    ):
        weight += SLOW
    if figures.count >= LEAST_FOR_ERRORS and figures.error_rate >= FAILING_RATE:
        weight += FAILING
    return weight


def _reason(figures: Figures, weight: int) -> str:
    said = []
    if weight & SLOW:
        said.append(
            "slow" if figures.median_s is None else f"slow, {figures.median_s:.2f} s for a usual answer"
        )
    if weight & FAILING:
        said.append(f"failing, {figures.error_rate:.0%} of {figures.count} attempts in the last minute")
    return "; ".join(said)
