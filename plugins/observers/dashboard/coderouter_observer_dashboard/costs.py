"""What was spent, by day and month, as the ledger knows it."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from coderouter_core.api import Config, Router, Spender, spending

DAYS = 30
MONTHS = 12
#: Seconds for which what was read is fresh, and as a multiple of what the reading took: a ledger of many rows is not
#: read all the time because somebody looks.
FRESH_S = 1.0
FRESH_TIMES = 20.0
#: Seconds that the rest of the page waits for it; what was known before is shown meanwhile.
PATIENCE_S = 2.0

_SHOWN = ("requests", "cost_usd", "savings_usd", "unpriced")


class Costs:
    """`known` is what was read last: `days` and `months`, oldest first; `error` is why there is nothing."""

    def __init__(self, config: Config, router: Router) -> None:
        self._router = router
        self._zone = _zone(config.settings.display_timezone)
        self._stale_at: float | None = None
        self._reading: asyncio.Task[None] | None = None
        self._past: list[dict[str, Any]] = []
        self._past_until = ""
        self.known: Mapping[str, Any] = {"days": [], "months": [], "zone": str(self._zone), "error": None}

    def of_provider(self, name: str, month: str) -> float:
        """US dollars that a provider cost in a month, by all workers."""
        return self._router.ledger.total(spending(Spender.PROVIDER, name, month))

    async def refresh(self) -> None:
        """Read the ledger when what is known is old; who asks meanwhile waits for the same reading, not for ever."""
        if self._reading is None:
            if self._stale_at is not None and self._router.clock.monotonic() < self._stale_at:
                return
            self._reading = asyncio.create_task(self._read())
        await asyncio.wait({self._reading}, timeout=PATIENCE_S)

    async def _read(self) -> None:
        began = self._router.clock.monotonic()
        try:
            self.known = await asyncio.to_thread(self._sums)
        except Exception as error:
            # Whatever a ledger's store may raise, the rest of the page goes on.
            self.known = {**self.known, "error": f"the ledger cannot be read ({type(error).__name__})"}
        finally:
            now = self._router.clock.monotonic()
            self._stale_at = now + max(FRESH_S, FRESH_TIMES * (now - began))
            self._reading = None

    def _sums(self) -> dict[str, Any]:
        today = self._router.clock.utc().astimezone(self._zone).date()
        first_day = today - dt.timedelta(days=DAYS - 1)
        months = [_months_before(today, back) for back in reversed(range(MONTHS))]
        days = [first_day + dt.timedelta(days=at) for at in range(DAYS)]
        names = [f"{month:%Y-%m}" for month in months]
        # What is past does not change; a year is read once a month, not every time somebody looks.
        if self._past_until != names[-1]:
            self._past = self._groups("month", names[:-1], months[0])
            self._past_until = names[-1]
        return {
            "days": self._groups("day", [day.isoformat() for day in days], first_day),
            "months": [*self._past, *self._groups("month", names[-1:], months[-1])],
            "zone": str(self._zone),
            "error": None,
        }

    def _groups(self, by: str, names: list[str], first: dt.date) -> list[dict[str, Any]]:
        since = dt.datetime.combine(first, dt.time(), self._zone).timestamp()
        found = self._router.ledger.sums(by, since, self._zone)
        return [{by: name, **{key: found.get(name, {}).get(key, 0) for key in _SHOWN}} for name in names]


def _months_before(day: dt.date, back: int) -> dt.date:
    """The first of the month `back` months ago."""
    number = day.year * 12 + day.month - 1 - back
    return dt.date(number // 12, number % 12 + 1, 1)


def _zone(name: str | None) -> dt.tzinfo:
    return ZoneInfo(name) if name else dt.UTC
