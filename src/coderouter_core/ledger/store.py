"""The database of a ledger: transactions, and the connection's life."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from attrs import frozen

from coderouter_core.ledger.batch import Batch
from coderouter_core.ledger.carry import carry, seed
from coderouter_core.ledger.folders import gate, make_folder
from coderouter_core.ledger.hold import Ask, admit
from coderouter_core.ledger.owners import Owners, Seized
from coderouter_core.ledger.recovery import MONTH_S, prune, recover, registered, settle_dead
from coderouter_core.ledger.schema import Damaged, connect, connect_to_read, is_damage, set_aside
from coderouter_core.model import Clock

#: A database up to this size is read as a whole when it is opened, to see whether it is damaged.
SMALL_BYTES = 8_000_000

_NEWS = "SELECT name, value FROM counters WHERE version > ?"
_MARKED = "SELECT key, expires_at, ttl_s FROM marks WHERE version > ? AND owner <> ? AND expires_at > ?"


@frozen
class News:
    """What was read of the store: counters that changed, and the seconds left of others' marks."""

    version: int
    counters: Mapping[str, float]
    marks: Sequence[tuple[str, float]]


class Store:
    """One process's connection. Used by one thread at a time; an error leaves it closed."""

    def __init__(
        self,
        path: Path,
        owners: Owners,
        clock: Clock,
        tell: Callable[[str, str], None],
        retention_months: int = 13,
    ) -> None:
        self.path = path
        self._kept_s = retention_months * MONTH_S
        self.owners = owners
        self._clock = clock
        self._tell = tell
        self._db: sqlite3.Connection | None = None
        self._file: os.stat_result | None = None
        self._seen = 0
        self._seq = 0
        self._suspect = False
        self._opened = False

    def is_open(self) -> bool:
        return self._db is not None

    def is_lost(self) -> bool:
        """Whether the file that is open is not at its place any more."""
        try:
            return self._file is not None and not os.path.samestat(self._file, os.stat(self.path))
        except OSError:
            return True

    def open(self, totals: Mapping[str, float]) -> None:
        """Connect, and take over what dead processes left.

        `totals` are counters as they were last known; a store that had to be begun anew is given them.
        """
        self.close()
        make_folder(self.path.parent)
        make_folder(self.owners.folder)
        with gate(self.owners.folder / "open.gate"):
            self._db = self._connect()
            self._file = os.stat(self.path)
        self._seen, self._suspect, self._opened = 0, False, True
        with self._writing() as (db, _):
            seed(db, totals.items(), self._now())
            db.execute("INSERT OR IGNORE INTO owners VALUES (?, ?)", (self.owners.name, 0))
            known = db.execute("SELECT seq FROM owners WHERE owner = ?", (self.owners.name,)).fetchone()
            self._seq = max(self._seq, known[0])
        self._take_over()

    def carry(self, batch: Batch | None, asks: Sequence[Ask]) -> tuple[News, list[bool]]:
        """Bring in `batch`, unless it is there already, and decide `asks` on what is known then."""
        with self._writing() as (db, left):
            if asks:
                # What a dead process spent stands in its journal only, until somebody carries it.
                self._recover(db, registered(db), left)
            if batch is not None and batch.seq > self._seq:
                carry(db, batch, self.owners.name, self._now())
            admitted = admit(db, asks, self.owners.name, batch.released if batch is not None else ())
            news = self._news(db)
        self._seen = news.version
        if batch is not None:
            self._seq = max(self._seq, batch.seq)
        return news, admitted

    def look(self) -> News:
        """What others changed since the last look."""
        news = self._news(self._connection())
        self._seen = news.version
        return news

    def sweep(self) -> None:
        """Take over what dead processes left, drop what is older than it is kept, and see that the file can be read."""
        self._examine()
        self._take_over()

    def _examine(self) -> None:
        """Read the file as the next process will: this one may have in memory what is damaged on disk, and only it
        still knows the totals. Raises `sqlite3.DatabaseError`."""
        with closing(connect_to_read(self.path)) as db:
            small = self.path.stat().st_size <= SMALL_BYTES
            found = db.execute(
                "PRAGMA quick_check(1)" if small else "SELECT count(*) FROM counters"
            ).fetchone()
            if small and found != ("ok",):
                raise Damaged(found[0])

    def _take_over(self) -> None:
        with self._writing() as (db, left):
            self._recover(db, {*registered(db), *self.owners.listed()}, left)
            prune(db, self._now(), self._kept_s)

    def finish(self) -> None:
        """The last transaction of this process: nothing of it stays in flight."""
        with self._writing() as (db, _):
            settle_dead(db, self.owners.name)

    def close(self, error: BaseException | None = None) -> None:
        """Let go of the connection, because of `error` perhaps: a damaged file is looked through when it is next opened."""
        self._suspect = self._suspect or (error is not None and is_damage(error))
        db, self._db, self._file = self._db, None, None
        if db is not None:
            with suppress(sqlite3.Error):
                db.close()

    def _connect(self) -> sqlite3.Connection:
        small = not self._opened and self.path.exists() and self.path.stat().st_size <= SMALL_BYTES
        try:
            return connect(self.path, thorough=self._suspect or small)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            aside = set_aside(self.path, self._clock.utc())
            self._tell(
                "damage",
                f"ledger: {self.path}: is damaged ({error}): moved to {aside.name}, a new one was begun",
            )
        return connect(self.path, thorough=False)

    @contextmanager
    def _writing(self) -> Iterator[tuple[sqlite3.Connection, list[Seized]]]:
        """A transaction that no other process writes beside; what was taken over goes when it is committed."""
        db = self._connection()
        left: list[Seized] = []
        try:
            db.execute("BEGIN IMMEDIATE")
            yield db, left
            db.execute("COMMIT")
        except BaseException:
            for seized in left:
                seized.leave()
            raise
        for seized in left:
            seized.remove()

    def _recover(self, db: sqlite3.Connection, names: Iterable[str], left: list[Seized]) -> None:
        for name in names:
            if name != self.owners.name and (seized := self.owners.seize(name)) is not None:
                left.append(seized)
                try:
                    recover(db, seized, self._now())
                except OSError as error:
                    left.remove(seized)
                    seized.leave()
                    self._tell("recovery", f"ledger: what {name} left cannot be read: {error}")

    def _news(self, db: sqlite3.Connection) -> News:
        (version,) = db.execute("SELECT version FROM store").fetchone()
        if version == self._seen:
            return News(version, {}, ())
        now = self._now()
        counters = dict(db.execute(_NEWS, (self._seen,)))
        marks = db.execute(_MARKED, (self._seen, self.owners.name, now)).fetchall()
        # No mark lasts longer than it was meant to, whatever the clocks of two processes say.
        return News(version, counters, [(key, min(until - now, ttl)) for key, until, ttl in marks])

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise sqlite3.OperationalError("the store is closed")
        return self._db

    def _now(self) -> float:
        return self._clock.utc().timestamp()
