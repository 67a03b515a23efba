"""``/metrics.json``: what tools of CodeRouter 1.10 read of it, and what nobody may."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from coderouter_observer_metrics import Metrics
from coderouter_observer_metrics.document import place

from coderouter_core.api import BudgetStanding, Standing, Usage, hookimpl
from coderouter_core.testing import FakeClock, ProviderError, Reply, Script, ServedRouter, make_router

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conftest import Served

#: The keys of 1.10, by the path to the object that holds them.
KEYS = {
    "": {"uptime_s", "started_at", "startup", "counters", "providers", "recent", "config"},
    "startup": {"version", "providers", "profiles", "default_profile", "allow_paid", "mode_source"},
    "counters": {
        "requests_total",
        "chain_paid_gate_blocked_total",
        "chain_budget_exceeded_total",
        "chain_memory_pressure_blocked_total",
        "chain_uniform_auth_failure_total",
        "auto_router_fallthrough_total",
        "cache_read_tokens_total",
        "cache_creation_tokens_total",
        "provider_attempts",
        "provider_outcomes",
        "provider_skipped_paid",
        "provider_skipped_unknown",
        "provider_skipped_budget",
        "provider_skipped_memory_pressure",
        "provider_demoted_unhealthy",
        "backend_health_transitions",
        "capability_degraded",
        "output_filter_applied",
        "cache_read_tokens",
        "cache_creation_tokens",
        "cache_outcomes",
        "cost_total_usd",
        "cost_savings_usd",
        "cost_total_usd_aggregate",
        "cost_savings_usd_aggregate",
    },
    "providers.0": {"name", "attempts", "outcomes", "last_error", "cache", "cost"},
    "providers.0.last_error": {"ts", "status", "retryable", "error"},
    "providers.0.cache": {"read_tokens", "creation_tokens", "outcomes", "hit_rate", "observations"},
    "providers.0.cost": {"total_usd", "savings_usd"},
    "recent.0": {"ts", "event", "provider", "stream"},
    "config": {"default_profile", "allow_paid", "display_timezone", "providers", "profiles"},
    "config.providers.0": {"name", "kind", "paid", "base_url"},
    "config.profiles.0": {"name", "providers"},
}


def document(router: ServedRouter) -> Any:
    return router.client.get("/metrics.json").json()


def at(said: Any, path: str) -> Any:
    for step in filter(None, path.split(".")):
        said = said[int(step)] if isinstance(said, list) else said[step]
    return said


@pytest.mark.parametrize("path", KEYS, ids=lambda path: path or "document")
def test_every_key_of_1_10_is_there(served: Served, path: str) -> None:
    assert KEYS[path] <= at(served.document, path).keys()


def test_providers_that_were_seen_stand_by_name(served: Served) -> None:
    assert [provider["name"] for provider in served.document["providers"]] == ["one", "two"]


def test_a_break_counts_as_ok_and_as_failed_midstream(served: Served) -> None:
    assert served.document["providers"][0]["outcomes"] == {"failed": 1, "failed_midstream": 1, "ok": 5}


def test_what_is_recent_is_told_in_order(served: Served) -> None:
    steps = [(step["event"], step["provider"]) for step in served.document["recent"]]

    assert steps[:5] == [
        ("try-provider", "one"),
        ("provider-ok", "one"),
        ("try-provider", "one"),
        ("provider-failed", "one"),
        ("try-provider", "two"),
    ]


def test_times_are_utc(served: Served) -> None:
    said = (served.document["started_at"], served.document["recent"][0]["ts"])

    assert re.fullmatch(r"[\d-]{10}T[\d:]{8} [\d-]{10}T[\d:]{8}\.\d{3}Z", " ".join(said))


def test_the_cache_is_told_with_its_hit_rate(served: Served) -> None:
    assert served.document["providers"][1]["cache"] == {
        "read_tokens": 2048,
        "creation_tokens": 64,
        "outcomes": {"cache_hit": 1},
        "hit_rate": 1.0,
        "observations": 1,
    }


def test_dollars_have_six_digits() -> None:
    prices = {"cost": {"input_tokens_per_million": 3, "output_tokens_per_million": 15}}
    usage = Usage(input=100, cache_read=2048, output=20, reported=True)
    script = Script(one=Script.messages(Reply("hello", usage=usage)))
    with make_router(Metrics(), script, providers={"one": prices}) as router:
        router.ask("hi")

        said = document(router)["providers"][0]["cost"]

    assert said == {"total_usd": 0.001214, "savings_usd": 0.00553}


def test_before_any_request_everything_is_nought() -> None:
    with make_router(Metrics(), Script(one="x")) as router:
        said = document(router)

    assert (said["counters"]["requests_total"], said["providers"], said["recent"], said["latency"]) == (
        0,
        [],
        [],
        {"count": 0, "p50_s": None, "p95_s": None},
    )


def test_an_error_is_cut_at_200_characters() -> None:
    with make_router(Metrics(), Script(one=ProviderError("é" * 900)), log_upstream_errors="full") as router:
        router.ask("hi")

        error = document(router)["providers"][0]["last_error"]["error"]

    assert (len(error), error[-1]) == (201, "…")


def test_uptime_is_by_the_routers_clock() -> None:
    clock = FakeClock()
    with make_router(Metrics(), Script(one="x"), clock=clock) as router:
        clock.advance(90)

        assert document(router)["uptime_s"] == 90.0


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        pytest.param("https://user:s3cret@box.lan:8443/v1", "https://box.lan:8443/v1", id="userinfo"),
        pytest.param("https://box.lan/v1?key=s3cret#s3cret", "https://box.lan/v1", id="query"),
        pytest.param("http://[::1]:11434/v1", "http://[::1]:11434/v1", id="ipv6"),
        pytest.param("", "", id="none"),
    ],
)
def test_a_base_url_is_told_without_what_may_be_secret(url: str, shown: str) -> None:
    assert place(url) == shown


def test_neither_keys_nor_prompts_nor_models_of_clients_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_KEY", "canary-key")
    with make_router(Metrics(), Script(one="x"), providers={"one": {"api_key_env": "ONE_KEY"}}) as router:
        router.ask("canary-prompt", model="canary-model", headers={"x-session-id": "canary-session"})

        said = router.client.get("/metrics.json").text + router.client.get("/metrics").text

    assert "canary" not in said


class Reporting:
    """A guard that tells how things stand."""

    @hookimpl
    def report_standing(self) -> Iterable[Standing | BudgetStanding]:
        return [
            Standing("one", "slow", "takes its time"),
            Standing("one", "resting", "asked for a pause", until=1_800_000_000.0),
            BudgetStanding("provider", "one", 20.0, 1.25, 0.5, "2026-01"),
        ]


def test_standings_are_told_with_their_plugin() -> None:
    with make_router(Metrics(), ("reporting", Reporting()), Script(one="x", two="y")) as router:
        router.ask("hi")

        said = document(router)

    assert (said["standings"][0], said["budgets"], said["providers"][0]["state"]) == (
        {
            "plugin": "reporting",
            "provider": "one",
            "state": "resting",
            "reason": "asked for a pause",
            "until": "2027-01-15T08:00:00.000Z",
        },
        [
            {
                "scope": "provider",
                "name": "one",
                "cap_usd": 20.0,
                "spent_usd": 1.25,
                "held_usd": 0.5,
                "month": "2026-01",
            }
        ],
        "resting",
    )


def test_the_provider_state_of_prometheus_is_the_worst_that_is_said() -> None:
    with make_router(Metrics(), ("reporting", Reporting()), Script(one="x", two="y")) as router:
        lines = router.client.get("/metrics").text.splitlines()

    assert [
        line for line in lines if line.startswith("coderouter_provider_state") and line.endswith(" 1.0")
    ] == [
        'coderouter_provider_state{provider="one",state="resting"} 1.0',
        'coderouter_provider_state{provider="two",state="healthy"} 1.0',
    ]


def test_chains_are_told_as_configured_and_as_they_are(served: Served) -> None:
    (chain,) = served.document["chains"]

    assert (chain["configured"], chain["effective"], [each["provider"] for each in chain["rejected"]]) == (
        ["one", "never", "two"],
        ["one", "two"],
        ["never"],
    )


def test_a_request_under_way_is_told() -> None:
    with make_router(Metrics(), Script(one=Reply("x" * 4000, delay_s=0.02))) as router:
        body = {
            "model": "any",
            "max_tokens": 9,
            "messages": [{"role": "user", "content": "x"}],
            "stream": True,
        }
        with router.client.stream("POST", "/v1/messages", json=body) as response:
            # Kept: an iterator that nobody holds closes the connection.
            chunks = response.iter_bytes()
            next(chunks)

            assert document(router)["live"] == {"requests": 1}


def test_the_document_is_json_without_surprises(served: Served) -> None:
    assert json.loads(json.dumps(served.document, allow_nan=False)) == served.document


@pytest.mark.parametrize("path", ["/metrics", "/metrics.json"])
def test_a_key_is_asked_for_where_there_is_one(path: str) -> None:
    keys = [{"name": "ada", "sha256": hashlib.sha256(b"ada-key").hexdigest()}]
    with make_router(Metrics(), Script(one="x"), auth={"keys": keys}) as router:
        statuses = [
            router.client.get(path, headers=headers).status_code
            for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer ada-key"})
        ]

    assert statuses == [401, 401, 200]


@pytest.mark.parametrize("path", ["/metrics", "/metrics.json"])
def test_a_foreign_host_is_refused(path: str) -> None:
    with make_router(Metrics(), Script(one="x")) as router:
        assert router.client.get(path, headers={"host": "evil.example"}).status_code == 403
