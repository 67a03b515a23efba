"""Reading a ledger's file without a router."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from coderouter_core.errors import ConfigError
from coderouter_core.ledger import SqliteLedger, attempts_of, traces_of
from coderouter_core.model import Attempt, Dialect, Profile, Provider
from coderouter_core.testing import FakeClock


def written(path: Path, clock: FakeClock) -> Path:
    """A ledger with attempts 0 to 5, each a second after the last, by turns of two providers."""

    async def story() -> None:
        async with aclosing(SqliteLedger(path, clock, print)) as ledger:
            await ledger.open()
            for at in range(6):
                provider, profile = Provider(("local", "cloud")[at % 2]), Profile("main", ())
                ledger.settle(
                    Attempt(str(at), f"req_{at // 2}", profile, provider, 1, Dialect.CHAT, True, float(at))
                )
            ledger.trace("req_1", {"chain": ["local", "cloud"]})

    asyncio.run(story())
    return path


def test_attempts_come_newest_first(tmp_path: Path, clock: FakeClock) -> None:
    path = written(tmp_path / "l.db", clock)

    assert [row["id"] for row in attempts_of(path, limit=2)] == ["5", "4"]


def test_a_path_may_hold_what_means_something_in_a_url(tmp_path: Path, clock: FakeClock) -> None:
    assert len(attempts_of(written(tmp_path / "50%?#é.db", clock))) == 6


def test_traces_of_a_request(tmp_path: Path, clock: FakeClock) -> None:
    path = written(tmp_path / "l.db", clock)

    assert [trace["facts"] for trace in traces_of(path, "req_1")] == [{"chain": ["local", "cloud"]}]


def test_a_report_writes_nothing(tmp_path: Path, clock: FakeClock) -> None:
    path = written(tmp_path / "l.db", clock)
    before = path.read_bytes()
    attempts_of(path)

    assert path.read_bytes() == before


def test_a_report_of_no_ledger_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no ledger is there; a router that runs with it makes it"):
        attempts_of(tmp_path / "none.db")


def test_a_report_makes_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        attempts_of(tmp_path / "none.db")

    assert list(tmp_path.iterdir()) == []


def test_a_report_of_what_is_no_ledger_says_so(tmp_path: Path) -> None:
    (tmp_path / "l.db").write_text("a shopping list, " * 100)

    with pytest.raises(ConfigError, match="the ledger cannot be read: file is not a database"):
        traces_of(tmp_path / "l.db")
