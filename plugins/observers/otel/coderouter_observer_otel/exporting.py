"""The SDK's providers, and the thread in which spans and metrics are made."""

from __future__ import annotations

import collections
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import SpanKind

from coderouter_observer_otel.metrics import Meters
from coderouter_observer_otel.names import CURRENT, LATEST
from coderouter_observer_otel.record import Pending
from coderouter_observer_otel.settings import (
    OtelSettings,
    Target,
    interval_ms,
    service_name,
    target,
    wants_latest,
)
from coderouter_observer_otel.spans import GivenIds, SpanMaker

SCOPE = "coderouter"
#: Requests that may wait for the thread; more are dropped and counted.
MOST_WAITING = 10_000
#: Seconds that requests are collected before spans are made of them.
COLLECT_S = 0.25

#: Told of each export: which signal, and whether the collector took it.
Tell = Callable[[str, bool], None]


class ToldSpanExporter(OTLPSpanExporter):
    """Tells whether the collector took the spans."""

    def __init__(self, where: Target, tell: Tell) -> None:
        super().__init__(endpoint=where.url, headers=where.headers)
        self._tell = tell

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = super().export(spans)
        finally:
            self._tell("traces", result is SpanExportResult.SUCCESS)
        return result


class ToldMetricExporter(OTLPMetricExporter):
    """Tells whether the collector took the metrics."""

    def __init__(self, where: Target, tell: Tell) -> None:
        super().__init__(endpoint=where.url, headers=where.headers)
        self._tell = tell

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        result = MetricExportResult.FAILURE
        try:
            result = super().export(metrics_data, timeout_millis, **kwargs)
        finally:
            self._tell("metrics", result is MetricExportResult.SUCCESS)
        return result


class Export:
    """Makes spans and metrics of requests, and hands them to the SDK, all in threads. Raises nothing."""

    def __init__(self, settings: OtelSettings, tell: Tell) -> None:
        # The SDK says every failure on standard error; here it is an event, once.
        quiet = logging.getLogger("opentelemetry")
        quiet.addHandler(logging.NullHandler())
        quiet.propagate = False
        named = service_name(settings)
        resource = Resource.create({SERVICE_NAME: named} if named else {})
        traces, metrics = target(settings, "traces"), target(settings, "metrics")
        ids = GivenIds()
        self._tracers = TracerProvider(resource=resource, id_generator=ids, shutdown_on_exit=False)
        if traces is not None:
            self._tracers.add_span_processor(BatchSpanProcessor(ToldSpanExporter(traces, tell)))
        readers = []
        if metrics is not None:
            exporter = ToldMetricExporter(metrics, tell)
            readers.append(PeriodicExportingMetricReader(exporter, interval_ms(settings)))
        self._meters = MeterProvider(readers, resource, shutdown_on_exit=False)
        self._traced = traces is not None
        self._spans = SpanMaker(self._tracers.get_tracer(SCOPE), ids)  # type: ignore[arg-type]
        table = LATEST if wants_latest(settings) else CURRENT
        self._counts = Meters(self._meters.get_meter(SCOPE), table)
        self.dropped = 0
        self._waiting: collections.deque[Pending] = collections.deque()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="coderouter-otel", daemon=True)
        self._thread.start()

    def samples(self, trace_id: int, parent: Any) -> bool:
        """Whether a trace is kept, by the SDK's sampler (``OTEL_TRACES_SAMPLER``)."""
        if not self._traced:
            return False
        said = self._tracers.sampler.should_sample(parent, trace_id, "POST", SpanKind.SERVER)
        return said.decision is Decision.RECORD_AND_SAMPLE

    def put(self, pending: Pending) -> None:
        """Take a request that ended."""
        if len(self._waiting) >= MOST_WAITING:
            self.dropped += 1
        else:
            self._waiting.append(pending)

    def close(self) -> None:
        """Make what waits, export it, and stop. May take as long as the collector does."""
        self._closing.set()
        self._thread.join()
        self._tracers.shutdown()
        self._meters.shutdown()

    def _work(self) -> None:
        closing = False
        while not closing:
            closing = self._closing.wait(COLLECT_S)
            while self._waiting:
                self._make(self._waiting.popleft())

    def _make(self, pending: Pending) -> None:
        try:
            if pending.sampled:
                self._spans.make(pending)
            self._counts.record(pending)
        except Exception:
            # A record that cannot be told must not end the thread that tells the others.
            self.dropped += 1
