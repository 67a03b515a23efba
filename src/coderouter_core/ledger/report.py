"""Read a ledger's file without being its router: for reports on the command line."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from coderouter_core.errors import ConfigError
from coderouter_core.ledger.rows import COLUMNS, Row, plain
from coderouter_core.ledger.schema import connect_to_read
from coderouter_core.ledger.traces import Trace, shown


def attempts_of(path: Path, limit: int = 1000) -> Sequence[Mapping[str, Any]]:
    """Attempts in the ledger at `path`, newest first, at most `limit`.

    What a running router recorded within the last second may be missing. `cost_usd` None is an unknown price.
    Raises `ConfigError` when there is no ledger, or when it cannot be read.
    """
    try:
        rows = select_attempts(path, limit)
    except sqlite3.Error as error:
        raise unreadable(path, error) from error
    return [plain(row) for row in rows]


def traces_of(path: Path, request_id: str | None = None, limit: int = 100) -> Sequence[Mapping[str, Any]]:
    """Traces in the ledger at `path`, newest first: `request_id`, `at` (Unix time), `facts`."""
    try:
        return [shown(trace) for trace in select_traces(path, limit, request_id)]
    except sqlite3.Error as error:
        raise unreadable(path, error) from error


def select_attempts(path: Path, limit: int, request_id: str | None = None) -> list[Row]:
    """The rows of `attempts_of`; of one request where it is named. Raises `sqlite3.Error`."""
    where, values = _of_request(request_id)
    statement = f"SELECT {', '.join(COLUMNS)} FROM attempts {where} ORDER BY started_at DESC, number DESC, id DESC LIMIT ?"  # noqa: S608
    with closing(connect_to_read(path)) as db:
        return db.execute(statement, (*values, limit)).fetchall()


def select_traces(path: Path, limit: int, request_id: str | None = None) -> list[Trace]:
    """The traces of `traces_of`. Raises `sqlite3.Error`."""
    where, values = _of_request(request_id)
    statement = f"SELECT request_id, at, facts FROM traces {where} ORDER BY number DESC LIMIT ?"  # noqa: S608
    with closing(connect_to_read(path)) as db:
        return db.execute(statement, (*values, limit)).fetchall()


def _of_request(request_id: str | None) -> tuple[str, tuple[str, ...]]:
    return ("", ()) if request_id is None else ("WHERE request_id = ?", (request_id,))


def unreadable(path: Path, error: sqlite3.Error) -> ConfigError:
    """That the ledger at `path` is not there, or why it cannot be read."""
    if not path.exists():
        return ConfigError(f"{path}: no ledger is there; a router that runs with it makes it")
    return ConfigError(f"{path}: the ledger cannot be read: {error}")
