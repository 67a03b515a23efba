"""``/metrics``: what Prometheus reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from coderouter_observer_metrics import Metrics
from coderouter_observer_metrics.counts import Counts
from coderouter_observer_metrics.exposition import Exposition, write
from coderouter_observer_metrics.families import BOUNDS, COUNTERS, GAUGES, HISTOGRAMS, PREFIX, TOLD
from coderouter_observer_metrics.snapshot import Snapshot, add_up
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics

from coderouter_core.testing import ProviderError, Script, make_router

if TYPE_CHECKING:
    from conftest import Served

#: The names and labels of 1.10.
OLD = {
    "uptime_seconds": (),
    "requests_total": (),
    "chain_paid_gate_blocked_total": (),
    "chain_budget_exceeded_total": (),
    "chain_memory_pressure_blocked_total": (),
    "chain_uniform_auth_failure_total": (),
    "auto_router_fallthrough_total": (),
    "provider_attempts_total": ("provider",),
    "provider_outcomes_total": ("provider", "outcome"),
    "provider_skipped_total": ("provider", "reason"),
    "provider_demoted_unhealthy_total": ("provider",),
    "backend_health_transitions_total": ("provider", "state"),
    "capability_degraded_total": ("capability",),
    "output_filter_applied_total": ("filter",),
    "cache_read_tokens_total": ("provider",),
    "cache_creation_tokens_total": ("provider",),
    "cache_observed_total": ("provider", "outcome"),
    "cost_total_usd_total": ("provider",),
    "cost_savings_usd_total": ("provider",),
}
EVERY = (*COUNTERS, *TOLD, *HISTOGRAMS, *GAUGES)


@pytest.fixture(scope="module")
def unused() -> str:
    with make_router(Metrics(), Script(one="x")) as router:
        return router.client.get("/metrics").text


def test_the_names_and_labels_of_1_10_are_kept() -> None:
    assert OLD.items() <= {family.name: family.labels for family in EVERY}.items()


@pytest.mark.parametrize("family", EVERY, ids=lambda family: family.name)
def test_help_and_type_are_told_without_samples_too(unused: str, family: object) -> None:
    name = PREFIX + family.name  # type: ignore[attr-defined]

    assert f"# HELP {name} " in unused
    assert f"# TYPE {name} " in unused


def test_nothing_is_told_that_has_no_name_in_the_table(served: Served) -> None:
    told = {line.split()[2] for line in served.text.splitlines() if line.startswith("# TYPE")}

    assert told == {PREFIX + family.name for family in EVERY}


def test_a_counter_without_labels_begins_at_nought(unused: str) -> None:
    assert "\ncoderouter_internal_errors_total 0.0\n" in unused


@pytest.mark.parametrize(
    "series",
    [
        'requests_finished_total{dialect="chat",outcome="failed",profile="default"}',
        'attempts_finished_total{outcome="failed",provider="one"}',
        'responses_total{status="5xx"}',
        'cost_total_usd_total{provider="one"}',
    ],
)
def test_the_first_failure_is_an_increase(unused: str, series: str) -> None:
    assert f"\ncoderouter_{series} 0.0\n" in unused


def test_the_plain_text_format_ends_with_a_line_end(unused: str) -> None:
    assert unused.endswith("\n")


def test_the_content_type_is_that_of_the_plain_text_format() -> None:
    with make_router(Metrics(), Script(one="x")) as router:
        said = router.client.get("/metrics").headers["content-type"]

    assert re.fullmatch(r"text/plain; version=[\d.]+; charset=utf-8", said)


def test_openmetrics_is_told_to_whom_asks_for_it() -> None:
    accept = {"accept": "application/openmetrics-text; version=1.0.0"}
    with make_router(Metrics(), Script(one="x")) as router:
        router.ask("hi")
        response = router.client.get("/metrics", headers=accept)

    names = {family.name for family in read_openmetrics(response.text)}
    assert {"coderouter_requests", "coderouter_cost_total_usd", "coderouter_overhead_seconds"} <= names


def test_a_provider_that_was_not_asked_is_told_with_nought(served: Served) -> None:
    assert 'coderouter_provider_attempts_total{provider="never"} 0.0' in served.text.splitlines()


def test_names_of_providers_are_escaped() -> None:
    script = Script(**{'a"b\\c': "x"})
    with make_router(Metrics(), script) as router:
        router.ask("hi")
        text = router.client.get("/metrics").text

    assert 'coderouter_provider_attempts_total{provider="a\\"b\\\\c"} 1.0' in text


def test_dollars_have_ten_digits() -> None:
    prices = {"cost": {"input_tokens_per_million": 0.1, "output_tokens_per_million": 0.7}}
    with make_router(Metrics(), Script(one="x"), providers={"one": prices}) as router:
        for _ in range(7):
            router.ask("hi")
        text = router.client.get("/metrics").text

    (usd,) = re.findall(r"^coderouter_cost_total_usd_total\S* (\S+)$", text, re.MULTILINE)
    assert len(usd.partition("e")[0].replace(".", "").strip("0")) <= 10
    assert float(usd) == pytest.approx(7 * (17 * 0.1 + 23 * 0.7) / 1e6)


def test_buckets_add_up(served: Served) -> None:
    ended = len(served.told("request-finished"))

    assert (
        served.value("coderouter_overhead_seconds_bucket", le="+Inf"),
        served.value("coderouter_overhead_seconds_count"),
    ) == (ended, ended)


def test_what_is_beyond_the_last_bound_is_in_the_last_bucket() -> None:
    seen = add_up(snapshot_of([0.0002, 0.3, 99.0]))
    body, _ = write(Exposition(seen, (), (), 0.0, ""), "")

    found = dict(re.findall(r'overhead_seconds_bucket\{le="(\S+)"\} (\S+)', body.decode()))
    assert (found["0.0001"], found["0.00025"], found["0.25"], found["1.0"], found["+Inf"]) == (
        "0.0",
        "1.0",
        "1.0",
        "2.0",
        "3.0",
    )


def snapshot_of(overheads_s: list[float]) -> Snapshot:
    counts = Counts(BOUNDS)
    for seconds in overheads_s:
        counts.observe(("overhead_seconds",), seconds)
    return Snapshot(1, 0.0, counts.plain(), [], {}, {}, 0, [], [], {"ok": True})


def test_a_price_that_is_not_known_is_told() -> None:
    with make_router(Metrics(), Script(one=["x", ProviderError("no")])) as router:
        router.ask("hi")
        router.ask("hi")
        text = router.client.get("/metrics").text

    assert 'coderouter_attempts_unpriced_total{provider="one"} 1.0' in text
