"""Metrics of requests and attempts, by the names of one version of the conventions."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import define, field
from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb2

from coderouter_core.api import Attempt, Outcome
from coderouter_observer_otel import names
from coderouter_observer_otel.encoding import key_values
from coderouter_observer_otel.facts import error_of_request, error_type, of_attempt
from coderouter_observer_otel.names import Names

#: What tells the points of one metric apart, as (name, value).
Labels = tuple[tuple[str, Any], ...]

#: Points of one metric; what is beyond it is counted in one more. Labels come from the configuration, but for statuses.
MOST_POINTS = 2000
#: Beyond it OTLP has fractions only.
MOST_INT = 2**63 - 1
OVERFLOW: Labels = (("otel.metric.overflow", True),)


@define(eq=False)
class Point:
    """What was measured with the same labels. A counter has its `sum` alone."""

    buckets: list[int]
    sum: float = 0
    least: float = math.inf
    most: float = -math.inf


@define(eq=False)
class Metric:
    """One name, and its points; a histogram where it has `bounds`, else a counter."""

    name: str
    unit: str
    bounds: tuple[float, ...] = ()
    points: dict[Labels, Point] = field(factory=dict)

    def record(self, value: float, labels: Labels) -> None:
        """Count `value`. Called for every request, so nothing is built but for labels that are new."""
        point = self.points.get(labels) or self._new(labels)
        point.sum += value
        if self.bounds:
            point.buckets[bisect_left(self.bounds, value)] += 1
            if value < point.least:
                point.least = value
            if value > point.most:
                point.most = value

    def _new(self, labels: Labels) -> Point:
        if len(self.points) >= MOST_POINTS:
            labels = OVERFLOW
        return self.points.setdefault(labels, Point([0] * (len(self.bounds) + 1)))


class Meters:
    """Counts what ended; labels come from the configuration alone. Times are nanoseconds of Unix time."""

    def __init__(self, table: Names, began_ns: int, *, delta: bool = False) -> None:
        self._began_ns = began_ns
        self._delta = delta
        self._all: list[Metric] = []
        self._usage = self._new(table.token_usage, "{token}", names.TOKEN_BUCKETS)
        self._tokens = self._new(table.tokens, "{token}")
        self._by_cache = self._new(table.tokens_by_cache, "{token}")
        self._by_phase = self._new(table.tokens_by_phase, "{token}")
        self._cost = self._new(table.cost, "{USD}")
        self._duration = self._new(table.duration, "s", names.SECONDS_BUCKETS)
        self._first = self._new(table.first_chunk, "s", names.SECONDS_BUCKETS)
        self._served = self._new(table.server_duration, "s", names.SECONDS_BUCKETS)
        self._served_first = self._new(table.server_first_token, "s", names.SECONDS_BUCKETS)
        self._per_token = self._new(table.server_per_token, "s", names.PER_TOKEN_BUCKETS)
        self._overhead = self._new(table.overhead, "s", names.OVERHEAD_BUCKETS)

    def _new(self, name: str | None, unit: str, bounds: tuple[float, ...] = ()) -> Metric:
        metric = Metric(name or "", unit, bounds)
        if name is not None:
            self._all.append(metric)
        return metric

    def request(self, finished: Mapping[str, Any]) -> None:
        """Count a request, by the fields of its last event."""
        labels: Labels = (
            (names.OPERATION, names.OPERATIONS.get(finished["operation"], "chat")),
            (names.PROVIDER, names.OURSELVES),
            (names.DIALECT, finished["dialect"]),
            (names.PROFILE, finished["profile"] or ""),
            (names.OUTCOME, finished["outcome"]),
        )
        duration_s = finished["duration_ms"] / 1000
        error = error_of_request(finished)
        self._served.record(duration_s, (*labels, (names.ERROR_TYPE, error)) if error else labels)
        self._overhead.record(finished["overhead_ms"] / 1000, labels)
        if (first_ms := finished["ttft_ms"]) is not None:
            self._served_first.record(first_ms / 1000, labels)
            if (after := finished["output_tokens"] - 1) > 0 and finished["stream"]:
                self._per_token.record(max(0.0, duration_s - first_ms / 1000) / after, labels)

    def attempt(self, attempt: Attempt) -> None:
        """Count an attempt."""
        labels = of_attempt(attempt.provider, attempt.operation)
        failed = attempt.outcome in (Outcome.FAILED, Outcome.BROKEN)
        told = (*labels, (names.ERROR_TYPE, error_type(attempt))) if failed else labels
        self._duration.record(attempt.seconds, told)
        if attempt.first_token_s is not None:
            self._first.record(attempt.first_token_s, labels)
        if attempt.cost is not None and attempt.cost.usd:
            self._cost.record(attempt.cost.usd, labels)
        if attempt.usage.reported or attempt.estimated:
            self._count(attempt, (*labels, (names.ESTIMATED, attempt.estimated)))

    def _count(self, attempt: Attempt, labels: Labels) -> None:
        usage = attempt.usage
        total = self._usage if self._usage.name else self._tokens
        total.record(usage.prompt, (*labels, (names.TOKEN_TYPE, "input")))
        total.record(usage.output, (*labels, (names.TOKEN_TYPE, "output")))
        if self._by_cache.name:
            cached = {"none": usage.input, "read": usage.cache_read, "creation": usage.cache_write}
            for kind, amount in cached.items():
                self._by_cache.record(amount, (*labels, (names.TOKEN_CACHE, kind)))
        if self._by_phase.name:
            phases = {"reasoning": usage.reasoning, "response": max(0, usage.output - usage.reasoning)}
            for kind, amount in phases.items():
                self._by_phase.record(amount, (*labels, (names.TOKEN_PHASE, kind)))

    def told(self, now_ns: int) -> Iterator[pb2.Metric]:
        """Everything that was counted, since the start; or since the last time, where `delta` is wanted."""
        for metric in self._all:
            if metric.points:
                encoded = self._encoded(metric, now_ns)
                if self._delta:
                    metric.points.clear()
                yield encoded
        if self._delta:
            self._began_ns = now_ns

    def _encoded(self, metric: Metric, now_ns: int) -> pb2.Metric:
        since = pb2.AGGREGATION_TEMPORALITY_DELTA if self._delta else pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
        encoded = pb2.Metric(name=metric.name, unit=metric.unit)
        data = encoded.histogram if metric.bounds else encoded.sum
        data.aggregation_temporality = since
        if not metric.bounds:
            encoded.sum.is_monotonic = True
        for labels, point in metric.points.items():
            told = data.data_points.add(
                attributes=key_values(labels), start_time_unix_nano=self._began_ns, time_unix_nano=now_ns
            )
            if metric.bounds:
                told.MergeFrom(_histogram(metric, point))
            elif isinstance(point.sum, int) and point.sum <= MOST_INT:
                told.as_int = point.sum
            else:
                told.as_double = point.sum
        return encoded


def _histogram(metric: Metric, point: Point) -> pb2.HistogramDataPoint:
    return pb2.HistogramDataPoint(
        count=sum(point.buckets),
        sum=point.sum,
        bucket_counts=point.buckets,
        explicit_bounds=metric.bounds,
        min=point.least,
        max=point.most,
    )
