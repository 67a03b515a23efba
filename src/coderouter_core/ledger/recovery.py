"""Take over what a dead process left, and drop what is older than it is kept."""

from __future__ import annotations

import sqlite3

from coderouter_core.ledger.batch import replay
from coderouter_core.ledger.carry import carry
from coderouter_core.ledger.journal import records
from coderouter_core.ledger.owners import Seized
from coderouter_core.model import Outcome

#: No month is longer, so that what is kept for a month outlives every budget of that month.
MONTH_S = 31 * 86_400.0
#: A sweep drops so many attempts at most; the next one goes on.
_DROPPED = 5_000


def recover(db: sqlite3.Connection, left: Seized, now: float) -> None:
    """Bring in the journal of a dead process; what it had in flight is unsettled, what it held is free.

    Raises OSError, with nothing written, when the journal cannot be read.
    """
    known = db.execute("SELECT seq FROM owners WHERE owner = ?", (left.owner,)).fetchone()
    batch = replay(records(left.segments), known[0] if known else 0)
    carry(db, batch, left.owner, now)
    settle_dead(db, left.owner)
    if left.is_empty:
        # Not before the journal is gone: until then `seq` keeps it from being brought in twice.
        db.execute("DELETE FROM owners WHERE owner = ?", (left.owner,))


def settle_dead(db: sqlite3.Connection, owner: str) -> None:
    """Nothing of `owner` is in flight, and nothing is held by it."""
    db.execute(
        "UPDATE attempts SET outcome = ? WHERE owner = ? AND outcome = 'started'",
        (Outcome.UNSETTLED.value, owner),
    )
    db.execute("DELETE FROM reservations WHERE owner = ?", (owner,))


def registered(db: sqlite3.Connection) -> set[str]:
    """The processes that wrote to this database and were not taken over."""
    return {owner for (owner,) in db.execute("SELECT owner FROM owners")}


def prune(db: sqlite3.Connection, now: float, kept_s: float) -> None:
    """Drop attempts, traces and counters that nobody touched for `kept_s`, and marks that ran out."""
    oldest = now - kept_s
    db.execute(
        "DELETE FROM attempts WHERE rowid IN (SELECT rowid FROM attempts WHERE started_at < ? LIMIT ?)",
        (oldest, _DROPPED),
    )
    db.execute(
        "DELETE FROM traces WHERE rowid IN (SELECT rowid FROM traces WHERE at < ? LIMIT ?)",
        (oldest, _DROPPED),
    )
    db.execute("DELETE FROM counters WHERE changed_at < ?", (oldest,))
    db.execute("DELETE FROM marks WHERE expires_at < ?", (now,))
