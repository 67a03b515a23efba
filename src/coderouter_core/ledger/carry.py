"""The SQL that brings a batch into the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any

from coderouter_core.ledger.batch import Batch, Hold
from coderouter_core.ledger.rows import COLUMNS

#: The newest traces that are kept.
TRACES_KEPT = 10_000

#: Rows of one statement: every statement of this connection gives up the interpreter's lock once, and under load
#: takes milliseconds to get it back. 32 rows of an attempt stay below the 999 parameters that any SQLite takes.
_ROWS = 32

_KEY = ("id", "request_id")
_SET = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in _KEY)
_ATTEMPTS = f"INSERT INTO attempts VALUES {{rows}} ON CONFLICT (request_id, id) DO UPDATE SET {_SET}"  # noqa: S608
_TRACES = "INSERT INTO traces (request_id, at, facts) VALUES {rows}"
_COUNTERS = (
    "INSERT INTO counters VALUES {rows} ON CONFLICT (name) DO UPDATE SET value = value + excluded.value, "
    "version = excluded.version, changed_at = excluded.changed_at"
)
_SEED = "INSERT INTO counters VALUES {rows} ON CONFLICT (name) DO NOTHING"
_MARKS = (
    "INSERT INTO marks VALUES {rows} ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at, "
    "ttl_s = excluded.ttl_s, owner = excluded.owner, version = excluded.version "
    "WHERE excluded.expires_at > expires_at"
)
_HOLDS = "INSERT OR IGNORE INTO reservations VALUES {rows}"
_RELEASED = "DELETE FROM reservations WHERE token IN ({rows})"
_OWNER = "INSERT INTO owners VALUES (?, ?) ON CONFLICT (owner) DO UPDATE SET seq = excluded.seq"

_VERSION = "(SELECT version FROM store)"
_A_COUNTER = f"(?, ?, {_VERSION}, ?)"
_A_MARK = f"(?, ?, ?, ?, {_VERSION})"


def carry(db: sqlite3.Connection, batch: Batch, owner: str, now: float) -> None:
    """Bring `batch`, recorded by `owner`, into the database, within a transaction that writes. `now` is Unix time."""
    if batch.deltas or batch.marks:
        _next_version(db)
    put(db, _ATTEMPTS, f"({', '.join('?' * len(COLUMNS))})", batch.rows.values())
    if batch.traces:
        put(db, _TRACES, "(?, ?, ?)", batch.traces)
        db.execute("DELETE FROM traces WHERE number <= (SELECT max(number) FROM traces) - ?", (TRACES_KEPT,))
    put(db, _COUNTERS, _A_COUNTER, ((name, amount, now) for name, amount in batch.deltas.items()))
    put(db, _MARKS, _A_MARK, ((key, m.expires_at, m.ttl_s, owner) for key, m in batch.marks.items()))
    put_holds(db, batch.holds.values(), owner)
    put(db, _RELEASED, "?", ((token,) for token in batch.released))
    db.execute(_OWNER, (owner, batch.seq))


def seed(db: sqlite3.Connection, totals: Iterable[tuple[str, float]], now: float) -> None:
    """Give counters that the store does not have the values that were known of it."""
    _next_version(db)
    put(db, _SEED, _A_COUNTER, ((name, value, now) for name, value in totals))


def put_holds(db: sqlite3.Connection, holds: Iterable[Hold], owner: str) -> None:
    """Record what `owner` holds."""
    put(db, _HOLDS, "(?, ?, ?, ?)", ((hold.token, hold.counter, hold.amount, owner) for hold in holds))


def put(db: sqlite3.Connection, statement: str, shape: str, rows: Iterable[Sequence[Any]]) -> None:
    """Execute `statement` with as many rows of `shape` at a time as it takes."""
    waiting = iter(rows)
    while some := list(islice(waiting, _ROWS)):
        db.execute(statement.format(rows=", ".join([shape] * len(some))), list(chain.from_iterable(some)))


def _next_version(db: sqlite3.Connection) -> None:
    db.execute("UPDATE store SET version = version + 1")
