"""The dashboard and the alerts ask for metrics that exist, by labels that they have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from coderouter_observer_metrics.families import COUNTERS, GAUGES, HISTOGRAMS, PREFIX, TOLD

EXAMPLES = Path(__file__).parents[4] / "examples"
LABELS = {
    **{PREFIX + family.name: {*family.labels} for family in (*COUNTERS, *TOLD, *GAUGES)},
    **{
        f"{PREFIX}{family.name}_{part}": {*family.labels, *(("le",) if part == "bucket" else ())}
        for family in HISTOGRAMS
        for part in ("bucket", "sum", "count")
    },
}
#: What Prometheus adds to every sample.
ADDED = {"instance", "job"}


def dashboard() -> Iterator[str]:
    said = json.loads((EXAMPLES / "grafana/coderouter.json").read_text())
    for panel in said["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (variable.get("definition", "") for variable in said["templating"]["list"])


def alerts() -> Iterator[str]:
    yield from re.findall(
        r"expr: (.*?)\n\s+(?:for|labels):", (EXAMPLES / "prometheus/alerts.yml").read_text(), re.DOTALL
    )


QUERIES = [query for query in (*dashboard(), *alerts()) if "coderouter" in query]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_asks_for_metrics_that_exist(query: str) -> None:
    names = set(re.findall(r"coderouter_\w+", query))

    assert names <= LABELS.keys()


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_selects_by_labels_that_the_metric_has(query: str) -> None:
    for name, selector in re.findall(r"(coderouter_\w+)\{([^}]*)\}", query):
        assert set(re.findall(r"(\w+)\s*(?:=|!)", selector)) <= LABELS[name] | ADDED


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_groups_by_labels_that_a_metric_has(query: str) -> None:
    known = {"le", *ADDED}.union(*(LABELS[name] for name in re.findall(r"coderouter_\w+", query)))

    for labels in re.findall(r"\bby \(([^)]*)\)", query):
        assert set(labels.replace(" ", "").split(",")) <= known


def test_both_have_queries() -> None:
    assert len(list(dashboard())) > 30 < len(QUERIES)
    assert len(list(alerts())) >= 6
