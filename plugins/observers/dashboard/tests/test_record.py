"""What is remembered is right, and bounded however long the router runs."""

from __future__ import annotations

from typing import Any

import pytest
from coderouter_observer_dashboard.figures import figures_of, percentile, shown
from coderouter_observer_dashboard.record import (
    MINUTES,
    MOST_ACTIONS,
    MOST_ATTEMPTS,
    MOST_DURATIONS,
    MOST_EVENTS,
    MOST_REQUESTS,
    MOST_UNDER_WAY,
    Record,
)

from coderouter_core.api import Attempt, Cost, Dialect, Event, Level, Outcome, Profile, Provider, Usage

LOCAL, DEFAULT = Provider("local"), Profile("default", ("local",))


def event(name: str, at: float = 0.0, request_id: str = "req_1", **fields: Any) -> Event:
    return Event(name, Level.INFO, at, request_id, fields)


def finished(at: float, **fields: Any) -> Event:
    said = {"outcome": "ok", "attempts": 1, "duration_ms": 20.0, "output_tokens": 5, **fields}
    return event("request-finished", at, **said)


def attempt(outcome: Outcome = Outcome.OK, **fields: Any) -> Attempt:
    return Attempt("a", "req_1", DEFAULT, LOCAL, 1, Dialect.CHAT, True, 0.0, outcome=outcome, **fields)


def sizes(record: Record) -> dict[str, int]:
    return {
        "events": len(record.events),
        "requests": len(record.requests),
        "models": len(record.models),
        "attempts": sum(len(kept) for kept in record.attempts.values()),
        "minutes": len(record.minutes),
        "durations": max(len(minute.durations) for minute in record.minutes),
        "actions": len(record.actions),
    }


def test_a_day_of_events_stays_within_bounds() -> None:
    record = Record()
    for at in range(0, 86_400, 2):
        record.event(event("request-received", at, f"never-ends-{at}", model="m"))
        record.event(event("skip-provider", at, provider=f"p{at}", reason="tired"))
        record.attempt(attempt())
        for _ in range(10 if at < 600 else 1):
            record.event(finished(at))

    assert sizes(record) == {
        "events": MOST_EVENTS,
        "requests": MOST_REQUESTS,
        "models": MOST_UNDER_WAY,
        "attempts": MOST_ATTEMPTS,
        "minutes": MINUTES + 1,
        "durations": 30,
        "actions": MOST_ACTIONS,
    }


def test_durations_of_one_minute_are_bounded() -> None:
    record = Record()
    for _ in range(2 * MOST_DURATIONS):
        record.event(finished(7.0))

    assert (len(record.minutes[0].durations), record.minutes[0].ok) == (MOST_DURATIONS, 2 * MOST_DURATIONS)


def test_requests_are_counted_by_the_minute_of_their_end() -> None:
    record = Record()
    for each in (finished(59.9), finished(60.0, attempts=2), finished(61.0, outcome="failed"), finished(62.0, outcome="cancelled")):  # fmt: skip
        record.event(each)

    counted = [(each.minute, each.ok, each.failed, each.left, each.again) for each in record.minutes]
    assert counted == [(0, 1, 0, 0, 0), (1, 1, 1, 1, 1)]


def test_a_request_keeps_the_model_that_was_asked_for() -> None:
    record = Record()
    record.event(event("request-received", model="claude"))
    record.event(finished(1.0))

    assert ([model for _, model in record.requests], record.models) == (["claude"], {})


def test_what_a_guard_did_is_counted_with_its_last_reason() -> None:
    record = Record()
    for at, reason in ((1.0, "spent $1"), (2.0, "spent $2")):
        record.event(event("skip-budget-exceeded", at, provider="cloud", plugin="budget", reason=reason))

    action = record.actions["skip-budget-exceeded", "cloud", "budget"]
    assert (action.count, action.why, action.at) == (2, "spent $2", 2.0)


def test_what_belongs_to_every_request_is_nobodys_action() -> None:
    record = Record()
    record.event(event("try-provider", provider="local"))

    assert record.actions == {}


@pytest.mark.parametrize(
    ("since", "ends"),
    [
        pytest.param(0, [1.0, 2.0, 3.0], id="all"),
        pytest.param(2, [3.0], id="the-newest"),
        pytest.param(3, [], id="none"),
        pytest.param(9, [], id="of-another-life"),
    ],
)
def test_requests_since(since: int, ends: list[float]) -> None:
    record = Record()
    for at in (1.0, 2.0, 3.0):
        record.event(finished(at))

    assert [event.at for event, _ in record.newest_requests(since)] == ends


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [
        pytest.param([], 0.5, None, id="nothing"),
        pytest.param([3.0], 0.95, 3.0, id="one"),
        pytest.param([4.0, 1.0, 3.0, 2.0], 0.5, 2.0, id="median"),
        pytest.param([float(each) for each in range(1, 101)], 0.95, 95.0, id="p95-of-100"),
        pytest.param([1.0, 2.0, 9.0], 1.0, 9.0, id="largest"),
        pytest.param([1.0, 2.0, 9.0], 0.0, 1.0, id="smallest"),
    ],
)
def test_percentile(values: list[float], share: float, found: float | None) -> None:
    assert percentile(values, share) == found


def test_figures_of_a_provider() -> None:
    usage = Usage(input=60, cache_read=40, output=20, reported=True)
    tried = [
        attempt(seconds=2.5, first_token_s=0.5, usage=usage, cost=Cost(0.25, savings_usd=0.5)),
        attempt(Outcome.BROKEN, seconds=1.0, first_token_s=0.1, status=200, error_kind="stream"),
        attempt(Outcome.CANCELLED, seconds=1.0),
    ]

    found = shown([figures_of(tried)])

    assert (found["attempts"], found["ok"], found["failed"], found["success"]) == (3, 1, 1, 0.5)
    assert (found["ttft_p50_s"], found["ttft_p95_s"], found["tokens_per_s"]) == (0.1, 0.5, 10.0)
    assert (found["cache_share"], found["cost_usd"], found["savings_usd"]) == (0.4, 0.25, 0.5)
    assert found["last_error"] == {"kind": "stream", "status": 200, "at": 1.0}
