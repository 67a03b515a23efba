"""What a process knows without asking the store: what it recorded lately, totals, marks, what it holds."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import orjson

from coderouter_core.ledger.batch import Batch, Hold, Mark
from coderouter_core.ledger.failures import Failures
from coderouter_core.ledger.journal import Journal
from coderouter_core.ledger.marks import Marks
from coderouter_core.ledger.rows import COLUMNS, Row
from coderouter_core.ledger.store import News
from coderouter_core.ledger.traces import Trace


class Book:
    """Written by the event loop, emptied by the carrier's thread; its lock is never held for I/O but the journal's.

    Everything recorded is in `_filling`, then in `_carrying`, then in the store, of whose totals the last
    ones read are `_known`. A total is the sum of the three.
    """

    def __init__(self, journal: Journal, failures: Failures) -> None:
        self._journal = journal
        self._failures = failures
        self._lock = threading.Lock()
        self._seq = 0
        self._filling = Batch()
        self._carrying: Batch | None = None
        self._known: dict[str, float] = {}
        self._marks = Marks()
        self._held: dict[str, Hold] = {}
        self._dropped = 0
        self._carried = 0

    def attempt(self, row: Row) -> None:
        """Record an attempt as it is now."""
        with self._lock:
            self._filling.attempt(row)
            self._record({"kind": "attempt", **dict(zip(COLUMNS, row, strict=True))})

    def trace(self, trace: Trace) -> None:
        """Record the way of a request."""
        request_id, at, facts = trace
        with self._lock:
            self._filling.traces.append(trace)
            self._record({"kind": "trace", "request_id": request_id, "at": at, "facts": facts})

    def add(self, counter: str, amount: float) -> None:
        """Add to a counter."""
        with self._lock:
            self._filling.add(counter, amount)
            self._record({"kind": "add", "counter": counter, "amount": amount})

    def mark(self, key: str, mark: Mark, now: float) -> None:
        """Set a mark, from the monotonic `now` on."""
        with self._lock:
            self._marks.set(key, now + mark.ttl_s, now)
            self._filling.mark(key, mark)
            self._record({"kind": "mark", "key": key, "expires_at": mark.expires_at, "ttl_s": mark.ttl_s})

    def total(self, counter: str) -> float:
        """A counter's value as far as it is known here."""
        with self._lock:
            carrying = self._carrying.deltas.get(counter, 0.0) if self._carrying is not None else 0.0
            return self._known.get(counter, 0.0) + carrying + self._filling.deltas.get(counter, 0.0)

    def marked(self, key: str, now: float) -> float:
        """Seconds a mark still lasts."""
        with self._lock:
            return self._marks.left(key, now)

    def fits(self, hold: Hold, cap: float) -> bool:
        """Whether `hold` would be admitted by what is known here, when the store cannot be asked."""
        held = sum(other.amount for other in self._held.values() if other.counter == hold.counter)
        return self.total(hold.counter) + held < cap

    def hold(self, hold: Hold, *, stored: bool) -> None:
        """Hold an amount that the store knows of, or is told of later."""
        self._held[hold.token] = hold
        if not stored:
            with self._lock:
                self._filling.holds[hold.token] = hold
                self._count()

    def release(self, token: str) -> None:
        """Let go of what is held by `token`, in the store too, in one transaction with what was added before."""
        self._held.pop(token, None)
        with self._lock:
            self._filling.release(token)
            self._count()

    def totals(self) -> dict[str, float]:
        """The store's totals as last read."""
        with self._lock:
            return dict(self._known)

    def waiting(self) -> tuple[dict[str, Row], list[Trace]]:
        """Attempts and traces that are not in the store, or were not a moment ago."""
        with self._lock:
            older = self._carrying or Batch()
            return older.rows | self._filling.rows, older.traces + self._filling.traces

    def take(self) -> Batch | None:
        """What is to be carried next: what could not be carried last time, before anything newer."""
        with self._lock:
            if self._carrying is None and self._filling.seq:
                self._carrying, self._filling = self._filling, Batch()
                self._journal.turn()
            return self._carrying

    def is_behind(self) -> bool:
        """Whether a batch was taken that could not be carried."""
        return self._carrying is not None

    def is_empty(self) -> bool:
        """Whether nothing waits to be carried."""
        return self._carrying is None and not self._filling.seq

    def turn(self) -> None:
        """Go on in the next segment of the journal."""
        with self._lock:
            self._journal.turn()

    def close(self) -> None:
        """Close the journal; it stays on disk when anything in it was not carried."""
        with self._lock:
            self._journal.close(keep=not self.is_empty())

    def learn(self, news: News, now: float, batch: Batch | None = None) -> None:
        """Take in what was read of the store, in one step with what was carried to it in that transaction."""
        with self._lock:
            self._known.update(news.counters)
            for key, left_s in news.marks:
                self._marks.set(key, now + left_s, now)
            if batch is not None:
                self._carrying = None
                self._carried += len(batch.rows)

    def figures(self) -> Mapping[str, int]:
        """What waits, what was carried, what was dropped, and marks, for metrics."""
        with self._lock:
            older = self._carrying or Batch()
            waiting = (
                len(older.rows) + len(older.traces) + len(self._filling.rows) + len(self._filling.traces)
            )
            figures = {"carried": self._carried, "waiting": waiting, "dropped": self._dropped}
            return {**figures, "marks": len(self._marks)}

    def _record(self, record: dict[str, Any]) -> None:
        """Put a record on disk. One that cannot be is carried all the same, if the process lives until then."""
        self._count()
        record["seq"] = self._seq
        self._dropped += self._filling.trim()
        try:
            self._journal.append(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE), self._seq)
        except OSError as error:
            self._failures.failed(
                "journal", f"ledger: the journal: {error}: what is recorded now is lost if the process dies"
            )
        else:
            self._failures.worked("journal")

    def _count(self) -> None:
        self._seq += 1
        self._filling.seq = self._seq
