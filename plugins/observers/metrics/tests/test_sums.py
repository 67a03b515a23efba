"""What is counted is what happened: the figures against the events, the attempts, and the ledger."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Served

TOKENS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_5m_tokens",
}


def nested(counted: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (first, second), count in counted.items():
        found.setdefault(first, {})[second] = count
    return found


def test_every_kind_of_end_was_served(served: Served) -> None:
    ended = Counter(event.fields["outcome"] for event in served.told("request-finished"))

    assert ended.keys() == {"ok", "refused", "failed", "broken", "cancelled"}


def test_requests_are_those_that_were_received(served: Served) -> None:
    assert served.document["counters"]["requests_total"] == len(served.told("request-received")) == 9


def test_requests_are_told_apart_from_attempts(served: Served) -> None:
    assert (
        sum(served.document["counters"]["provider_attempts"].values())
        == len(served.told("try-provider"))
        == 7
    )


@pytest.mark.parametrize("label", ["profile", "dialect", "outcome"])
def test_requests_that_ended_add_up(served: Served, label: str) -> None:
    told = Counter(event.fields[label] or "none" for event in served.told("request-finished"))

    assert served.document["counters"][f"requests_by_{label}"] == told


def test_requests_that_ended_add_up_by_status(served: Served) -> None:
    told = Counter(f"{event.fields['status'] // 100}xx" for event in served.told("request-finished"))

    assert served.document["counters"]["requests_by_status"] == told


def test_attempts_that_ended_are_those_of_the_ledger(served: Served) -> None:
    recorded = Counter((row["provider"], row["outcome"]) for row in served.rows)

    assert served.document["counters"]["attempts_finished"] == nested(recorded)


def test_outcomes_are_as_the_events_tell(served: Served) -> None:
    names = {
        "provider-ok": "ok",
        "provider-failed": "failed",
        "provider-failed-midstream": "failed_midstream",
    }
    told = Counter(
        (event.fields["provider"], names[event.name]) for event in served.events if event.name in names
    )

    assert served.document["counters"]["provider_outcomes"] == nested(told)


@pytest.mark.parametrize("kind", TOKENS)
@pytest.mark.parametrize("provider", ["one", "two"])
def test_tokens_are_those_of_the_ledger(served: Served, kind: str, provider: str) -> None:
    recorded = sum(row[TOKENS[kind]] for row in served.rows if row["provider"] == provider)

    assert served.value("coderouter_tokens_total", provider=provider, kind=kind) == recorded


def test_tokens_are_those_of_the_requests(served: Served) -> None:
    told = sum(event.fields["output_tokens"] for event in served.told("request-finished"))

    assert sum(served.document["counters"]["output_tokens"].values()) == told > 0


def test_reasoning_is_that_of_the_ledger(served: Served) -> None:
    recorded = sum(row["reasoning_tokens"] for row in served.rows)

    assert served.value("coderouter_reasoning_tokens_total") == recorded > 0


@pytest.mark.parametrize(
    ("name", "column", "field"),
    [
        pytest.param("coderouter_cost_total_usd_total", "cost_usd", "cost_usd", id="cost"),
        pytest.param("coderouter_cost_savings_usd_total", "savings_usd", "savings_usd", id="savings"),
    ],
)
def test_money_is_that_of_the_ledger_and_of_the_requests(
    served: Served, name: str, column: str, field: str
) -> None:
    recorded = sum(row[column] or 0 for row in served.rows)
    told = sum(event.fields[field] for event in served.told("request-finished"))

    assert (served.value(name), told) == (pytest.approx(recorded), pytest.approx(recorded))
    assert recorded > 0


def test_both_formats_say_the_same(served: Served) -> None:
    counters: dict[str, Any] = served.document["counters"]

    assert (
        served.value("coderouter_requests_total"),
        served.value("coderouter_provider_attempts_total", provider="one"),
        served.value("coderouter_provider_skipped_total", provider="never", reason="other"),
        round(served.value("coderouter_cost_total_usd_total"), 6),
    ) == (
        counters["requests_total"],
        counters["provider_attempts"]["one"],
        counters["provider_skipped_other"]["never"],
        counters["cost_total_usd_aggregate"],
    )


def test_every_request_has_a_duration_and_an_overhead(served: Served) -> None:
    ended = len(served.told("request-finished"))

    assert (served.document["latency"]["count"], served.document["overhead"]["count"]) == (ended, ended)


def test_the_first_token_is_counted_where_there_was_one(served: Served) -> None:
    told = sum(event.fields["ttft_ms"] is not None for event in served.told("request-finished"))

    assert served.document["time_to_first_token"]["count"] == told > 0


def test_what_guards_did_is_told_by_their_plugin(served: Served) -> None:
    assert served.document["counters"]["guard_actions"]["strict"] == {"refuse": 1, "skip": 6}


def test_a_client_that_left_is_told_by_when(served: Served) -> None:
    assert served.document["counters"]["client_disconnects"] == {"stream": 1}
