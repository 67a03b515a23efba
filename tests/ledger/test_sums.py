"""Sums of what is in a ledger's file."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve

from coderouter_core.errors import ConfigError
from coderouter_core.ledger import SqliteLedger, Sums, sums_of
from coderouter_core.model import Attempt, Cost, Dialect, Outcome, Profile, Provider, Usage
from coderouter_core.testing import FakeClock

USAGE = Usage(10, cache_read=5, cache_write_5m=3, cache_write_1h=2, output=7, reasoning=4, reported=True)


def attempt(name: str, at: str, **fields: Any) -> Attempt:
    """Attempt `name` of request `name` without its last letter."""
    began = dt.datetime.fromisoformat(at).replace(tzinfo=dt.UTC).timestamp()
    fields = {"outcome": Outcome.OK, "usage": USAGE, "cost": Cost(0.5, savings_usd=0.25), **fields}
    return Attempt(
        name, name[:-1], Profile("main", ()), fields.pop("provider", Provider("cloud", model="big")), 1,
        Dialect.CHAT, True, began, **fields,
    )  # fmt: skip


LOCAL = Provider("local")
ATTEMPTS = [
    attempt("a1", "2026-01-31T23:50:00", provider=LOCAL, outcome=Outcome.FAILED, usage=Usage(), cost=None),
    evolve(attempt("a2", "2026-02-01T00:00:01", session_id="s"), number=2),
    attempt("b1", "2026-02-01T12:00:00", cost=Cost(2.0), session_id="s", estimated=True),
    attempt("c1", "2026-02-02T12:00:00", provider=LOCAL, cost=Cost(None)),
    attempt("d1", "2026-02-02T13:00:00", outcome=Outcome.STARTED, usage=Usage(), cost=None),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"

    async def write() -> None:
        clock = FakeClock(dt.datetime(2026, 2, 3, tzinfo=dt.UTC))
        async with aclosing(SqliteLedger(path, clock, print)) as ledger:
            await ledger.open()
            for each in ATTEMPTS:
                ledger.settle(each)

    asyncio.run(write())
    return path


def brief(path: Path, by: str, **wish: Any) -> dict[str, tuple[int, int, float]]:
    """Requests, attempts and dollars of each group."""
    groups, _ = sums_of(path, by, **wish)
    return {name: (sums.requests, sums.attempts, sums.cost_usd) for name, sums in groups.items()}


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        pytest.param(
            "day",
            {"2026-01-31": (1, 1, 0.0), "2026-02-01": (1, 2, 2.5), "2026-02-02": (2, 2, 0.0)},
            id="day",
        ),
        pytest.param("week", {"2026-W05": (2, 3, 2.5), "2026-W06": (2, 2, 0.0)}, id="week"),
        pytest.param("month", {"2026-01": (1, 1, 0.0), "2026-02": (3, 4, 2.5)}, id="month"),
        pytest.param("provider", {"cloud": (3, 3, 2.5), "local": (2, 2, 0.0)}, id="provider"),
        pytest.param("profile", {"main": (4, 5, 2.5)}, id="profile"),
        pytest.param("model", {"big": (3, 3, 2.5), "-": (2, 2, 0.0)}, id="model"),
        pytest.param("session", {"s": (2, 2, 2.5), "-": (3, 3, 0.0)}, id="session"),
    ],
)
def test_sums_by(by: str, groups: dict[str, tuple[int, int, float]], path: Path) -> None:
    found = brief(path, by)

    assert list(found.items()) == list(groups.items())


def test_all_together(path: Path) -> None:
    _, total = sums_of(path, "provider")

    assert total == Sums(
        requests=4, attempts=5, input_tokens=30, cache_read_tokens=15, cache_write_5m_tokens=9,
        cache_write_1h_tokens=6, output_tokens=21, reasoning_tokens=12, cost_usd=2.5, savings_usd=0.25,
        unpriced=1, estimated=1, unsettled=1,
    )  # fmt: skip


def test_days_are_those_of_the_zone(path: Path) -> None:
    found = brief(path, "day", zone=ZoneInfo("Asia/Kathmandu"))

    assert found == {"2026-02-01": (2, 3, 2.5), "2026-02-02": (2, 2, 0.0)}


def test_only_what_began_since(path: Path) -> None:
    since = dt.datetime(2026, 2, 2, tzinfo=dt.UTC).timestamp()

    assert brief(path, "month", since=since) == {"2026-02": (2, 2, 0.0)}


def test_numbers_too_large_for_a_sum_cost_no_report(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE attempts SET input_tokens = 9223372036854775807")
        db.commit()

    assert sums_of(path, "day")[1].input_tokens == 2**63 - 1


def test_an_empty_ledger_has_no_groups(tmp_path: Path, clock: FakeClock) -> None:
    async def make() -> None:
        async with aclosing(SqliteLedger(tmp_path / "l.db", clock, print)) as ledger:
            await ledger.open()

    asyncio.run(make())

    assert sums_of(tmp_path / "l.db", "day") == ({}, Sums())


@pytest.mark.parametrize(
    ("bytes_there", "says"),
    [
        pytest.param(None, "no ledger is there", id="none"),
        pytest.param(b"x" * 4096, "cannot be read", id="no-database"),
    ],
)
def test_a_file_that_is_no_ledger_is_an_error(bytes_there: bytes | None, says: str, tmp_path: Path) -> None:
    if bytes_there:
        (tmp_path / "l.db").write_bytes(bytes_there)

    with pytest.raises(ConfigError, match=says):
        sums_of(tmp_path / "l.db", "day")
