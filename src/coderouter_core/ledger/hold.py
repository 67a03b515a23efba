"""Holding an amount of a counter, atomically across processes."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Collection, Iterable

from attrs import define

from coderouter_core.ledger.batch import Hold
from coderouter_core.ledger.carry import put_holds

_SPENT = (
    "SELECT coalesce((SELECT value FROM counters WHERE name = ?1), 0.0)"
    " + coalesce((SELECT sum(amount) FROM reservations WHERE counter = ?1), 0.0)"
)


@define(eq=False)
class Ask:
    """One wish to hold. `answer` is True or False, or None when the store could not be asked."""

    hold: Hold
    cap: float
    answer: asyncio.Future[bool | None]


def answer(ask: Ask, admitted: bool | None) -> None:
    """Tell who asked, in its loop, from any thread."""
    # The loop may be closed: then nobody waits any more, and the hold ends with this process.
    with contextlib.suppress(RuntimeError):
        ask.answer.get_loop().call_soon_threadsafe(_settle, ask.answer, admitted)


def admit(db: sqlite3.Connection, asks: Iterable[Ask], owner: str, released: Collection[str]) -> list[bool]:
    """Which of `asks` are admitted, in order: each while its counter and all that is held of it is below its cap.

    One whose token is `released` already is not: who asked has left. Within a transaction that writes, after
    everything that is known of counters was brought in.
    """
    spent: dict[str, float] = {}
    answers: list[bool] = []
    holds: list[Hold] = []
    for ask in asks:
        counter = ask.hold.counter
        if counter not in spent:
            spent[counter] = float(db.execute(_SPENT, (counter,)).fetchone()[0])
        answers.append(spent[counter] < ask.cap and ask.hold.token not in released)
        if answers[-1]:
            holds.append(ask.hold)
            spent[counter] += ask.hold.amount
    put_holds(db, holds, owner)
    return answers


def _settle(answer: asyncio.Future[bool | None], admitted: bool | None) -> None:
    if not answer.done():
        answer.set_result(admitted)
