"""Time that a test turns."""

from __future__ import annotations

import datetime as dt


class FakeClock:
    """A `Clock` that stands still until it is told to go on."""

    def __init__(self, utc: dt.datetime = dt.datetime(2026, 1, 15, 12, tzinfo=dt.UTC)) -> None:
        self._utc = utc
        self._monotonic = 1000.0

    def monotonic(self) -> float:
        return self._monotonic

    def utc(self) -> dt.datetime:
        return self._utc

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass, on both faces."""
        if seconds < 0:
            raise ValueError(f"time does not go back, not by {seconds} s; use a new clock")
        self._monotonic += seconds
        self._utc += dt.timedelta(seconds=seconds)
