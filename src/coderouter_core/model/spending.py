"""Whose spending is counted, and the ledger's counters that hold it."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum


class Spender(StrEnum):
    """Through whom money is spent: a provider, a profile, or a client's key."""

    PROVIDER = "provider"
    PROFILE = "profile"
    KEY = "key"


def month_of(at: dt.datetime) -> str:
    """The calendar month of `at` (aware) in UTC, as ``2026-01``."""
    utc = at.astimezone(dt.UTC)
    return f"{utc.year:04d}-{utc.month:02d}"


def spending(spender: Spender, name: str, month: str) -> str:
    """The counter of the US dollars that `name` spent in `month`.

    The ledger keeps it: `Ledger.settle` adds the cost of an attempt to the counters of its provider, its
    profile and its client key, in the month in which the attempt began.
    """
    return f"spent:{spender.value}:{name}:{month}"
