"""The ledger in a SQLite file, which many processes share and which survives their death."""

from __future__ import annotations

import asyncio
import datetime as dt
import errno
import itertools
import math
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from coderouter_core.errors import ConfigError, Problem
from coderouter_core.ledger.batch import Hold, Mark, holdable
from coderouter_core.ledger.book import Book
from coderouter_core.ledger.carrier import Carrier
from coderouter_core.ledger.failures import Failures
from coderouter_core.ledger.folders import make_folder
from coderouter_core.ledger.hold import Ask
from coderouter_core.ledger.journal import Journal
from coderouter_core.ledger.owners import Owners
from coderouter_core.ledger.report import select_attempts, select_traces
from coderouter_core.ledger.rows import clean, newest_first, plain, row_of
from coderouter_core.ledger.store import Store
from coderouter_core.ledger.sums import sums_of
from coderouter_core.ledger.traces import encode_facts, shown
from coderouter_core.model import Attempt, Clock

#: A month can be compared with that of the year before.
RETENTION_MONTHS = 13
#: Seconds after which a reservation is decided from memory, because the store does not answer.
PATIENCE_S = 5.0

#: What may pass, or be mended while the router serves: a disk that is full or read-only, a file that is not ours to
#: write. Whatever else is wrong with the place is a mistake in its name, and ends the start.
_PASSES = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EIO,
        errno.EBUSY,
        errno.EMFILE,
        errno.ENFILE,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
    }
)
_PERMANENT = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH)


class SqliteLedger:
    """Attempts, counters, marks and reservations in the file `path`, used from one event loop.

    Beside the file stands ``NAME.journals``, where each process appends what it records at once; a thread
    carries it into the database four times a second. A store that fails costs no request: recording goes on in
    memory, within bounds, totals are the last known, and reservations are decided by them. What is older than
    `retention_months` of 31 days is dropped.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        on_failure: Callable[[str], None],
        *,
        retention_months: int = RETENTION_MONTHS,
    ) -> None:
        self.path = path
        self._clock = clock
        self._failures = Failures(clock, on_failure)
        self._owners = Owners(path.with_name(f"{path.name}.journals"))
        self._journal = Journal(self._owners.folder, self._owners.name)
        self._book = Book(self._journal, self._failures)
        self._store = Store(path, self._owners, clock, self._failures.tell, retention_months)
        self._carrier = Carrier(self._book, self._journal, self._owners, self._store, self._failures, clock)
        self._numbers = itertools.count(1)

    async def open(self) -> None:
        """Make ready, and take over what dead processes left.

        Raises `ConfigError` when there can be no file at the place, when the file is another program's, or written by
        a newer version. A damaged file is moved aside; one that cannot be written is told of and tried again.
        """
        self._failures.bind(asyncio.get_running_loop())
        await asyncio.to_thread(self._open)
        self._carrier.start()

    async def aclose(self) -> None:
        """Carry everything, then let go. What cannot be carried stays in the journal for the next start."""
        await asyncio.to_thread(self._carrier.stop)

    def start(self, attempt: Attempt) -> None:
        self._book.attempt(row_of(attempt, self._owners.name))

    settle = start

    def trace(self, request_id: str, facts: Mapping[str, Any]) -> None:
        self._book.trace((clean(request_id), self._now(), encode_facts(facts).decode()))

    def traces(self, request_id: str | None = None, limit: int = 100) -> Sequence[Mapping[str, Any]]:
        """Recorded traces, newest first: `request_id`, `at` (Unix time), `facts`."""
        waiting = [trace for trace in reversed(self._book.waiting()[1]) if request_id in (None, trace[0])]
        try:
            waiting += select_traces(self.path, limit, request_id)
        except (sqlite3.Error, ConfigError) as error:
            self._unread(error)
        # One that was carried while this was read is in both.
        return [shown(trace) for trace in list(dict.fromkeys(waiting))[:limit]]

    def add(self, counter: str, amount: float) -> None:
        if math.isfinite(amount):
            self._book.add(clean(counter), amount)

    def total(self, counter: str) -> float:
        return self._book.total(clean(counter))

    async def reserve(self, counter: str, amount: float, cap: float) -> str | None:
        """As `Ledger.reserve`; decided by what is known in this process while the store cannot be asked."""
        hold = Hold(f"{self._owners.name}:{next(self._numbers)}", clean(counter), holdable(amount))
        admitted = await self._ask(hold, cap)
        if admitted is None:
            if not self._book.fits(hold, cap):
                self._book.release(hold.token)
                return None
            self._book.hold(hold, stored=False)
        elif admitted:
            self._book.hold(hold, stored=True)
        return hold.token if admitted is not False else None

    def release(self, token: str) -> None:
        self._book.release(token)

    def mark(self, key: str, ttl_s: float) -> None:
        if math.isfinite(ttl_s) and ttl_s > 0:
            self._book.mark(clean(key), Mark(self._now() + ttl_s, ttl_s), self._clock.monotonic())

    def marked(self, key: str) -> float:
        return self._book.marked(clean(key), self._clock.monotonic())

    def attempts(self, request_id: str | None = None, limit: int = 1000) -> Sequence[Mapping[str, Any]]:
        """As `Ledger.attempts`. Reads the file, some milliseconds for a thousand; may be called in a thread."""
        rows = {key: row for key, row in self._book.waiting()[0].items() if request_id in (None, row[1])}
        try:
            rows = {str(row[0]): row for row in select_attempts(self.path, limit, request_id)} | rows
        except (sqlite3.Error, ConfigError) as error:
            self._unread(error)
        return [plain(row) for row in newest_first(rows.values())[:limit]]

    def sums(self, by: str, since: float = 0.0, zone: dt.tzinfo = dt.UTC) -> Mapping[str, Mapping[str, Any]]:
        """As `Ledger.sums`. Raises `ConfigError` when the file cannot be read."""
        found, _ = sums_of(self.path, by, since=since, zone=zone)
        return {name: attrs.asdict(sums) for name, sums in found.items()}

    def health(self) -> Mapping[str, Any]:
        """`ok`, `error` (what fails, or None), and figures: attempts and traces `waiting` for the store and `dropped`
        because it took none for too long, attempts `carried`, `marks`, the journal's `segments` and `journal_bytes`."""
        error = self._failures.text()
        return {
            "ok": error is None,
            "error": error,
            "kind": "sqlite",
            "path": str(self.path),
            **self._book.figures(),
            **self._journal.figures(),
        }

    async def _ask(self, hold: Hold, cap: float) -> bool | None:
        if self._failures.failing("store") or not self._carrier.is_running():
            return None
        ask = Ask(hold, cap, asyncio.get_running_loop().create_future())
        self._carrier.ask(ask)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await ask.answer
        except TimeoutError:
            return None
        except asyncio.CancelledError:
            self._book.release(hold.token)
            raise

    def _open(self) -> None:
        try:
            make_folder(self._owners.folder)
            self._owners.claim()
            self._journal.prepare()
            self._book.turn()
        except OSError as error:
            if error.errno not in _PASSES:
                self._owners.leave(remove_file=True)
                raise self._unusable(error) from error
            self._failures.failed(
                "files", f"ledger: {error}: what is recorded now is lost if the process dies"
            )
        try:
            self._store.open({})
            self._book.learn(self._store.look(), self._clock.monotonic())
        except (sqlite3.Error, OSError, ConfigError) as error:
            self._store.close(error)
            if not self._may_pass(error):
                self._book.close()
                self._owners.leave(remove_file=True)
                raise (error if isinstance(error, ConfigError) else self._unusable(error)) from error
            self._failures.failed("store", f"ledger: {self.path}: {error}: tried again every second")

    @staticmethod
    def _may_pass(error: Exception) -> bool:
        if isinstance(error, sqlite3.Error):
            return getattr(error, "sqlite_errorcode", 0) & 0xFF not in _PERMANENT
        return isinstance(error, OSError) and error.errno in _PASSES

    def _unusable(self, error: Exception) -> ConfigError:
        return ConfigError(
            Problem(
                f"{self.path}: the ledger cannot be kept there ({error}): make the folder writable, "
                "or name another file with sqlite:PATH",
                path="ledger.url",
            )
        )

    def _unread(self, error: Exception) -> None:
        self._failures.tell("read", f"ledger: {self.path}: cannot be read: {error}")

    def _now(self) -> float:
        return self._clock.utc().timestamp()
