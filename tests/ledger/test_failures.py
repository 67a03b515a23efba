"""A store that does not work costs no request."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from coderouter_core.ledger import SqliteLedger, attempts_of
from coderouter_core.ledger.batch import WAITING_MAX
from coderouter_core.ledger.failures import QUIET_S, Failures
from coderouter_core.model import Attempt, Dialect, Outcome, Profile, Provider
from coderouter_core.testing import FakeClock


def attempt(name: str) -> Attempt:
    profile, provider = Profile("main", ("local",)), Provider("local")
    return Attempt(name, f"req_{name}", profile, provider, 1, Dialect.CHAT, True, 1.77e9, outcome=Outcome.OK)


async def until(condition: Callable[[], object]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.02)


def become_a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.touch()


@asynccontextmanager
async def broken(folder: Path, clock: FakeClock, told: list[str]) -> AsyncIterator[SqliteLedger]:
    """A ledger that counted 5 for `spent`, whose folder has become a file since."""
    ledger = SqliteLedger(folder / "l.db", clock, told.append)
    await ledger.open()
    ledger.add("spent", 5)
    await ledger.reserve("nobody's", 0, 1)
    become_a_file(folder)
    await until(lambda: "last known" in str(ledger.health()["error"]))
    try:
        yield ledger
    finally:
        await ledger.aclose()


def test_what_was_known_goes_on_to_count(tmp_path: Path, clock: FakeClock) -> None:
    async def story() -> list[object]:
        async with broken(tmp_path / "data", clock, []) as ledger:
            ledger.add("spent", 1)
            ledger.mark("resting", 60)
            ledger.trace("req_a", {"chain": []})
            ledger.start(attempt("a"))
            ledger.settle(attempt("a"))
            return [
                ledger.total("spent"), ledger.marked("resting"), len(ledger.traces()), len(ledger.attempts()),
            ]  # fmt: skip

    assert asyncio.run(story()) == [6.0, 60.0, 1, 1]


def test_reservations_are_decided_by_what_is_known(tmp_path: Path, clock: FakeClock) -> None:
    async def story() -> list[bool]:
        async with broken(tmp_path / "data", clock, []) as ledger:
            first = await ledger.reserve("spent", 3, 8)
            full = await ledger.reserve("spent", 3, 8)
            ledger.release(first or "")
            return [token is not None for token in (first, full, await ledger.reserve("spent", 3, 8))]

    assert asyncio.run(story()) == [True, False, True]


def test_who_asks_a_store_that_just_failed_is_answered_from_memory(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coderouter_core.ledger.sqlite.PATIENCE_S", 300.0)

    async def story() -> str | None:
        ledger = SqliteLedger(tmp_path / "data" / "l.db", clock, print)
        await ledger.open()
        become_a_file(tmp_path / "data")
        try:
            async with asyncio.timeout(20):
                return await ledger.reserve("spent", 1, 2)
        finally:
            await ledger.aclose()

    assert asyncio.run(story()) is not None


def test_health_says_what_fails(tmp_path: Path, clock: FakeClock) -> None:
    async def story() -> str:
        async with broken(tmp_path / "data", clock, []) as ledger:
            return str(ledger.health()["error"])

    assert str(tmp_path / "data") in asyncio.run(story())


def test_a_store_that_comes_back_has_everything(tmp_path: Path, clock: FakeClock) -> None:
    async def story() -> float:
        async with broken(tmp_path / "data", clock, []) as ledger:
            ledger.settle(attempt("a"))
            ledger.add("spent", 1)
            (tmp_path / "data").unlink()
            await until(lambda: ledger.health()["ok"])
            return ledger.total("spent")

    total = asyncio.run(story())

    assert (total, len(attempts_of(tmp_path / "data" / "l.db"))) == (6.0, 1)


def test_what_waits_for_a_store_is_bounded(tmp_path: Path, clock: FakeClock) -> None:
    async def story() -> list[int]:
        async with broken(tmp_path / "data", clock, []) as ledger:
            for number in range(WAITING_MAX + 1):
                ledger.start(attempt(str(number)))
            return [ledger.health()[name] for name in ("waiting", "dropped")]

    assert asyncio.run(story()) == [WAITING_MAX + 1 - WAITING_MAX // 4, WAITING_MAX // 4]


def test_what_cannot_be_carried_at_the_end_is_carried_at_the_next_start(
    tmp_path: Path, clock: FakeClock
) -> None:
    path, away = tmp_path / "l.db", tmp_path / "away.db"

    async def story() -> None:
        ledger = SqliteLedger(path, clock, print)
        await ledger.open()
        path.rename(away)
        path.mkdir()
        ledger.add("spent", 1)
        ledger.settle(attempt("a"))
        await ledger.aclose()

    asyncio.run(story())
    path.rmdir()
    away.rename(path)

    assert asyncio.run(reopened_total(path, clock)) == 1.0
    assert [row["outcome"] for row in attempts_of(path)] == ["ok"]


def test_a_ledger_that_is_not_open_decides_by_what_is_known(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coderouter_core.ledger.sqlite.PATIENCE_S", 300.0)
    ledger = SqliteLedger(tmp_path / "l.db", clock, print)
    ledger.add("spent", 9)

    assert asyncio.run(asyncio.wait_for(ledger.reserve("spent", 1, 9), 20)) is None


def test_what_was_recorded_before_the_ledger_opened_is_carried(tmp_path: Path, clock: FakeClock) -> None:
    ledger = SqliteLedger(tmp_path / "l.db", clock, print)
    ledger.settle(attempt("a"))

    async def story() -> None:
        await ledger.open()
        await ledger.aclose()

    asyncio.run(story())

    assert len(attempts_of(tmp_path / "l.db")) == 1


def test_a_folder_that_was_removed_is_made_again(tmp_path: Path, clock: FakeClock) -> None:
    async def story() -> float:
        ledger = SqliteLedger(tmp_path / "data" / "l.db", clock, print)
        await ledger.open()
        ledger.add("spent", 5)
        await ledger.reserve("nobody's", 0, 1)
        shutil.rmtree(tmp_path / "data")
        await until(ledger.path.exists)
        ledger.settle(attempt("a"))
        await ledger.aclose()
        return ledger.total("spent")

    total = asyncio.run(story())

    assert (total, len(attempts_of(tmp_path / "data" / "l.db"))) == (5.0, 1)


def test_a_file_that_is_damaged_in_use_is_moved_aside(tmp_path: Path, clock: FakeClock) -> None:
    async def story() -> float:
        ledger = SqliteLedger(tmp_path / "l.db", clock, print)
        await ledger.open()
        ledger.add("spent", 5)
        await ledger.reserve("nobody's", 0, 1)
        with closing(sqlite3.connect(ledger.path)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with ledger.path.open("r+b") as file:
            file.write(b"\xa5" * 100_000)
        ledger.add("spent", 1)
        await until(lambda: list(tmp_path.glob("*.corrupt-*")) and ledger.health()["ok"])
        await ledger.aclose()
        return ledger.total("spent")

    assert asyncio.run(story()) == 6.0
    assert asyncio.run(reopened_total(tmp_path / "l.db", clock)) == 6.0


async def reopened_total(path: Path, clock: FakeClock) -> float:
    ledger = SqliteLedger(path, clock, print)
    await ledger.open()
    await ledger.aclose()
    return ledger.total("spent")


def test_a_locked_store_is_waited_for(tmp_path: Path, clock: FakeClock) -> None:
    async def story() -> list[object]:
        ledger = SqliteLedger(tmp_path / "l.db", clock, print)
        await ledger.open()
        with closing(sqlite3.connect(ledger.path, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            ledger.settle(attempt("a"))
            await until(lambda: "locked" in str(ledger.health()["error"]))
        await until(lambda: ledger.health()["ok"])
        await ledger.aclose()
        return [row["id"] for row in attempts_of(tmp_path / "l.db")]

    assert asyncio.run(story()) == ["a"]


def test_a_failure_is_told_once_a_minute(clock: FakeClock) -> None:
    told: list[str] = []

    async def story() -> None:
        failures = Failures(clock, told.append)
        failures.bind(asyncio.get_running_loop())
        for seconds in (0.0, QUIET_S - 1, 1.0):
            clock.advance(seconds)
            failures.failed("store", f"at {clock.monotonic():.0f}")
            failures.worked("store")
        await asyncio.sleep(0)

    asyncio.run(story())

    assert told == ["at 1000", "at 1060"]


def test_kinds_of_failure_are_told_apart(clock: FakeClock) -> None:
    told: list[str] = []

    async def story() -> str | None:
        failures = Failures(clock, told.append)
        failures.bind(asyncio.get_running_loop())
        failures.failed("store", "full")
        failures.failed("journal", "gone")
        failures.worked("store")
        await asyncio.sleep(0)
        return failures.text()

    assert (asyncio.run(story()), told) == ("gone", ["full", "gone"])


def test_a_loop_that_is_closed_is_not_told(clock: FakeClock) -> None:
    failures = Failures(clock, print)
    loop = asyncio.new_event_loop()
    failures.bind(loop)
    loop.close()

    failures.failed("store", "full")

    assert failures.failing("store")
