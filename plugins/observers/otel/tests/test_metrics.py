"""Metrics: what the SDK would have counted, in a form that never grows."""

from __future__ import annotations

from typing import Any

import pytest
from coderouter_observer_otel import OtelObserver
from coderouter_observer_otel.metrics import MOST_POINTS, Meters, Metric
from coderouter_observer_otel.names import CURRENT, LATEST, SECONDS_BUCKETS
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from coderouter_core.api import Usage
from coderouter_core.testing import ProviderError, Reply, Script, make_router

#: The fixture's; see conftest.py.
Collector = Any


def attributes(of: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in of.attributes}


def by_the_sdk(values: list[float]) -> Any:
    """The one point that the SDK makes of `values`."""
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader], shutdown_on_exit=False).get_meter("test")
    histogram = meter.create_histogram("x", "s", explicit_bucket_boundaries_advisory=SECONDS_BUCKETS)
    for value in values:
        histogram.record(value)
    read = reader.get_metrics_data()
    assert read is not None
    return read.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(SECONDS_BUCKETS), st.floats(0, 200)), min_size=1, max_size=30))
def test_a_histogram_is_the_sdks(values: list[float]) -> None:
    ours = Metric("x", "s", SECONDS_BUCKETS)
    for value in values:
        ours.record(value, ())

    [point], theirs = ours.points.values(), by_the_sdk(values)
    assert (point.buckets, point.least, point.most, point.sum) == (
        list(theirs.bucket_counts),
        theirs.min,
        theirs.max,
        pytest.approx(theirs.sum),
    )


def test_labels_without_end_are_one_point() -> None:
    metric = Metric("x", "{token}")
    for at in range(MOST_POINTS + 50):
        metric.record(1, (("error.type", str(at)),))

    assert (len(metric.points), metric.points[(("otel.metric.overflow", True),)].sum) == (MOST_POINTS + 1, 50)


@pytest.mark.parametrize(("delta", "then"), [(False, [1, 2]), (True, [1, 1])])
def test_an_export_tells_of_the_time_that_was_asked_for(delta: bool, then: list[int]) -> None:
    meters = Meters(CURRENT, 0, delta=delta)
    counts = []
    for at in (1, 2):
        meters.request(FINISHED)
        counts += [
            metric.histogram.data_points[0].count
            for metric in meters.told(at)
            if metric.name == CURRENT.overhead
        ]

    assert counts == then


def test_a_delta_begins_where_the_last_one_ended() -> None:
    meters = Meters(CURRENT, 5, delta=True)
    spans = []
    for now in (7, 9):
        meters.request(FINISHED)
        [told] = [metric for metric in meters.told(now) if metric.name == CURRENT.overhead]
        point = told.histogram.data_points[0]
        spans.append((point.start_time_unix_nano, point.time_unix_nano))

    assert spans == [(5, 7), (7, 9)]


def test_the_environment_asks_for_deltas(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
    with make_router(OtelObserver(), Script(local="hi"), otel={"endpoint": collector.url}) as router:
        router.ask()

    assert set(collector.temporalities.values()) == {1}


def test_tokens_beyond_64_bits_end_no_export(collector: Collector) -> None:
    many = Reply("hi", usage=Usage(input=2**63, output=1, reported=True))
    script = Script(local=[many, "hi"])
    with make_router(OtelObserver(), script, otel={"endpoint": collector.url, "semconv": "latest"}) as router:
        router.ask()
        router.ask()

    assert (LATEST.tokens in collector.points, len(collector.spans)) == (True, 2)


def test_a_failure_of_the_router_is_an_error_of_its_metric(collector: Collector) -> None:
    script = Script(local=ProviderError("no", status=500))
    with make_router(OtelObserver(), script, otel={"endpoint": collector.url}) as router:
        status = router.ask().status

    [point] = collector.points["gen_ai.server.request.duration"]
    told = attributes(point)
    assert (told["error.type"], told["gen_ai.provider.name"]) == (str(status), "coderouter")


FINISHED = {
    "operation": "generate",
    "dialect": "chat",
    "profile": "default",
    "outcome": "ok",
    "status": 200,
    "duration_ms": 10.0,
    "overhead_ms": 1.0,
    "ttft_ms": None,
    "output_tokens": 0,
    "stream": False,
}
