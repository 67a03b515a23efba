"""What waits to be carried to the store, and what one transaction carries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from attrs import define, field, frozen

from coderouter_core.ledger.rows import COLUMNS, Row, spent_by
from coderouter_core.ledger.traces import Trace

#: Attempts, and traces, that may wait for a store that does not take them.
WAITING_MAX = 20_000


@frozen
class Mark:
    """A mark as workers share it: until when (Unix time), and how long it was to last."""

    expires_at: float
    ttl_s: float


@frozen
class Hold:
    """An amount of a counter that is held until it is released."""

    token: str
    counter: str
    amount: float


def holdable(amount: float) -> float:
    """`amount`, or nothing for one that is negative or no number: no hold makes room for others."""
    return amount if amount > 0 else 0.0


@define(eq=False)
class Batch:
    """Attempts by id, traces, what was added to counters, marks, holds taken and then released.

    `seq` is the number of the last record in it: a batch whose number the store knows was carried already.
    """

    rows: dict[str, Row] = field(factory=dict)
    traces: list[Trace] = field(factory=list)
    deltas: dict[str, float] = field(factory=dict)
    marks: dict[str, Mark] = field(factory=dict)
    holds: dict[str, Hold] = field(factory=dict)
    released: list[str] = field(factory=list)
    seq: int = 0

    def add(self, counter: str, amount: float) -> None:
        self.deltas[counter] = self.deltas.get(counter, 0.0) + amount

    def attempt(self, row: Row) -> None:
        """An attempt as it is now. What it cost is in the same record, so that neither is ever without the other."""
        self.rows[str(row[0])] = row
        for counter, usd in spent_by(row):
            self.add(counter, usd)

    def mark(self, key: str, mark: Mark) -> None:
        other = self.marks.get(key)
        if other is None or mark.expires_at > other.expires_at:
            self.marks[key] = mark

    def release(self, token: str) -> None:
        """Let go of a hold; one that was not carried yet need not be."""
        if self.holds.pop(token, None) is None:
            self.released.append(token)

    def trim(self) -> int:
        """Drop the oldest attempts and traces beyond the bound; how many were dropped.

        A quarter at a time, so that the cost of dropping is spread over many calls.
        """
        dropped = 0
        if len(self.rows) > WAITING_MAX:
            oldest = list(islice(self.rows, WAITING_MAX // 4))
            for key in oldest:
                del self.rows[key]
            dropped += len(oldest)
        if len(self.traces) > WAITING_MAX:
            del self.traces[: WAITING_MAX // 4]
            dropped += WAITING_MAX // 4
        return dropped


def replay(records: Iterable[Mapping[str, Any]], after: int) -> Batch:
    """The batch that `records` of a journal make, without those that were carried up to `after`.

    A record that is not what this house writes is passed over.
    """
    batch = Batch(seq=after)
    for record in records:
        seq = record.get("seq")
        if isinstance(seq, int) and seq > after:
            try:
                _REPLAY[record["kind"]](batch, record)
            except (KeyError, TypeError, ValueError):
                continue
            batch.seq = max(batch.seq, seq)
    return batch


def _attempt(batch: Batch, record: Mapping[str, Any]) -> None:
    values = tuple(record.get(name) for name in COLUMNS)
    if not record["id"] or not all(value is None or isinstance(value, str | int | float) for value in values):
        raise TypeError("not a row")
    batch.attempt(values)


def _trace(batch: Batch, record: Mapping[str, Any]) -> None:
    batch.traces.append((str(record["request_id"]), float(record["at"]), str(record["facts"])))


def _add(batch: Batch, record: Mapping[str, Any]) -> None:
    batch.add(str(record["counter"]), float(record["amount"]))


def _mark(batch: Batch, record: Mapping[str, Any]) -> None:
    batch.mark(str(record["key"]), Mark(float(record["expires_at"]), float(record["ttl_s"])))


_REPLAY = {"attempt": _attempt, "trace": _trace, "add": _add, "mark": _mark}
