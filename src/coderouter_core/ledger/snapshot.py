"""What guards read in a ledger's file, as a ledger of its own that can be changed and forgotten."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from coderouter_core.ledger.memory import MemoryLedger
from coderouter_core.ledger.report import unreadable
from coderouter_core.ledger.schema import connect_to_read
from coderouter_core.model import Clock


async def snapshot(path: Path, clock: Clock) -> MemoryLedger:
    """Counters, marks and what is held, as they are now in the file at `path`; empty where there is no file.

    Nothing is written to it. Raises `ConfigError` when it cannot be read.
    """
    counters, marks, held = _read(path, clock.utc().timestamp())
    ledger = MemoryLedger(clock)
    for name, value in counters:
        ledger.add(name, value)
    for key, left_s, ttl_s in marks:
        if left_s > 0:
            ledger.mark(key, min(left_s, ttl_s))
    for counter, amount in held:
        await ledger.reserve(counter, amount, math.inf)
    return ledger


def _read(path: Path, now: float) -> tuple[list[Any], list[Any], list[Any]]:
    """Counters, marks with the seconds that are left of them, and amounts that are held."""
    if not path.exists():
        return [], [], []
    try:
        with closing(connect_to_read(path)) as db:
            return (
                db.execute("SELECT name, value FROM counters").fetchall(),
                db.execute("SELECT key, expires_at - ?, ttl_s FROM marks", (now,)).fetchall(),
                db.execute("SELECT counter, amount FROM reservations").fetchall(),
            )
    except sqlite3.Error as error:
        raise unreadable(path, error) from error
