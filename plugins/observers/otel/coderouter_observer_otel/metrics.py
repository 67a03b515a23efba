"""Metrics of requests and attempts, by the names of one version of the conventions."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.metrics import Counter, Histogram, Meter

from coderouter_core.api import Attempt, Outcome
from coderouter_observer_otel import names
from coderouter_observer_otel.names import Names
from coderouter_observer_otel.record import Pending
from coderouter_observer_otel.spans import error_type, of_attempt


class Meters:
    """Counts requests that have ended. Used by one thread; labels come from the configuration alone."""

    def __init__(self, meter: Meter, table: Names) -> None:
        self._meter = meter
        self._usage = self._histogram(table.token_usage, "{token}", names.TOKEN_BUCKETS)
        self._tokens = self._counter(table.tokens, "{token}")
        self._by_cache = self._counter(table.tokens_by_cache, "{token}")
        self._by_phase = self._counter(table.tokens_by_phase, "{token}")
        seconds = names.SECONDS_BUCKETS
        self._duration = meter.create_histogram(
            table.duration, "s", explicit_bucket_boundaries_advisory=seconds
        )
        self._first = meter.create_histogram(
            table.first_chunk, "s", explicit_bucket_boundaries_advisory=seconds
        )
        self._served = meter.create_histogram(
            table.server_duration, "s", explicit_bucket_boundaries_advisory=seconds
        )
        self._served_first = meter.create_histogram(
            table.server_first_token, "s", explicit_bucket_boundaries_advisory=seconds
        )
        self._per_token = meter.create_histogram(
            table.server_per_token, "s", explicit_bucket_boundaries_advisory=names.PER_TOKEN_BUCKETS
        )
        self._overhead = meter.create_histogram(
            table.overhead, "s", explicit_bucket_boundaries_advisory=names.OVERHEAD_BUCKETS
        )
        self._cost = meter.create_counter(table.cost, "{USD}")

    def record(self, pending: Pending) -> None:
        """Count a request, and each of its attempts."""
        operation = names.OPERATIONS.get(str(pending.received.fields.get("operation")), "chat")
        for tried in pending.tried.values():
            if tried.attempt is not None:
                self._attempt(tried.attempt, operation)
        finished = pending.finished
        labels = {
            names.OPERATION: operation,
            names.DIALECT: finished["dialect"],
            names.PROFILE: finished["profile"] or "",
            names.OUTCOME: finished["outcome"],
        }
        duration_s = float(finished["duration_ms"]) / 1000
        self._served.record(duration_s, labels)
        self._overhead.record(float(finished["overhead_ms"]) / 1000, labels)
        if (first_ms := finished["ttft_ms"]) is not None:
            self._served_first.record(first_ms / 1000, labels)
            if (after := finished["output_tokens"] - 1) > 0 and finished["stream"]:
                self._per_token.record(max(0.0, duration_s - first_ms / 1000) / after, labels)

    def _attempt(self, attempt: Attempt, operation: str) -> None:
        labels = of_attempt(attempt, operation)
        failed = attempt.outcome in (Outcome.FAILED, Outcome.BROKEN)
        told = {**labels, names.ERROR_TYPE: error_type(attempt)} if failed else labels
        self._duration.record(attempt.seconds, told)
        if attempt.first_token_s is not None:
            self._first.record(attempt.first_token_s, labels)
        if attempt.cost is not None and attempt.cost.usd:
            self._cost.add(attempt.cost.usd, labels)
        if attempt.usage.reported or attempt.estimated:
            self._count(attempt, {**labels, names.ESTIMATED: attempt.estimated})

    def _count(self, attempt: Attempt, labels: dict[str, str | int | bool]) -> None:
        usage = attempt.usage
        for kind, amount in (("input", usage.prompt), ("output", usage.output)):
            typed = {**labels, names.TOKEN_TYPE: kind}
            if self._usage is not None:
                self._usage.record(amount, typed)
            if self._tokens is not None:
                self._tokens.add(amount, typed)
        cached = {"none": usage.input, "read": usage.cache_read, "creation": usage.cache_write}
        phases = {"reasoning": usage.reasoning, "response": usage.output - usage.reasoning}
        if self._by_cache is not None:
            for kind, amount in cached.items():
                self._by_cache.add(amount, {**labels, names.TOKEN_CACHE: kind})
        if self._by_phase is not None:
            for kind, amount in phases.items():
                self._by_phase.add(max(0, amount), {**labels, names.TOKEN_PHASE: kind})

    def _histogram(self, name: str | None, unit: str, buckets: Sequence[float]) -> Histogram | None:
        if name is None:
            return None
        return self._meter.create_histogram(name, unit, explicit_bucket_boundaries_advisory=buckets)

    def _counter(self, name: str | None, unit: str) -> Counter | None:
        return None if name is None else self._meter.create_counter(name, unit)
