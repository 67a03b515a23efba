"""What attempts add to the spending of a month."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from collections.abc import Callable
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any

import pytest

from coderouter_core.ledger import MemoryLedger, SqliteLedger
from coderouter_core.ledger.batch import replay
from coderouter_core.ledger.recovery import MONTH_S
from coderouter_core.ledger.rows import COLUMNS, row_of, spent_by
from coderouter_core.model import (
    Attempt,
    Cost,
    Dialect,
    Outcome,
    Profile,
    Provider,
    Spender,
    month_of,
    spending,
)
from coderouter_core.testing import FakeClock

Kind = Callable[[Path, FakeClock], MemoryLedger | SqliteLedger]

both = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(lambda folder, clock: MemoryLedger(clock), id="memory"),
        pytest.param(lambda folder, clock: SqliteLedger(folder / "ledger.db", clock, print), id="sqlite"),
    ],
)
JANUARY = dt.datetime(2026, 1, 15, tzinfo=dt.UTC).timestamp()


def attempt(name: str = "a", usd: float | None = 1.0, at: float = JANUARY, **fields: Any) -> Attempt:
    fields = {"outcome": Outcome.OK, "client_key": "ada", "cost": Cost(usd), **fields}
    return Attempt(
        name, "req", Profile("main", ("cloud",)), Provider("cloud"), 1, Dialect.CHAT, True, at, **fields
    )


@both
def test_a_settled_attempt_counts_for_all_who_spent(kind: Kind, tmp_path: Path, clock: FakeClock) -> None:
    async def story() -> list[float]:
        async with aclosing(kind(tmp_path, clock)) as ledger:
            await ledger.open()
            ledger.start(attempt("a", outcome=Outcome.STARTED, cost=None))
            ledger.settle(attempt("a"))
            ledger.settle(attempt("b", 0.5, client_key=None))
            who = [(Spender.PROVIDER, "cloud"), (Spender.PROFILE, "main"), (Spender.KEY, "ada")]
            return [ledger.total(spending(spender, name, "2026-01")) for spender, name in who]

    assert asyncio.run(story()) == [1.5, 1.5, 1.0]


@pytest.mark.parametrize(
    ("outcome", "usd", "added"),
    [
        pytest.param(Outcome.OK, 1.0, True, id="ok"),
        pytest.param(Outcome.BROKEN, 1.0, True, id="broken"),
        pytest.param(Outcome.CANCELLED, 1.0, True, id="cancelled"),
        pytest.param(Outcome.FAILED, 1.0, True, id="failed-yet-billed"),
        pytest.param(Outcome.STARTED, 1.0, False, id="started"),
        pytest.param(Outcome.UNSETTLED, 1.0, False, id="unsettled"),
        pytest.param(Outcome.OK, None, False, id="unknown-price"),
        pytest.param(Outcome.OK, 0.0, False, id="free"),
        pytest.param(Outcome.OK, -1.0, False, id="negative"),
        pytest.param(Outcome.OK, float("nan"), False, id="no-number"),
        pytest.param(Outcome.OK, float("inf"), False, id="infinite"),
    ],
)
def test_what_counts(outcome: Outcome, usd: float | None, added: bool) -> None:
    assert bool(spent_by(row_of(attempt(usd=usd, outcome=outcome), "me"))) is added


@pytest.mark.parametrize("at", [1e20, -1e20, float("inf"), float("nan")])
def test_a_time_that_is_none_costs_no_traffic(at: float) -> None:
    assert spent_by(row_of(attempt(at=at), "me")) == []


@pytest.mark.parametrize(
    ("at", "month"),
    [
        pytest.param("2026-01-31T23:59:59.999+00:00", "2026-01", id="last-moment"),
        pytest.param("2026-02-01T00:00:00+00:00", "2026-02", id="first-moment"),
        pytest.param("2026-02-01T08:59:00+09:00", "2026-01", id="morning-in-tokyo"),
        pytest.param("2025-12-31T20:00:00-05:00", "2026-01", id="evening-in-new-york"),
    ],
)
def test_months_are_those_of_utc(at: str, month: str) -> None:
    assert month_of(dt.datetime.fromisoformat(at)) == month


def test_a_journal_brings_back_what_was_spent_with_its_attempt() -> None:
    record = {"seq": 1, "kind": "attempt", **dict(zip(COLUMNS, row_of(attempt(), "me"), strict=True))}

    batch = replay([record], after=0)

    assert (list(batch.rows), batch.deltas["spent:provider:cloud:2026-01"]) == (["a"], 1.0)


def test_a_journal_that_was_carried_brings_back_nothing_twice() -> None:
    record = {"seq": 1, "kind": "attempt", **dict(zip(COLUMNS, row_of(attempt(), "me"), strict=True))}

    assert replay([record], after=1).deltas == {}


def test_the_month_of_a_budget_outlives_the_shortest_retention(tmp_path: Path) -> None:
    clock = FakeClock(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    began = clock.utc().timestamp()

    async def spend(*attempts: Attempt) -> float:
        async with aclosing(SqliteLedger(tmp_path / "l.db", clock, print, retention_months=1)) as ledger:
            await ledger.open()
            for each in attempts:
                ledger.settle(each)
            return ledger.total(spending(Spender.PROVIDER, "cloud", "2026-01"))

    asyncio.run(spend(attempt(at=began)))
    clock.advance(MONTH_S - 1)

    assert asyncio.run(spend()) == 1.0


def test_what_is_older_than_the_retention_is_dropped(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "l.db"

    async def once(work: Callable[[SqliteLedger], None]) -> None:
        async with aclosing(SqliteLedger(path, clock, print, retention_months=2)) as ledger:
            await ledger.open()
            work(ledger)

    def record(ledger: SqliteLedger) -> None:
        ledger.settle(attempt(at=clock.utc().timestamp()))
        ledger.trace("req", {})

    asyncio.run(once(record))
    clock.advance(2 * MONTH_S + 1)
    asyncio.run(once(lambda ledger: None))

    with closing(sqlite3.connect(path)) as db:
        left = [
            db.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in ("attempts", "traces", "counters")
        ]
    assert left == [0, 0, 0]
