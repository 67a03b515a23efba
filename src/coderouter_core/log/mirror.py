"""A file of events that several processes append to, and that never grows beyond its bounds."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # a platform without it serves with one process
    fcntl = None  # type: ignore[assignment]

#: Bytes at which the file is put aside, and how many of those are kept.
MAX_BYTES = 50_000_000
KEEP = 5


class Mirror:
    """Appends whole lines to `path`, readable by its owner alone.

    Before it would grow beyond `max_bytes` the file becomes ``path.1``, that one ``path.2``, and so on; `keep` of
    them stay. Every process that writes holds a lock on the file meanwhile, so that nobody writes into one that
    was put aside, and half a line is taken back. What is no regular file (a pipe, a device) is only written to.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES, keep: int = KEEP) -> None:
        self._path = path.expanduser()
        self._max_bytes = max_bytes
        self._keep = keep
        self._fd = -1

    def open(self) -> None:
        """Make the file, and the folders it is in. Raises `OSError`."""
        if self._fd < 0:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if stat.S_ISREG(os.fstat(self._fd).st_mode):
                with contextlib.suppress(OSError):
                    os.fchmod(self._fd, 0o600)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def write(self, lines: str) -> None:
        """Append `lines`, all or none of them. Raises `OSError`."""
        data = lines.encode("utf-8", "replace")
        try:
            with self._locked():
                size = self._room(len(data))
                self._append(data, size)
        except OSError:
            # Whatever was wrong may be mended by whoever makes the file anew.
            self.close()
            raise

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the file that stands at the path now, not one that another process has put aside."""
        self.open()
        _lock(self._fd)
        while not self._is_current():
            self.close()
            self.open()
            _lock(self._fd)
        try:
            yield
        finally:
            if self._fd >= 0:
                _unlock(self._fd)

    def _is_current(self) -> bool:
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._fd))
        except FileNotFoundError:
            return False

    def _room(self, wanted: int) -> int:
        """Put the file aside when it is full. Its size, None for what has none."""
        held = os.fstat(self._fd)
        if not stat.S_ISREG(held.st_mode):
            return -1
        if held.st_size and held.st_size + wanted > self._max_bytes:
            self._put_aside()
            return 0
        return held.st_size

    def _put_aside(self) -> None:
        if self._keep:
            for number in range(self._keep - 1, 0, -1):
                with contextlib.suppress(FileNotFoundError):
                    os.replace(self._aside(number), self._aside(number + 1))
            os.replace(self._path, self._aside(1))
        else:
            os.unlink(self._path)
        full = self._fd
        self._fd = -1
        try:
            self.open()
            _lock(self._fd)
        finally:
            # Not before: who waits for this lock then sees that the file has moved.
            os.close(full)

    def _aside(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _append(self, data: bytes, size: int) -> None:
        written = 0
        try:
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError:
            if written and size >= 0:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._fd, size)
            raise


def _lock(fd: int) -> None:
    if fcntl is not None:
        fcntl.flock(fd, fcntl.LOCK_EX)


def _unlock(fd: int) -> None:
    if fcntl is not None:
        fcntl.flock(fd, fcntl.LOCK_UN)
