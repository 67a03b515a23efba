"""The tables of a ledger's database, and the connection to it."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sqlite3
from pathlib import Path

from coderouter_core.errors import ConfigError, Problem
from coderouter_core.ledger.folders import open_file

#: How long one transaction waits for another process's, in seconds.
BUSY_S = 2.0
#: "CRlg", which tells a ledger from the database of another program.
APPLICATION_ID = 0x43526C67

_VERSION_1 = (
    # Spelled out: what an old version made does not change with what the present one writes.
    "CREATE TABLE attempts (id TEXT, request_id TEXT, session_id TEXT, client_key TEXT, profile TEXT, provider TEXT, "
    "number INTEGER, dialect TEXT, stream INTEGER, model TEXT, provider_model TEXT, started_at REAL, outcome TEXT, "
    "status INTEGER, error_kind TEXT, error_text TEXT, seconds REAL, first_token_s REAL, input_tokens INTEGER, "
    "cache_read_tokens INTEGER, cache_write_5m_tokens INTEGER, cache_write_1h_tokens INTEGER, output_tokens INTEGER, "
    "reasoning_tokens INTEGER, usage_reported INTEGER, estimated INTEGER, cost_usd REAL, savings_usd REAL, owner TEXT)",
    "CREATE UNIQUE INDEX attempts_by_request ON attempts (request_id, id)",
    "CREATE INDEX attempts_by_time ON attempts (started_at)",
    "CREATE INDEX attempts_by_provider ON attempts (provider, started_at)",
    "CREATE INDEX attempts_in_flight ON attempts (owner) WHERE outcome = 'started'",
    "CREATE TABLE traces (number INTEGER PRIMARY KEY, request_id TEXT, at REAL, facts TEXT)",
    "CREATE INDEX traces_by_request ON traces (request_id)",
    # `version` grows with every transaction that writes: others read what is newer than what they have seen.
    "CREATE TABLE store (version INTEGER)",
    "INSERT INTO store VALUES (0)",
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value REAL, version INTEGER, changed_at REAL)",
    "CREATE INDEX counters_by_version ON counters (version)",
    "CREATE TABLE marks (key TEXT PRIMARY KEY, expires_at REAL, ttl_s REAL, owner TEXT, version INTEGER)",
    "CREATE INDEX marks_by_version ON marks (version)",
    "CREATE TABLE reservations (token TEXT PRIMARY KEY, counter TEXT, amount REAL, owner TEXT)",
    "CREATE INDEX reservations_by_counter ON reservations (counter)",
    # `seq` is the last record of the owner's journal that is in the other tables.
    "CREATE TABLE owners (owner TEXT PRIMARY KEY, seq INTEGER)",
)

# Counters of spending that `settle` keeps since, for what was settled before.
_SPENT = (
    "INSERT INTO counters SELECT 'spent:{spender}:' || {column} || ':' || strftime('%Y-%m', started_at, 'unixepoch'), "
    "sum(cost_usd), (SELECT version FROM store), max(started_at) FROM attempts "
    "WHERE cost_usd > 0 AND {column} IS NOT NULL AND outcome NOT IN ('started', 'unsettled') "
    "GROUP BY {column}, strftime('%Y-%m', started_at, 'unixepoch')"
)
_VERSION_2 = (
    "CREATE INDEX traces_by_time ON traces (at)",
    "UPDATE store SET version = version + 1",
    *(
        _SPENT.format(spender=spender, column=column)
        for spender, column in (("provider", "provider"), ("profile", "profile"), ("key", "client_key"))
    ),
)

#: What brings a database from version n to n + 1, for each n from 0.
MIGRATIONS: tuple[tuple[str, ...], ...] = (_VERSION_1, _VERSION_2)
VERSION = len(MIGRATIONS)


class Damaged(sqlite3.DatabaseError):
    """The file is no database any more."""


def connect(path: Path, *, thorough: bool) -> sqlite3.Connection:
    """A connection to the ledger at `path`, which is made, or brought to this version.

    `thorough` reads every page and index for damage. Raises `sqlite3.DatabaseError` for a file that is damaged or cannot be
    reached, `ConfigError` for one that is not ours or newer than we are.
    """
    os.close(open_file(path, os.O_RDWR))
    db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _check(db, path, thorough=thorough)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA journal_size_limit = 16777216")
        _migrate(db)
    except BaseException:
        db.close()
        raise
    return db


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection to the ledger at `path` that cannot write. Raises as `connect` does."""
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)
    try:
        _check(db, path, thorough=False)
    except BaseException:
        db.close()
        raise
    return db


def _check(db: sqlite3.Connection, path: Path, *, thorough: bool) -> None:
    version = _number(db, "PRAGMA user_version")
    if version > VERSION:
        raise ConfigError(
            Problem(
                f"{path}: was written by a newer coderouter (schema {version}, this one knows {VERSION}): "
                "upgrade coderouter-core, or name another file",
                path="ledger.url",
            )
        )
    foreign = _number(db, "PRAGMA application_id") != APPLICATION_ID
    if foreign and (version or _number(db, "SELECT count(*) FROM sqlite_master")):
        raise ConfigError(
            Problem(f"{path}: is the database of another program: name another file", path="ledger.url")
        )
    if thorough and (found := db.execute("PRAGMA integrity_check(1)").fetchone()) != ("ok",):
        raise Damaged(found[0] if found else "it cannot be read")


def _migrate(db: sqlite3.Connection) -> None:
    if _number(db, "PRAGMA user_version") == VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        for statements in MIGRATIONS[_number(db, "PRAGMA user_version") :]:
            for statement in statements:
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        db.rollback()
        raise
    db.execute("COMMIT")


def is_damage(error: BaseException) -> bool:
    """Whether `error` says that the file itself is broken, not that it cannot be reached just now."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, Damaged) or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_aside(path: Path, at: dt.datetime) -> Path:
    """Move a damaged database away, with what belongs to it; where it is now."""
    aside = path.with_name(f"{path.name}.corrupt-{at:%Y%m%dT%H%M%S%fZ}")
    for suffix in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")
    return aside


def _number(db: sqlite3.Connection, statement: str) -> int:
    return int(db.execute(statement).fetchone()[0])
