"""The ledger's file: what is in it, who may read it, and files that are not a ledger."""

import asyncio
import datetime as dt
import os
import sqlite3
import stat
from collections.abc import Awaitable, Callable
from contextlib import aclosing, closing
from pathlib import Path
from typing import TypeVar

import pytest

from coderouter_core.errors import ConfigError
from coderouter_core.ledger import SqliteLedger, attempts_of
from coderouter_core.ledger.carrier import SWEEP_S
from coderouter_core.ledger.carry import TRACES_KEPT
from coderouter_core.ledger.recovery import MONTH_S
from coderouter_core.ledger.traces import FACTS_MAX_BYTES
from coderouter_core.model import Attempt, Clock, Dialect, Outcome, Profile, Provider
from coderouter_core.testing import FakeClock

T = TypeVar("T")

#: Thirteen months, where nobody says another number.
KEPT_S = 13 * MONTH_S


class TwoFaces:
    """A clock whose time of day can be set, as an operator or a time server does."""

    def __init__(self) -> None:
        self.day = dt.datetime(2026, 1, 15, 12, tzinfo=dt.UTC)

    def monotonic(self) -> float:
        return 1000.0

    def utc(self) -> dt.datetime:
        return self.day


def attempt(name: str, at: float = 0.0, outcome: Outcome = Outcome.STARTED) -> Attempt:
    profile, provider = Profile("main", ("local",)), Provider("local")
    return Attempt(name, f"req_{name}", profile, provider, 1, Dialect.CHAT, True, at, outcome=outcome)


def in_ledger(path: Path, clock: Clock, story: Callable[[SqliteLedger], Awaitable[T]]) -> T:
    async def told() -> T:
        async with aclosing(SqliteLedger(path, clock, print)) as ledger:
            await ledger.open()
            return await story(ledger)

    return asyncio.run(told())


async def nothing(ledger: SqliteLedger) -> None:
    return None


async def carried(ledger: SqliteLedger) -> None:
    """A reservation is decided on everything recorded before it."""
    await ledger.reserve("nobody's", 0, 1)


def rows(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(statement).fetchall()


def test_a_closed_ledger_has_everything_in_its_file(tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: SqliteLedger) -> None:
        for number in range(100):
            ledger.settle(attempt(f"{number:02}", outcome=Outcome.OK))

    in_ledger(tmp_path / "l.db", clock, story)

    assert len(attempts_of(tmp_path / "l.db")) == 100


def test_a_closed_ledger_leaves_no_journal(tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: SqliteLedger) -> None:
        ledger.start(attempt("a"))

    in_ledger(tmp_path / "l.db", clock, story)

    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["l.db", "open.gate"]


def test_what_is_carried_is_carried_without_asking(tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: SqliteLedger) -> object:
        ledger.settle(attempt("a", outcome=Outcome.OK))
        for _ in range(200):
            if found := rows(ledger.path, "SELECT id FROM attempts"):
                return found
            await asyncio.sleep(0.02)
        return None

    assert in_ledger(tmp_path / "l.db", clock, story) == [("a",)]


def test_an_attempt_in_memory_and_in_the_file_is_shown_once(tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: SqliteLedger) -> list[object]:
        ledger.start(attempt("a"))
        await carried(ledger)
        ledger.settle(attempt("a", outcome=Outcome.OK))
        return [row["outcome"] for row in ledger.attempts()]

    assert in_ledger(tmp_path / "l.db", clock, story) == ["ok"]


def test_what_is_in_flight_when_the_ledger_closes_is_unsettled(tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: SqliteLedger) -> None:
        ledger.start(attempt("a"))

    in_ledger(tmp_path / "l.db", clock, story)

    assert [row["outcome"] for row in attempts_of(tmp_path / "l.db")] == ["unsettled"]


def test_totals_outlive_the_process(tmp_path: Path, clock: FakeClock) -> None:
    async def add(ledger: SqliteLedger) -> None:
        ledger.add("spent", 1.5)

    async def total(ledger: SqliteLedger) -> float:
        return ledger.total("spent")

    in_ledger(tmp_path / "l.db", clock, add)

    assert in_ledger(tmp_path / "l.db", clock, total) == 1.5


def test_a_reservation_ends_with_its_ledger(tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: SqliteLedger) -> str | None:
        return await ledger.reserve("spent", 10, 10)

    in_ledger(tmp_path / "l.db", clock, story)

    assert in_ledger(tmp_path / "l.db", clock, story) is not None


@pytest.mark.parametrize("hours", [-48, 48])
def test_setting_the_time_of_day_does_not_change_own_marks(hours: int, tmp_path: Path) -> None:
    clock = TwoFaces()

    async def story(ledger: SqliteLedger) -> float:
        ledger.mark("resting", 60)
        clock.day += dt.timedelta(hours=hours)
        await carried(ledger)
        return ledger.marked("resting")

    assert in_ledger(tmp_path / "l.db", clock, story) == 60.0


def test_no_mark_outlasts_its_seconds_when_the_time_of_day_is_set_back(tmp_path: Path) -> None:
    clock = TwoFaces()

    async def mark(ledger: SqliteLedger) -> None:
        ledger.mark("resting", 60)

    async def marked(ledger: SqliteLedger) -> float:
        return ledger.marked("resting")

    in_ledger(tmp_path / "l.db", clock, mark)
    clock.day -= dt.timedelta(days=9000)

    assert in_ledger(tmp_path / "l.db", clock, marked) == 60.0


@pytest.mark.skipif("sys.platform == 'win32'", reason="no permission bits there")
def test_files_are_the_users_alone(tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: SqliteLedger) -> dict[str, int]:
        ledger.start(attempt("a"))
        paths = sorted((tmp_path / "new").rglob("*"))
        return {f"{path.is_dir():d}": stat.S_IMODE(path.stat().st_mode) for path in paths}

    before = os.umask(0)
    try:
        modes = in_ledger(tmp_path / "new" / "deep" / "l.db", clock, story)
    finally:
        os.umask(before)

    assert modes == {"0": 0o600, "1": 0o700}


def test_a_file_of_a_newer_version_is_not_touched(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "l.db"
    in_ledger(path, clock, nothing)
    rows(path, "PRAGMA user_version = 9")

    with pytest.raises(ConfigError) as raised:
        in_ledger(path, clock, nothing)

    assert str(raised.value) == (
        f"ledger.url: {path}: was written by a newer coderouter (schema 9, this one knows 2): "
        "upgrade coderouter-core, or name another file"
    )


def test_another_programs_database_is_not_touched(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "l.db"
    rows(path, "CREATE TABLE recipes (name)")

    with pytest.raises(ConfigError, match="is the database of another program: name another file"):
        in_ledger(path, clock, nothing)

    assert rows(path, "SELECT name FROM sqlite_master") == [("recipes",)]


@pytest.mark.parametrize("place", ["file/l.db", "file/deep/l.db", "folder"])
def test_a_place_that_cannot_be_used_is_an_error_at_the_start(
    place: str, tmp_path: Path, clock: FakeClock
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()

    with pytest.raises(ConfigError) as raised:
        in_ledger(tmp_path / place, clock, nothing)

    assert f"ledger.url: {tmp_path / place}: the ledger cannot be kept there (" in str(raised.value)


def damage(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * 3000)


@pytest.mark.parametrize("at", [pytest.param(0, id="head"), pytest.param(4096, id="middle")])
def test_a_damaged_file_is_moved_aside(at: int, tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "l.db"
    in_ledger(path, clock, nothing)
    damage(path, at)

    assert in_ledger(path, clock, lambda ledger: asyncio.sleep(0, ledger.health()["ok"])) is True
    assert [other.name for other in tmp_path.glob("l.db.c*")] == ["l.db.corrupt-20260115T120000000000Z"]


def test_a_damaged_file_is_told_of(tmp_path: Path, clock: FakeClock) -> None:
    path, told = tmp_path / "l.db", list[str]()
    path.write_bytes(b"not a database, " * 100)

    async def story() -> None:
        async with aclosing(SqliteLedger(path, clock, told.append)) as ledger:
            await ledger.open()

    asyncio.run(story())

    assert told == [
        f"ledger: {path}: is damaged (file is not a database): "
        "moved to l.db.corrupt-20260115T120000000000Z, a new one was begun"
    ]


def test_attempts_are_kept_for_thirteen_months(tmp_path: Path, clock: FakeClock) -> None:
    now = clock.utc().timestamp()

    async def story(ledger: SqliteLedger) -> None:
        ledger.settle(attempt("old", now - KEPT_S - 1, Outcome.OK))
        ledger.settle(attempt("new", now - KEPT_S + 1, Outcome.OK))

    in_ledger(tmp_path / "l.db", clock, story)
    in_ledger(tmp_path / "l.db", clock, nothing)

    assert [row["id"] for row in attempts_of(tmp_path / "l.db")] == ["new"]


def test_the_newest_traces_are_kept(tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: SqliteLedger) -> None:
        for number in range(TRACES_KEPT + 5):
            ledger.trace(f"req_{number}", {})

    in_ledger(tmp_path / "l.db", clock, story)

    assert rows(tmp_path / "l.db", "SELECT count(*), min(number) FROM traces") == [(TRACES_KEPT, 6)]


def test_a_journal_does_not_grow_while_it_is_carried(tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: SqliteLedger) -> bool:
        for _ in range(5):
            for number in range(20):
                ledger.trace(f"req_{number}", {"text": "x" * (FACTS_MAX_BYTES - 100)})
            await carried(ledger)
        return bool(ledger.health()["segments"] <= 2)

    assert in_ledger(tmp_path / "l.db", clock, story)


def test_a_running_ledger_takes_over_what_a_dead_process_left(tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: SqliteLedger) -> float:
        left = tmp_path / "l.db.journals" / "77-dead.00000001.journal"
        left.write_bytes(b'{"seq":1,"kind":"add","counter":"spent","amount":2.5}\n')
        clock.advance(SWEEP_S)
        for _ in range(500):
            if ledger.total("spent"):
                break
            await asyncio.sleep(0.02)
        return ledger.total("spent")

    assert in_ledger(tmp_path / "l.db", clock, story) == 2.5


def test_health_tells_what_was_carried(tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: SqliteLedger) -> dict[str, object]:
        ledger.start(attempt("a"))
        await carried(ledger)
        ledger.start(attempt("b"))
        health = ledger.health()
        return {name: health[name] for name in ("ok", "error", "carried", "dropped")}

    assert in_ledger(tmp_path / "l.db", clock, story) == {
        "ok": True,
        "error": None,
        "carried": 1,
        "dropped": 0,
    }


def test_a_cancelled_reservation_holds_nothing(tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: SqliteLedger) -> list[bool]:
        admitted = []
        for patience in (0, 1, 2, 3, 0.001, 0.002):
            asking = asyncio.create_task(ledger.reserve("spent", 10, 10))
            for _ in range(int(patience)):
                await asyncio.sleep(0)
            await asyncio.sleep(patience % 1)
            asking.cancel()
            await asyncio.wait([asking])
            if not asking.cancelled():
                ledger.release(asking.result() or "")
            token = await ledger.reserve("spent", 10, 10)
            admitted.append(token is not None)
            ledger.release(token or "")
        return admitted

    assert in_ledger(tmp_path / "l.db", clock, story) == [True] * 6
