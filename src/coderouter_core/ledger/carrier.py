"""The thread that carries what was recorded to the store, and brings back what others recorded."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque

from coderouter_core.ledger.batch import Batch
from coderouter_core.ledger.book import Book
from coderouter_core.ledger.failures import Failures
from coderouter_core.ledger.folders import make_folder
from coderouter_core.ledger.hold import Ask, answer
from coderouter_core.ledger.journal import Journal
from coderouter_core.ledger.owners import Owners
from coderouter_core.ledger.store import Store
from coderouter_core.model import Clock

#: Seconds between two rounds, and between two tries of a store that fails.
ROUND_S, RETRY_S = 0.25, 1.0
#: Seconds between two looks for dead processes and old rows.
SWEEP_S = 60.0
#: How long the end may take, in seconds; what is not carried then is carried at the next start.
END_S = 10.0


class Carrier:
    """Owns the store, the journal's files and the own lock while it runs."""

    def __init__(
        self,
        book: Book,
        journal: Journal,
        owners: Owners,
        store: Store,
        failures: Failures,
        clock: Clock,
    ) -> None:
        self._book = book
        self._journal = journal
        self._owners = owners
        self._store = store
        self._failures = failures
        self._clock = clock
        self._asks: deque[Ask] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self._swept = clock.monotonic()
        self._thread = threading.Thread(target=self._run, name="coderouter-ledger", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def is_running(self) -> bool:
        """Whether what is asked will be answered."""
        return self._thread.is_alive() and not self._stopping

    def ask(self, ask: Ask) -> None:
        """Have `ask` decided, at once."""
        self._asks.append(ask)
        self._wake.set()

    def stop(self) -> None:
        """Carry everything and let go of everything. Blocks, `END_S` at most."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(END_S)

    def _run(self) -> None:
        pause = ROUND_S
        while not self._stopping:
            self._wake.wait(pause)
            self._wake.clear()
            pause = ROUND_S if self._round() else RETRY_S
        self._end()

    def _round(self) -> bool:
        """Carry what waits, decide what is asked, learn what is new; False when the store does not work."""
        waiting = [self._asks.popleft() for _ in range(len(self._asks))]
        # Who left before this is not asked for; who leaves later has a release in this batch or a later one.
        asks = [ask for ask in waiting if not ask.answer.done()]
        self._keep_journal()
        try:
            self._carry(asks)
        except Exception as error:  # whatever the disk does, the thread goes on
            self._store.close(error)
            self._failures.failed(
                "store",
                f"ledger: {self._store.path}: {error}: what is recorded waits in memory, totals are the last known",
            )
            for ask in asks:
                answer(ask, None)
            return False
        self._failures.worked("store")
        return True

    def _carry(self, asks: list[Ask]) -> None:
        if self._store.is_lost():
            self._failures.tell(
                "lost",
                f"ledger: {self._store.path}: was removed or replaced: begun anew with the totals that were known",
            )
            self._store.close()
        if not self._store.is_open():
            self._store.open(self._book.totals())
        if self._book.is_behind():
            # A batch whose end is unknown is tried again as it was, so that the store can tell whether it has it.
            self._bring(self._book.take(), [])
        self._bring(self._book.take(), asks)
        if self._clock.monotonic() - self._swept >= SWEEP_S:
            self._swept = self._clock.monotonic()
            self._store.sweep()

    def _bring(self, batch: Batch | None, asks: list[Ask]) -> None:
        if batch is None and not asks:
            self._book.learn(self._store.look(), self._clock.monotonic())
            return
        news, answers = self._store.carry(batch, asks)
        self._book.learn(news, self._clock.monotonic(), batch)
        if batch is not None:
            self._journal.carried(batch.seq)
            # What could not be written to the journal is in the store now.
            self._failures.worked("journal")
        for ask, admitted in zip(asks, answers, strict=True):
            answer(ask, admitted)

    def _keep_journal(self) -> None:
        """Have the own lock and a journal where others look for them, and room in it."""
        try:
            if self._owners.is_held() and self._journal.is_whole():
                self._journal.prepare()
            else:
                make_folder(self._owners.folder)
                if not self._owners.is_held():
                    self._owners.claim()
                self._journal.restart()
                self._book.turn()
        except OSError as error:
            self._failures.failed(
                "files", f"ledger: {error}: what is recorded now is lost if the process dies"
            )
        else:
            self._failures.worked("files")

    def _end(self) -> None:
        """Carry the rest, and leave nothing behind that the store has."""
        done = self._round() and self._book.is_empty()
        try:
            if done:
                self._store.finish()
        except sqlite3.Error as error:
            self._failures.failed("store", f"ledger: {self._store.path}: {error}")
            done = False
        self._store.close()
        self._book.close()
        self._owners.leave(remove_file=done)
