"""What ``/metrics`` says: every family, in the formats that Prometheus reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate, product
from typing import TypeVar

from attrs import frozen
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from coderouter_core.api import Dialect, Outcome
from coderouter_observer_metrics.counts import PARTS, Histogram, Key
from coderouter_observer_metrics.families import COUNTERS, GAUGES, HISTOGRAMS, PREFIX, TOLD, Family
from coderouter_observer_metrics.snapshot import STATES, Sum

#: Outcomes of attempts; a request can be refused besides.
ENDS = tuple(outcome.value for outcome in (Outcome.OK, Outcome.FAILED, Outcome.BROKEN, Outcome.CANCELLED))
KINDS = ("input", "output", "cache_read", "cache_write")

T = TypeVar("T")
Samples = Mapping[tuple[str, ...], float]


@frozen(eq=False)
class Exposition(Collector):
    """The families of one scrape. `providers` and `profiles` are those configured; `uptime_s` and `version` are the
    router's."""

    seen: Sum
    providers: tuple[str, ...]
    profiles: tuple[str, ...]
    uptime_s: float
    version: str

    def collect(self) -> Iterator[Metric]:
        counters = _by_family({**dict.fromkeys(self._noughts(), 0.0), **self.seen.counts.totals})
        for family in (*COUNTERS, *TOLD):
            yield _counter(family, counters.get(family.name, {}))
        histograms = _by_family(self.seen.counts.histograms)
        for family in HISTOGRAMS:
            yield _histogram(family, histograms.get(family.name, {}))
        gauges = self._gauges()
        for family in GAUGES:
            yield _gauge(family, gauges[family.name])

    def _noughts(self) -> Iterator[Key]:
        """Series that exist before anything happened: an increase from nothing to one is none to Prometheus, and the
        first failure would not be seen."""
        for family in COUNTERS:
            if not family.labels:
                yield (family.name,)
        for provider in self.providers:
            yield from (("attempts_finished_total", provider, outcome) for outcome in ENDS)
            yield from (("tokens_total", provider, kind) for kind in KINDS)
            yield from ((name, provider) for name in ("provider_attempts_total", "cost_total_usd_total"))
        yield from (("responses_total", status) for status in ("2xx", "4xx", "5xx"))
        for profile, dialect, outcome in product(self.profiles, Dialect, ("refused", *ENDS)):
            yield ("requests_finished_total", profile, dialect.value, outcome)

    def _gauges(self) -> dict[str, Samples]:
        seen = self.seen
        budgets = {(each["scope"], each["name"]): each for each in seen.budgets}
        states = seen.states(self.providers)
        return {
            "uptime_seconds": {(): self.uptime_s},
            "build_info": {(self.version,): 1},
            "workers": {(): len(seen.pids)},
            "in_flight_requests": {(): seen.live},
            "provider_state": {
                (name, state): float(state == now) for name, now in states.items() for state in STATES
            },
            "budget_spent_usd": {key: each["spent_usd"] for key, each in budgets.items()},
            "budget_held_usd": {key: each["held_usd"] for key, each in budgets.items()},
            "budget_limit_usd": {key: each["cap_usd"] for key, each in budgets.items()},
            "ledger_up": {(): float(seen.ledger["ok"])},
            "ledger_waiting_records": {(): seen.ledger.get("waiting", 0)},
        }


def write(exposition: Exposition, accepted: str) -> tuple[bytes, str]:
    """The body, and its content type: OpenMetrics where the client accepts it, else the plain text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(exposition)
    encode: Callable[[CollectorRegistry], bytes]
    encode, content_type = choose_encoder(accepted)
    return encode(registry), content_type


def _by_family(found: Mapping[Key, T]) -> dict[str, dict[Key, T]]:
    families: dict[str, dict[Key, T]] = {}
    for key in sorted(found):
        families.setdefault(key[0], {})[key[1:]] = found[key]
    return families


def _counter(family: Family, samples: Samples) -> Metric:
    metric = CounterMetricFamily(PREFIX + family.name, family.says, labels=family.labels)
    for labels, value in samples.items():
        metric.add_metric(labels, _significant(value))
    return metric


def _gauge(family: Family, samples: Samples) -> Metric:
    metric = GaugeMetricFamily(PREFIX + family.name, family.says, labels=family.labels)
    for labels, value in samples.items():
        metric.add_metric(labels, _significant(value))
    return metric


def _histogram(family: Family, samples: Mapping[Key, Histogram]) -> Metric:
    metric = HistogramMetricFamily(PREFIX + family.name, family.says, labels=family.labels)
    for labels, histogram in samples.items():
        below = list(accumulate(histogram.buckets))
        buckets = [
            (str(bound), count)
            for bound, count in zip(
                histogram.bounds[PARTS - 1 :: PARTS], below[PARTS - 1 :: PARTS], strict=False
            )
        ]
        buckets.append(("+Inf", below[-1]))
        metric.add_metric(labels, buckets, histogram.total)
    return metric


def _significant(value: float) -> float:
    """Ten digits: what adding up dollars leaves behind them says nothing. Counts are whole."""
    return value if isinstance(value, int) else float(f"{value:.10g}")
