"""Several processes on one socket: each leaves what it knows in a folder, so that whoever is asked can tell of all."""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from attrs import field, frozen

try:
    import fcntl
except ImportError:  # a platform without it serves with one process
    fcntl = None  # type: ignore[assignment]

#: Names the folder that ``serve --workers`` makes for its processes.
SHARED = "CODEROUTER_SHARED_DIR"
#: Seconds between the times at which a process leaves what it knows.
LEAVE_S = 1.0


class Left(Protocol):
    """What a process leaves: its number, and the files whose facts are in it besides its own."""

    @property
    def pid(self) -> int: ...
    @property
    def added_up(self) -> Sequence[str]: ...


T = TypeVar("T", bound=Left)


@frozen(eq=False)
class Writing(Generic[T]):
    """How what is left is written and read. `decode` raises `ValueError` or `TypeError` for what `encode` did not
    write. `add_up` makes one of several that are gone; its `added_up` are the names it is given."""

    name: str
    encode: Callable[[T], bytes] = field(repr=False)
    decode: Callable[[bytes], T] = field(repr=False)
    add_up: Callable[[Sequence[T], Sequence[str]], T] = field(repr=False)


def shared_folder() -> Path | None:
    """The folder of the processes that this one serves together with; None where it serves alone."""
    named = os.environ.get(SHARED)
    return Path(named) if named else None


class PeerFolder(Generic[T]):
    """A private folder that the processes of one router share; `writing` names the files in it.

    A process writes what it tells before it tells it: so a sum that was once shown never goes down, whoever is
    asked next, and whoever has died meanwhile. All of it is file access, to be called in a thread.
    """

    def __init__(self, path: Path, writing: Writing[T]) -> None:
        self._path = path
        self._by = writing
        self._own = path / f"{writing.name}-{os.getpid()}-{secrets.token_hex(4)}.json"
        #: In it is what processes left that ended, added up.
        self._gone = path / f"{writing.name}-gone.json"
        self._writing = threading.Lock()
        self._written = 0

    def write(self, value: T, number: int = 1) -> None:
        """Leave what this process knows, whole or not at all. Of two that are written at once in two threads,
        the one with the higher `number` stays."""
        with self._writing, self._locked(exclusive=False):
            if number >= self._written:
                _replace(self._own, self._by.encode(value))
                self._written = number

    def read(self) -> tuple[list[T], list[T]]:
        """What other processes left that live, and those that are gone."""
        living: list[T] = []
        gone: list[T] = []
        with self._locked(exclusive=False):
            for path, value in self._others():
                (living if path != self._gone and _lives(value.pid) else gone).append(value)
        return living, gone

    def enter(self) -> None:
        """Make ready. What processes left that are gone is added up, so that their files do not become ever more."""
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked(exclusive=True):
            # What was added up, and could not be removed before that process was ended.
            for name in self._added_up():
                (self._path / name).unlink(missing_ok=True)
            gone = [
                (path, each) for path, each in self._others() if path == self._gone or not _lives(each.pid)
            ]
            if len(gone) < 2:
                return
            names = [path.name for path, _ in gone if path != self._gone]
            _replace(self._gone, self._by.encode(self._by.add_up([each for _, each in gone], names)))
            for name in names:
                (self._path / name).unlink()

    def _added_up(self) -> Sequence[str]:
        """The files whose facts are in those of the processes that are gone."""
        with suppress(OSError, ValueError, TypeError):
            return self._by.decode(self._gone.read_bytes()).added_up
        return ()

    def _others(self) -> Iterator[tuple[Path, T]]:
        without = {self._own.name, *self._added_up()}
        for path in sorted(self._path.glob(f"{self._by.name}-*.json")):
            if path.name not in without:
                with suppress(OSError, ValueError, TypeError):
                    yield path, self._by.decode(path.read_bytes())

    @contextmanager
    def _locked(self, *, exclusive: bool) -> Iterator[None]:
        with (self._path / f"{self._by.name}.lock").open("a") as file:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
            yield


class Peers(Generic[T]):
    """This process and those it serves together with.

    `take` gives what this one knows now; when it is what it was, nothing is written. Without a `folder` there is
    only this one.
    """

    def __init__(
        self,
        take: Callable[[], Awaitable[T]],
        folder: PeerFolder[T] | None,
        leave_s: float = LEAVE_S,
    ) -> None:
        self._take = take
        self._folder = folder
        self._leave_s = leave_s
        self._number = 0
        self._last: T | None = None

    @asynccontextmanager
    async def sharing(self) -> AsyncIterator[None]:
        """Leave it every `leave_s` meanwhile, and once more at the end."""
        if self._folder is None:
            yield
            return
        await asyncio.to_thread(self._folder.enter)
        task = asyncio.create_task(self._leave())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self._write()

    async def seen(self) -> tuple[T, list[T], list[T]]:
        """What this process knows now, what others know that live, and what those knew that are gone."""
        own = await self._write()
        if self._folder is None:
            return own, [], []
        with suppress(OSError):
            return own, *(await asyncio.to_thread(self._folder.read))
        return own, [], []

    async def _leave(self) -> None:
        while True:
            await self._write()
            await asyncio.sleep(self._leave_s)

    async def _write(self) -> T:
        own = await self._take()
        if self._folder is not None and own is not self._last:
            self._number += 1
            # A full or lost disk costs the others their view of this process, and no request.
            with suppress(OSError):
                await asyncio.to_thread(self._folder.write, own, self._number)
                self._last = own
        return own


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
