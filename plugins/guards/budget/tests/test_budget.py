"""What a budget keeps from being spent, and what it says."""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
from pathlib import Path
from typing import Any

import pytest
from coderouter_guard_budget import HINT, BudgetGuard

from coderouter_core.api import ConfigError, Spender, spending
from coderouter_core.testing import FakeClock, Reply, Script, ServedRouter, conformance, make_router

#: A million tokens of input cost a dollar, of output ten.
PRICES = {"input_tokens_per_million": 1.0, "output_tokens_per_million": 10.0}
#: An answer that costs a dollar.
DOLLAR = Reply("hello", usage=(500_000, 50_000))
KEY = {"authorization": "Bearer secret"}


def sha256(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def router(
    clock: FakeClock,
    *,
    cost: dict[str, Any] | None = None,
    profile: dict[str, Any] | None = None,
    key: dict[str, Any] | None = None,
    **more: Any,
) -> ServedRouter:
    """A provider that costs a dollar an answer, and after it one that costs nothing."""
    keys: dict[str, Any] = (
        {"auth": {"keys": [{"name": "ada", "sha256": sha256("secret"), **key}]}} if key is not None else {}
    )
    return make_router(
        BudgetGuard(),
        Script(cloud=DOLLAR, local="free"),
        clock=clock,
        providers={"cloud": {"cost": {**PRICES, **(cost or {})}}},
        profile=profile,
        **keys,
        **more,
    )


def spent(asked: ServedRouter, spender: Spender, name: str, month: str = "2026-01") -> float:
    return asked.core.ledger.total(spending(spender, name, month))


def test_it_conforms() -> None:
    conformance(BudgetGuard())


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("dialect", ["messages", "chat"])
@pytest.mark.parametrize(
    ("capped", "reason"),
    [
        pytest.param({"cost": {"monthly_budget_usd": 2}}, "spent $2.00 of $2.00 this month", id="provider"),
        pytest.param(
            {"profile": {"monthly_budget_usd": 2}},
            "profile 'default' spent $2.00 of $2.00 this month",
            id="profile",
        ),
    ],
)
def test_a_cap_that_is_reached_leaves_the_provider_out(
    capped: dict[str, Any], reason: str, dialect: str, stream: bool, clock: FakeClock
) -> None:
    with router(clock, **capped) as asked:
        before = [asked.ask(dialect=dialect, stream=stream).provider for _ in range(2)]
        after = asked.ask(dialect=dialect, stream=stream)

    assert (before, after.provider, after.reasons) == (["cloud", "cloud"], "local", {"cloud": reason})


def test_a_key_that_spent_its_budget_gets_what_is_free(clock: FakeClock) -> None:
    key = {"monthly_budget_usd": 1}
    with router(clock, key=key) as asked:
        first, second = (asked.ask(headers=KEY) for _ in range(2))

    assert (first.provider, second.reasons) == (
        "cloud",
        {"cloud": "key 'ada' spent $1.00 of $1.00 this month"},
    )


def test_what_one_key_spends_is_not_anothers(clock: FakeClock) -> None:
    keys = [
        {"name": "ada", "sha256": sha256("secret"), "monthly_budget_usd": 1},
        {"name": "bob", "sha256": sha256("other"), "monthly_budget_usd": 1},
    ]
    with make_router(
        BudgetGuard(),
        Script(cloud=DOLLAR),
        clock=clock,
        providers={"cloud": {"cost": PRICES}},
        auth={"keys": keys},
    ) as asked:
        statuses = [asked.ask(headers={"x-api-key": key}).status for key in ("secret", "secret", "other")]

    assert statuses == [200, 402, 200]


def test_a_rejection_says_what_was_spent_of_what(clock: FakeClock) -> None:
    with router(clock, cost={"monthly_budget_usd": 0.5}) as asked:
        asked.ask()
        (event,) = [each for each in asked.ask().events if each.name == "skip-budget-exceeded"]

    assert {key: event.fields[key] for key in sorted(event.fields)} == {
        "budget_of": "cloud",
        "current_total_usd": 1.0,
        "month": "2026-01",
        "monthly_budget_usd": 0.5,
        "plugin": "budget",
        "profile": "default",
        "provider": "cloud",
        "reason": "spent $1.00 of $0.50 this month",
        "scope": "provider",
    }


def test_when_nobody_is_left_the_client_is_told_of_money(clock: FakeClock) -> None:
    with make_router(
        BudgetGuard(),
        Script(cloud=DOLLAR),
        clock=clock,
        providers={"cloud": {"cost": {**PRICES, "monthly_budget_usd": 1}}},
    ) as asked:
        asked.ask()
        refused = asked.ask()
        (event,) = [each for each in refused.events if each.name == "chain-budget-exceeded"]

    assert (refused.status, event.fields) == (
        402,
        {"profile": "default", "blocked_providers": ["cloud"], "month": "2026-01", "hint": HINT},
    )


def test_a_cap_of_nothing_says_so(clock: FakeClock) -> None:
    with router(clock, cost={"monthly_budget_usd": 0}) as asked:
        reasons = asked.ask().reasons

    assert reasons == {"cloud": "may spend nothing: monthly_budget_usd is 0"}


@pytest.mark.parametrize(
    "free", [pytest.param(None, id="no-prices"), pytest.param({"input_tokens_per_million": 0, "output_tokens_per_million": 0}, id="prices-of-zero")]
)  # fmt: skip
def test_who_costs_nothing_answers_though_the_profile_has_spent_its_cap(
    free: dict[str, float] | None, clock: FakeClock
) -> None:
    with make_router(
        BudgetGuard(),
        Script(cloud=DOLLAR, local="free"),
        clock=clock,
        providers={"cloud": {"cost": PRICES}, "local": {"cost": free} if free else {}},
        profile={"monthly_budget_usd": 1},
    ) as asked:
        providers = [asked.ask().provider for _ in range(2)]

    assert providers == ["cloud", "local"]


def test_a_new_month_has_a_new_budget(clock: FakeClock) -> None:
    with router(clock, cost={"monthly_budget_usd": 1}) as asked:
        providers = [asked.ask().provider for _ in range(2)]
        clock.advance(dt.timedelta(days=17).total_seconds())
        providers.append(asked.ask().provider)

    assert providers == ["cloud", "local", "cloud"]


def test_a_cap_written_in_mid_month_knows_what_was_spent_before(clock: FakeClock, tmp_path: Path) -> None:
    where = {"url": f"sqlite:{tmp_path / 'ledger.db'}"}
    with router(clock, ledger=where) as asked:
        asked.ask()

    with router(clock, ledger=where, cost={"monthly_budget_usd": 1}) as asked:
        again = asked.ask()

    assert again.reasons == {"cloud": "spent $1.00 of $1.00 this month"}


def test_a_cap_that_is_near_is_told_once(clock: FakeClock) -> None:
    with router(clock, cost={"monthly_budget_usd": 10}) as asked:
        told = [asked.ask().event_names.count("budget-near-limit") for _ in range(10)]

    assert told == [0, 0, 0, 0, 0, 0, 0, 1, 0, 0]


def test_a_cap_that_is_near_is_told_again_in_the_next_month(clock: FakeClock) -> None:
    with router(clock, cost={"monthly_budget_usd": 1}) as asked:
        asked.ask()
        clock.advance(dt.timedelta(days=31).total_seconds())
        names = asked.ask().event_names

    assert "budget-near-limit" in names


def test_an_answer_costs_its_provider_its_profile_and_its_key(clock: FakeClock) -> None:
    with router(clock, key={}) as asked:
        asked.ask(headers=KEY)
        found = [
            spent(asked, spender, name)
            for spender, name in (
                (Spender.PROVIDER, "cloud"),
                (Spender.PROFILE, "default"),
                (Spender.KEY, "ada"),
                (Spender.PROVIDER, "local"),
            )
        ]

    assert found == [1.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("on_failure", "provider"),
    [pytest.param("open", "cloud", id="open"), pytest.param("closed", "local", id="closed")],
)
def test_a_ledger_that_is_down(on_failure: str, provider: str, clock: FakeClock, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with router(
        clock,
        cost={"monthly_budget_usd": 9},
        ledger={"url": f"sqlite:{data / 'ledger.db'}", "on_failure": on_failure},
    ) as asked:
        asked.ask()
        data.rename(tmp_path / "away")
        data.write_text("a file where the folder was")
        assert asked.wait_event("ledger-failed")
        after = asked.ask().provider

    assert after == provider


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        pytest.param(
            {"providers": {"cloud": {"cost": {"monthly_budget_usd": 2}}}},
            "providers[0].cost.monthly_budget_usd: provider 'cloud' has no prices to count by; write "
            "input_tokens_per_million and output_tokens_per_million beside it, or remove the budget",
            id="provider",
        ),
        pytest.param(
            {"providers": {"cloud": {"cost": {"input_tokens_per_million": 1, "monthly_budget_usd": 2}}}},
            "providers[0].cost.monthly_budget_usd: provider 'cloud' has no prices to count by; write "
            "input_tokens_per_million and output_tokens_per_million beside it, or remove the budget",
            id="half-a-price",
        ),
        pytest.param(
            {"profile": {"monthly_budget_usd": 2}},
            "profiles[0].monthly_budget_usd: no provider that it is for has prices; write them under cost",
            id="profile",
        ),
        pytest.param(
            {
                "profile": {"monthly_budget_usd": 2},
                "providers": {"cloud": {"paid": True}},
                "allow_paid": True,
            },
            "profiles[0].monthly_budget_usd: provider 'cloud' is paid and has no prices to count by; write them "
            "under its cost, 0 where it is free, or remove the budget",
            id="paid",
        ),
        pytest.param(
            {"auth": {"keys": [{"name": "ada", "sha256": sha256("secret"), "monthly_budget_usd": 2}]}},
            "auth.keys[0].monthly_budget_usd: no provider that it is for has prices; write them under cost",
            id="key",
        ),
        pytest.param(
            {"providers": {"cloud": {"cost": {**PRICES, "monthly_budget_usd": -5}}}},
            "providers[0].cost.monthly_budget_usd: must be ≥ 0, not -5",
            id="negative",
        ),
    ],
)
def test_a_cap_that_cannot_hold_is_an_error_with_its_place(written: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        make_router(BudgetGuard(), Script(cloud=DOLLAR), **written)

    place, _, text = str(raised.value).partition(": ")
    assert (text, place.rpartition("providers.yaml:")[2].count(":")) == (problem, 1)


def test_what_is_left_of_each_budget_is_seen() -> None:
    asked = router(
        FakeClock(),
        cost={"monthly_budget_usd": 4},
        profile={"monthly_budget_usd": 8},
        key={"monthly_budget_usd": 9},
    )
    asked.ask(headers=KEY)

    seen = [said.verdict for said in asked.core.standings()]

    assert [
        (each.scope, each.name, each.cap_usd, each.spent_usd, each.held_usd, each.month) for each in seen
    ] == [
        ("provider", "cloud", 4.0, 1.0, 0.0, "2026-01"),
        ("profile", "default", 8.0, 1.0, 0.0, "2026-01"),
        ("key", "ada", 9.0, 1.0, 0.0, "2026-01"),
    ]


def test_what_is_held_for_an_attempt_under_way_is_seen() -> None:
    slow = Reply("hello", first_delay_s=0.5)
    with make_router(
        BudgetGuard(),
        Script(cloud=slow),
        providers={"cloud": {"cost": {**PRICES, "monthly_budget_usd": 4}}},
    ) as asked:
        thread = threading.Thread(target=asked.ask)
        thread.start()
        assert asked.upstreams["cloud"].wait_calls(1)
        [said] = asked.core.standings()
        thread.join()

    assert said.verdict.held_usd == pytest.approx(256 * 10 / 1e6, rel=0.1)


def test_who_asks_a_provider_by_name_spends_of_the_default_profile() -> None:
    with router(FakeClock(), profile={"monthly_budget_usd": 1}) as asked:
        statuses = [asked.ask(model="cloud").status for _ in range(2)]

        assert (statuses, spent(asked, Spender.PROFILE, "default")) == ([200, 402], 1.0)
