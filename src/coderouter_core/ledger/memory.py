"""A ledger that forgets everything with its process: for tests, and for those who want no file."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from coderouter_core.ledger.batch import holdable
from coderouter_core.ledger.marks import Marks
from coderouter_core.ledger.rows import Row, newest_first, plain, row_of, spent_by
from coderouter_core.ledger.sums import sums_of_rows
from coderouter_core.ledger.traces import Trace, encode_facts, shown
from coderouter_core.model import Attempt, Clock

#: The newest that are kept, of attempts and of traces.
KEPT = 10_000


class MemoryLedger:
    """Attempts, counters, marks and reservations of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: OrderedDict[str, Row] = OrderedDict()
        self._traces: OrderedDict[int, Trace] = OrderedDict()
        self._totals: dict[str, float] = {}
        self._marks = Marks()
        self._held: dict[str, tuple[str, float]] = {}
        self._numbers = itertools.count(1)

    async def open(self) -> None:
        """Nothing to make ready."""

    async def aclose(self) -> None:
        """Nothing to let go of."""

    def start(self, attempt: Attempt) -> None:
        row = self._rows[attempt.id] = row_of(attempt, "memory")
        for counter, usd in spent_by(row):
            self.add(counter, usd)
        while len(self._rows) > KEPT:
            self._rows.popitem(last=False)

    settle = start

    def trace(self, request_id: str, facts: Mapping[str, Any]) -> None:
        at = self._clock.utc().timestamp()
        self._traces[next(self._numbers)] = (request_id, at, encode_facts(facts).decode())
        while len(self._traces) > KEPT:
            self._traces.popitem(last=False)

    def traces(self, request_id: str | None = None, limit: int = 100) -> Sequence[Mapping[str, Any]]:
        """Recorded traces, newest first: `request_id`, `at` (Unix time), `facts`."""
        found = [trace for trace in reversed(list(self._traces.values())) if request_id in (None, trace[0])]
        return [shown(trace) for trace in found[:limit]]

    def add(self, counter: str, amount: float) -> None:
        if math.isfinite(amount):
            self._totals[counter] = self._totals.get(counter, 0.0) + amount

    def total(self, counter: str) -> float:
        return self._totals.get(counter, 0.0)

    async def reserve(self, counter: str, amount: float, cap: float) -> str | None:
        held = sum(money for name, money in self._held.values() if name == counter)
        if not self.total(counter) + held < cap:
            return None
        token = f"memory:{next(self._numbers)}"
        self._held[token] = (counter, holdable(amount))
        return token

    def release(self, token: str) -> None:
        self._held.pop(token, None)

    def mark(self, key: str, ttl_s: float) -> None:
        if math.isfinite(ttl_s):
            now = self._clock.monotonic()
            self._marks.set(key, now + ttl_s, now)

    def marked(self, key: str) -> float:
        return self._marks.left(key, self._clock.monotonic())

    def attempts(self, request_id: str | None = None, limit: int = 1000) -> Sequence[Mapping[str, Any]]:
        found = [row for row in self._rows.values() if request_id in (None, row[1])]
        return [plain(row) for row in newest_first(found)[:limit]]

    def sums(self, by: str, since: float = 0.0, zone: dt.tzinfo = dt.UTC) -> Mapping[str, Mapping[str, Any]]:
        found = sums_of_rows(list(self._rows.values()), by, since=since, zone=zone)
        return {name: attrs.asdict(sums) for name, sums in found.items()}

    def health(self) -> Mapping[str, Any]:
        figures = {"attempts": len(self._rows), "traces": len(self._traces), "marks": len(self._marks)}
        return {"ok": True, "kind": "memory", **figures}
