"""An attempt as a row of plain values."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from typing import Any

from coderouter_core.model import Attempt, Outcome, Spender, month_of, spending

Value = str | int | float | None
Row = tuple[Value, ...]

#: The columns of an attempt and their SQL types, in the order of a row.
COLUMNS: Mapping[str, str] = {
    "id": "TEXT",
    "request_id": "TEXT",
    "session_id": "TEXT",
    "client_key": "TEXT",
    "profile": "TEXT",
    "provider": "TEXT",
    "number": "INTEGER",
    "dialect": "TEXT",
    "stream": "INTEGER",
    "model": "TEXT",
    "provider_model": "TEXT",
    "started_at": "REAL",
    "outcome": "TEXT",
    "status": "INTEGER",
    "error_kind": "TEXT",
    "error_text": "TEXT",
    "seconds": "REAL",
    "first_token_s": "REAL",
    "input_tokens": "INTEGER",
    "cache_read_tokens": "INTEGER",
    "cache_write_5m_tokens": "INTEGER",
    "cache_write_1h_tokens": "INTEGER",
    "output_tokens": "INTEGER",
    "reasoning_tokens": "INTEGER",
    "usage_reported": "INTEGER",
    "estimated": "INTEGER",
    "cost_usd": "REAL",
    "savings_usd": "REAL",
    "owner": "TEXT",
}

#: An upstream's error may quote a prompt; what is kept for reports is short.
ERROR_TEXT_MAX = 200

_FLAGS = ("stream", "usage_reported", "estimated")
_LARGEST = 2**63 - 1


def row_of(attempt: Attempt, owner: str) -> Row:
    """The row of `attempt`, written by `owner`. An unknown cost is None."""
    usage, cost = attempt.usage, attempt.cost
    return (
        clean(attempt.id),
        clean(attempt.request_id),
        _optional(attempt.session_id),
        _optional(attempt.client_key),
        clean(attempt.profile.name),
        clean(attempt.provider.name),
        attempt.number,
        attempt.dialect.value,
        attempt.stream,
        clean(attempt.model),
        clean(attempt.provider.model),
        attempt.started_at,
        attempt.outcome.value,
        attempt.status,
        _optional(attempt.error_kind),
        clean(attempt.error_text[:ERROR_TEXT_MAX]),
        attempt.seconds,
        attempt.first_token_s,
        _count(usage.input),
        _count(usage.cache_read),
        _count(usage.cache_write_5m),
        _count(usage.cache_write_1h),
        _count(usage.output),
        _count(usage.reasoning),
        usage.reported,
        attempt.estimated or (cost is not None and cost.estimated),
        None if cost is None else cost.usd,
        None if cost is None else cost.savings_usd,
        owner,
    )


def plain(row: Iterable[Any]) -> dict[str, Any]:
    """A row as the mapping that reports read."""
    values = dict(zip(COLUMNS, row, strict=True))
    for name in _FLAGS:
        values[name] = bool(values[name])
    return values


#: The columns of who spends, and an end that has no cost yet.
_SPENDERS = {
    Spender.PROVIDER: list(COLUMNS).index("provider"),
    Spender.PROFILE: list(COLUMNS).index("profile"),
    Spender.KEY: list(COLUMNS).index("client_key"),
}
_OPEN = (Outcome.STARTED.value, Outcome.UNSETTLED.value)


def spent_by(row: Row) -> list[tuple[str, float]]:
    """What the attempt of `row` adds to which counters of spending; nothing while it has not ended."""
    usd, at = row[_COST], row[_STARTED_AT]
    if row[_OUTCOME] in _OPEN or not isinstance(usd, int | float) or not 0 < usd < math.inf:
        return []
    try:
        month = month_of(dt.datetime.fromtimestamp(float(at or 0.0), dt.UTC))
    except (OverflowError, OSError, ValueError):
        return []
    named = ((spender, row[column]) for spender, column in _SPENDERS.items())
    return [(spending(spender, str(name), month), float(usd)) for spender, name in named if name is not None]


def newest_first(rows: Iterable[Row]) -> list[Row]:
    """Rows in the order of reports: the latest start first, later attempts of a request before earlier."""
    return sorted(rows, key=_newness, reverse=True)


def clean(text: str) -> str:
    """`text` without lone surrogates, which neither JSON nor a database takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


_STARTED_AT, _NUMBER, _OUTCOME, _COST = (
    list(COLUMNS).index(name) for name in ("started_at", "number", "outcome", "cost_usd")
)


def _newness(row: Row) -> tuple[Any, ...]:
    return row[_STARTED_AT] or 0.0, row[_NUMBER] or 0, row[0] or ""


def _optional(text: str | None) -> str | None:
    return None if text is None else clean(text)


def _count(tokens: int) -> int:
    """`tokens` in the range of a column: an upstream may report any number."""
    return tokens if 0 <= tokens <= _LARGEST else max(0, min(tokens, _LARGEST))
