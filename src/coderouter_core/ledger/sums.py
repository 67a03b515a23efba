"""Add up what the attempts in a ledger's file used and cost."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

from coderouter_core.ledger.report import unreadable
from coderouter_core.ledger.rows import COLUMNS, Row
from coderouter_core.ledger.schema import connect_to_read

#: Groups of time, and how each is named in a time zone.
PERIODS: Mapping[str, str] = {"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}
#: Groups of other kinds, and the column that each is read from.
NAMES: Mapping[str, str] = {
    "provider": "provider",
    "profile": "profile",
    "model": "provider_model",
    "session": "session_id",
    "key": "client_key",
}
GROUPS = (*PERIODS, *NAMES)

#: Every zone's midnight is a multiple of so many seconds from the hour.
_QUARTER_S = 900


@frozen
class Sums:
    """Of some attempts. A request counts where its first attempt does in a sum by time, else wherever it was tried.

    `cost_usd` leaves out attempts of unknown price, which `unpriced` counts; those whose tokens were estimated
    are `estimated`, and `unsettled` those of which nobody knows the end.
    """

    requests: int = 0
    attempts: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float = 0.0
    savings_usd: float = 0.0
    unpriced: int = 0
    estimated: int = 0
    unsettled: int = 0

    def plus(self, other: Sums) -> Sums:
        return Sums(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


_COLUMNS = {
    "requests": "{requests}",
    "attempts": "count(*)",
    # An upstream may report any number, and a sum of large ones must not overflow.
    **{
        name: f"CAST(total({name}) AS INTEGER)"
        for name in attrs.fields_dict(Sums)
        if name.endswith("_tokens")
    },
    "cost_usd": "total(cost_usd)",
    "savings_usd": "total(savings_usd)",
    # A price is asked for whatever was used, by attempts that failed too: a cut answer has been billed.
    "unpriced": "count(*) FILTER (WHERE cost_usd IS NULL AND "
    "(outcome IN ('ok', 'broken', 'cancelled') OR outcome = 'failed' AND (usage_reported OR estimated)))",
    "estimated": "count(*) FILTER (WHERE estimated)",
    "unsettled": "count(*) FILTER (WHERE outcome IN ('started', 'unsettled'))",
}
_SELECT = (
    f"SELECT {{key}}, {', '.join(_COLUMNS.values())} FROM attempts INDEXED BY attempts_by_time "  # noqa: S608
    "WHERE started_at >= ? GROUP BY 1"
)
_FIRST_TRIES = "count(*) FILTER (WHERE number = 1)"
_TRIED = "count(DISTINCT request_id)"


def astuple(sums: Sums) -> tuple[Any, ...]:
    """The values, in the order of the fields."""
    return tuple(getattr(sums, name) for name in attrs.fields_dict(Sums))


def sums_of(
    path: Path, by: str, *, since: float = 0.0, zone: dt.tzinfo = dt.UTC
) -> tuple[Mapping[str, Sums], Sums]:
    """Sums of the ledger at `path` for each of the groups `by`, and of all together.

    `by` is one of `GROUPS`; periods are those of `zone`, oldest first, names come by cost, the dearest first; what has
    no name is ``-``. `since` is Unix time. Raises `ConfigError` when there is no ledger, or when it cannot be read.
    """
    try:
        with closing(connect_to_read(path)) as db:
            total = _read(db, "''", _TRIED, since)
            groups = _groups(db, by, since, zone)
    except sqlite3.Error as error:
        raise unreadable(path, error) from error
    return groups, total.get("", Sums())


def sums_of_rows(
    rows: Iterable[Row], by: str, *, since: float = 0.0, zone: dt.tzinfo = dt.UTC
) -> Mapping[str, Sums]:
    """The groups of `sums_of`, of attempts that are in no file."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(f"CREATE TABLE attempts ({', '.join(COLUMNS)})")
        db.execute("CREATE INDEX attempts_by_time ON attempts (started_at)")
        db.executemany(f"INSERT INTO attempts VALUES ({', '.join('?' * len(COLUMNS))})", rows)  # noqa: S608
        return _groups(db, by, since, zone)


def _groups(db: sqlite3.Connection, by: str, since: float, zone: dt.tzinfo) -> dict[str, Sums]:
    if by in PERIODS:
        quarters = _read(db, f"CAST(started_at / {_QUARTER_S} AS INTEGER)", _FIRST_TRIES, since)
        found = _together((_period(quarter, by, zone), sums) for quarter, sums in quarters.items())
        return dict(sorted(found.items()))
    named = _read(db, f"coalesce(nullif({NAMES[by]}, ''), '-')", _TRIED, since)
    return dict(sorted(named.items(), key=lambda each: (-each[1].cost_usd, each[0])))


def _read(db: sqlite3.Connection, key: str, requests: str, since: float) -> dict[Any, Sums]:
    rows = db.execute(_SELECT.format(key=key, requests=requests), (since,))
    return {name: Sums(*values) for name, *values in rows}


def _period(quarter: int, by: str, zone: dt.tzinfo) -> str:
    """The name of the period that a quarter of an hour lies in."""
    return f"{dt.datetime.fromtimestamp(quarter * _QUARTER_S, zone):{PERIODS[by]}}"


def _together(parts: Iterable[tuple[str, Sums]]) -> dict[str, Sums]:
    found: dict[str, Sums] = {}
    for name, sums in parts:
        found[name] = found[name].plus(sums) if name in found else sums
    return found
