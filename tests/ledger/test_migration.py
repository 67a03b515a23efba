"""A file that an older version wrote."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import aclosing, closing
from pathlib import Path

import pytest

from coderouter_core.ledger import SqliteLedger, attempts_of
from coderouter_core.ledger.rows import COLUMNS
from coderouter_core.ledger.schema import APPLICATION_ID, MIGRATIONS, VERSION, connect
from coderouter_core.model import Spender, spending
from coderouter_core.testing import FakeClock

#: The schema of version 1, as it was.
VERSION_1 = """
CREATE TABLE attempts (id TEXT, request_id TEXT, session_id TEXT, client_key TEXT, profile TEXT, provider TEXT,
    number INTEGER, dialect TEXT, stream INTEGER, model TEXT, provider_model TEXT, started_at REAL, outcome TEXT,
    status INTEGER, error_kind TEXT, error_text TEXT, seconds REAL, first_token_s REAL, input_tokens INTEGER,
    cache_read_tokens INTEGER, cache_write_5m_tokens INTEGER, cache_write_1h_tokens INTEGER, output_tokens INTEGER,
    reasoning_tokens INTEGER, usage_reported INTEGER, estimated INTEGER, cost_usd REAL, savings_usd REAL, owner TEXT);
CREATE UNIQUE INDEX attempts_by_request ON attempts (request_id, id);
CREATE INDEX attempts_by_time ON attempts (started_at);
CREATE INDEX attempts_by_provider ON attempts (provider, started_at);
CREATE INDEX attempts_in_flight ON attempts (owner) WHERE outcome = 'started';
CREATE TABLE traces (number INTEGER PRIMARY KEY, request_id TEXT, at REAL, facts TEXT);
CREATE INDEX traces_by_request ON traces (request_id);
CREATE TABLE store (version INTEGER);
INSERT INTO store VALUES (0);
CREATE TABLE counters (name TEXT PRIMARY KEY, value REAL, version INTEGER, changed_at REAL);
CREATE INDEX counters_by_version ON counters (version);
CREATE TABLE marks (key TEXT PRIMARY KEY, expires_at REAL, ttl_s REAL, owner TEXT, version INTEGER);
CREATE INDEX marks_by_version ON marks (version);
CREATE TABLE reservations (token TEXT PRIMARY KEY, counter TEXT, amount REAL, owner TEXT);
CREATE INDEX reservations_by_counter ON reservations (counter);
CREATE TABLE owners (owner TEXT PRIMARY KEY, seq INTEGER);
PRAGMA user_version = 1;
"""

#: What was recorded: id, client key, provider, start, outcome, dollars.
RECORDED = [
    ("a", "ada", "cloud", "2026-01-31T23:59:59", "ok", 1.0),
    ("b", None, "cloud", "2026-02-01T00:00:00", "cancelled", 0.5),
    ("c", "ada", "cloud", "2026-01-02T00:00:00", "ok", 2.0),
    ("d", "ada", "cloud", "2026-01-02T00:00:00", "unsettled", 4.0),
    ("e", "ada", "local", "2026-01-02T00:00:00", "ok", None),
]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(VERSION_1)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.executemany(
            "INSERT INTO attempts (id, request_id, client_key, profile, provider, number, started_at, outcome, cost_usd)"
            " VALUES (?1, 'r', ?2, 'main', ?3, 1, unixepoch(?4), ?5, ?6)",
            RECORDED,
        )
        db.commit()
    return path


def test_what_was_spent_before_is_known(old: Path, clock: FakeClock) -> None:
    wanted = [
        (Spender.PROVIDER, "cloud", "2026-01"),
        (Spender.PROVIDER, "cloud", "2026-02"),
        (Spender.PROVIDER, "local", "2026-01"),
        (Spender.PROFILE, "main", "2026-01"),
        (Spender.KEY, "ada", "2026-01"),
        (Spender.KEY, "ada", "2026-02"),
    ]

    async def story() -> list[float]:
        async with aclosing(SqliteLedger(old, clock, print, retention_months=1000)) as ledger:
            await ledger.open()
            return [ledger.total(spending(*who)) for who in wanted]

    assert asyncio.run(story()) == [3.0, 0.5, 0.0, 3.0, 3.0, 0.0]


def test_attempts_are_still_there(old: Path) -> None:
    connect(old, thorough=True).close()

    assert {row["id"] for row in attempts_of(old)} == {"a", "b", "c", "d", "e"}


def test_a_report_reads_an_old_file_as_it_is(old: Path) -> None:
    attempts_of(old)

    with closing(sqlite3.connect(old)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)


def test_it_is_brought_to_this_version_once(old: Path) -> None:
    for _ in range(2):
        connect(old, thorough=False).close()

    with closing(sqlite3.connect(old)) as db:
        spent = db.execute("SELECT sum(value) FROM counters WHERE name LIKE 'spent:provider:%'").fetchone()
        assert (db.execute("PRAGMA user_version").fetchone(), spent) == ((VERSION,), (3.5,))


def test_a_migration_that_fails_changes_nothing(old: Path) -> None:
    with closing(sqlite3.connect(old)) as db:
        db.execute("CREATE INDEX traces_by_time ON traces (facts)")

    with pytest.raises(sqlite3.OperationalError):
        connect(old, thorough=False)

    with closing(sqlite3.connect(old)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT name FROM counters").fetchall() == []


@pytest.mark.parametrize("version", range(1, VERSION))
def test_every_version_has_its_way_to_this_one(version: int, tmp_path: Path) -> None:
    shapes = []
    for made_by in (version, VERSION):
        path = tmp_path / f"{made_by}.db"
        with closing(sqlite3.connect(path)) as db:
            for statements in MIGRATIONS[:made_by]:
                for statement in statements:
                    db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {made_by}")
            db.commit()
        with closing(connect(path, thorough=True)) as db:
            shapes.append(db.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall())

    assert shapes[0] == shapes[1]


def test_a_new_file_has_the_columns_that_are_written(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "l.db", thorough=False)) as db:
        columns = [(name, kind) for _, name, kind, *_ in db.execute("PRAGMA table_info (attempts)")]

    assert columns == list(COLUMNS.items())
