"""Several processes on one socket: each leaves its figures in a folder, so that whoever is asked can tell of all."""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from coderouter_observer_metrics.snapshot import Snapshot, add_up

#: In it are the figures of processes that ended, added up.
GONE = "metrics-gone.json"


class Folder:
    """A private folder that the processes of one router share.

    A process writes what it tells before it tells it: so a sum that was once shown never goes down, whoever is
    asked next, and whoever has died meanwhile. All of it is file access, to be called in a thread.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = path / f"metrics-{os.getpid()}-{secrets.token_hex(4)}.json"
        self._writing = threading.Lock()
        self._written = 0

    def write(self, snapshot: Snapshot, number: int = 1) -> None:
        """Leave the figures of this process, whole or not at all. Of two that are written at once in two threads,
        the one with the higher `number` stays."""
        with self._writing, self._locked(fcntl.LOCK_SH):
            if number >= self._written:
                _replace(self._own, snapshot.encoded())
                self._written = number

    def read(self) -> tuple[list[Snapshot], list[Snapshot]]:
        """The figures of other processes that live, and of those that are gone."""
        living: list[Snapshot] = []
        gone: list[Snapshot] = []
        with self._locked(fcntl.LOCK_SH):
            for path, snapshot in self._others():
                (living if path.name != GONE and _lives(snapshot.pid) else gone).append(snapshot)
        return living, gone

    def enter(self) -> None:
        """Make ready. The figures of processes that are gone are added up, so that their files do not become ever
        more."""
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked(fcntl.LOCK_EX):
            # What was added up, and could not be removed before that process was ended.
            for name in self._added_up():
                (self._path / name).unlink(missing_ok=True)
            gone = [
                (path, each) for path, each in self._others() if path.name == GONE or not _lives(each.pid)
            ]
            if len(gone) < 2:
                return
            total = add_up(gone[0][1], gone=[each for _, each in gone[1:]])
            summed = Snapshot(
                pid=0,
                started_at=total.started_at,
                counts=total.counts.plain(),
                recent=total.recent,
                errors=total.errors,
                startup={},
                live=0,
                standings=[],
                budgets=[],
                ledger={"ok": True},
                added_up=[path.name for path, _ in gone if path.name != GONE],
            )
            _replace(self._path / GONE, summed.encoded())
            for name in summed.added_up:
                (self._path / name).unlink()

    def _added_up(self) -> Sequence[str]:
        """The files whose figures are in those of the processes that are gone."""
        with suppress(OSError, ValueError, TypeError):
            return Snapshot.decoded((self._path / GONE).read_bytes()).added_up
        return ()

    def _others(self) -> Iterator[tuple[Path, Snapshot]]:
        without = {self._own.name, *self._added_up()}
        for path in sorted(self._path.glob("metrics-*.json")):
            if path.name not in without:
                with suppress(OSError, ValueError, TypeError):
                    yield path, Snapshot.decoded(path.read_bytes())

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        with (self._path / "metrics.lock").open("a") as file:
            fcntl.flock(file, how)
            yield


def _replace(path: Path, raw: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(raw)
    new.replace(path)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
