"""A day of traffic, and of nonsense, leaves everything as small as the configuration."""

from __future__ import annotations

import itertools

import pytest
from coderouter_observer_metrics.learning import MOST_RECENT, MOST_WORDS, Learning

from coderouter_core.api import (
    Attempt,
    AutoRouter,
    Config,
    Cost,
    Dialect,
    Event,
    Level,
    Outcome,
    Profile,
    Provider,
    Usage,
)

PROVIDERS = tuple(Provider(f"box{number}") for number in range(3))
PROFILE = Profile("default", tuple(provider.name for provider in PROVIDERS))
CONFIG = Config(PROVIDERS, (PROFILE,), auto_router=AutoRouter())
DAY_S = 24 * 3600


def events(second: int) -> list[tuple[str, dict[str, object]]]:
    """Every name, and in every field that could hold anything, something new each time."""
    box = PROVIDERS[second % 3].name
    new = f"new-{second}"
    step = {"provider": box, "profile": "default", "attempt": 1, "stream": True}
    failed = {**step, "status": 500, "retryable": True, "error": new, "error_kind": "status"}
    ended = {"profile": new, "provider": new, "dialect": "chat", "outcome": "ok", "status": 200}
    return [
        ("request-received", {"model": new}),
        ("auto-router-resolved", {"rule_id": new}),
        ("tool-loop-detected", {"profile": new, "action": "warn", "tool_name": new}),
        ("capability-degraded", {"provider": box, "dropped": [new]}),
        ("output-filter-applied", {"provider": box, "filters": [new]}),
        ("tool-call-repaired", {"provider": new, "model": new, "count": 1}),
        ("skip-provider", {"provider": new, "plugin": new, "reason": new}),
        ("demote-provider", {"provider": new, "plugin": new, "reason": new, "weight": 1}),
        ("request-refused", {"plugin": new, "reason": new}),
        ("plugin-failed", {"plugin": new, "hook": "filter_chain", "error": new}),
        ("try-provider", step),
        ("provider-ok", step),
        ("provider-failed", failed),
        ("cache-observed", {"provider": box, "outcome": "no_cache"}),
        ("client-disconnected", {"phase": "stream"}),
        ("request-finished", {**ended, "ttft_ms": 1.0, "duration_ms": second, "overhead_ms": 1.0}),
    ]


def attempt(second: int) -> Attempt:
    return Attempt(
        id=str(second),
        request_id=str(second),
        profile=PROFILE,
        provider=PROVIDERS[second % 3],
        number=1,
        dialect=Dialect.CHAT,
        stream=True,
        started_at=float(second),
        model=f"new-{second}",
        session_id=f"new-{second}",
        outcome=Outcome.OK,
        seconds=float(second % 700),
        usage=Usage(second, second, second, 0, second, second, reported=True),
        cost=Cost(0.1, 0.1),
    )


def test_a_day_of_events_leaves_what_an_hour_left() -> None:
    learning = Learning(CONFIG)
    sizes = []
    for second in range(0, DAY_S, 5):
        for name, fields in events(second):
            learning.event(Event(name, Level.INFO, float(second), f"req-{second}", fields))
        learning.attempt(attempt(second))
        if second in (3600, DAY_S - 5):
            sizes.append((len(learning.counts), len(learning.errors), len(learning.recent)))

    assert sizes[0] == sizes[1] == (len(learning.counts), 3, MOST_RECENT)
    assert len(learning.counts) < 10 * MOST_WORDS


def test_no_label_is_what_a_client_said() -> None:
    learning = Learning(CONFIG)
    for name, fields in events(1):
        learning.event(Event(name, Level.INFO, 1.0, "req-secret", fields, session_id="session"))
    learning.attempt(attempt(1))

    values = set(itertools.chain.from_iterable(key[1:] for key in learning.counts.totals))
    assert not values & {"req-secret", "session"}
    assert {key for key in learning.counts.totals if "new-1" in key} == {
        ("auto_router_rule_hits_total", "new-1"),
        ("output_filter_applied_total", "new-1"),
        ("guard_actions_total", "new-1", "skip"),
        ("guard_actions_total", "new-1", "demote"),
        ("guard_actions_total", "new-1", "refuse"),
        ("plugin_failures_total", "new-1", "filter_chain"),
    }


@pytest.mark.parametrize(
    ("dropped", "label"),
    [
        pytest.param("thinking", "thinking", id="known"),
        pytest.param("tools.my_own_tool", "tools", id="part"),
        pytest.param("my_own_field", "other", id="clients-own"),
    ],
)
def test_fields_that_were_dropped_are_told_by_known_names(dropped: str, label: str) -> None:
    learning = Learning(CONFIG)

    learning.event(Event("capability-degraded", Level.INFO, 1.0, None, {"dropped": [dropped]}))

    assert learning.counts.by("capability_degraded_total") == {label: 1}
