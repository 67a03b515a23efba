"""A file of events that several processes append to, and that never grows beyond its bounds."""

from __future__ import annotations

import contextlib
import errno
import os
import select
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
#: Seconds that a pipe's reader may take to make room; the next lines do not wait for one that took longer.
PATIENCE_S = 0.25

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


class UnreadError(OSError):
    """It is a pipe that nobody reads yet: lines are lost until somebody does."""


class Mirror:
    """Appends whole lines to `path`, readable by its owner alone.

    Before it would grow beyond `max_bytes` the file becomes ``path.1``, that one ``path.2``, and so on; `keep` of
    them stay. Every process that writes holds a lock on the file meanwhile, so that nobody writes into one that
    was put aside, and half a line is taken back. What is no regular file (a pipe, a device) is only written to, and
    never waited for longer than a moment: who reads a pipe may stop to, or not have begun.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES, keep: int = KEEP) -> None:
        self._path = path.expanduser()
        self._max_bytes = max_bytes
        self._keep = keep
        self._fd = -1
        # Whether a pipe took nothing lately, and whether what it took last is half of a line.
        self._stuck = False
        self._torn = False

    def open(self) -> None:
        """Make the file, and the folders it is in. Raises `OSError`."""
        if self._fd < 0:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                self._fd = os.open(self._path, _FLAGS, 0o600)
            except OSError as error:
                if error.errno == errno.ENXIO and self._path.is_fifo():
                    raise UnreadError(errno.ENXIO, "nobody reads this pipe") from None
                raise
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
        """Put the file aside when it is full. Its size, -1 for what has none."""
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
        if size < 0:
            self._pour(b"\n" + data if self._torn else data)
            return
        written = 0
        try:
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError:
            if written:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._fd, size)
            raise

    def _pour(self, data: bytes) -> None:
        """Write to what takes only so much at a time, and keeps what it took."""
        patience_s, self._stuck = 0.0 if self._stuck else PATIENCE_S, True
        written = 0
        while written < len(data):
            try:
                written += os.write(self._fd, data[written:])
            except BlockingIOError:
                self._torn = data[:written][-1:] not in (b"", b"\n") or (self._torn and not written)
                if not self._makes_room(patience_s):
                    raise BlockingIOError(errno.EAGAIN, "its reader takes nothing") from None
        self._stuck = self._torn = False

    def _makes_room(self, within_s: float) -> bool:
        # `select` knows no descriptor beyond 1,023, and a busy router has more.
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        return bool(poll.poll(within_s * 1000))


def _lock(fd: int) -> None:
    if fcntl is not None:
        fcntl.flock(fd, fcntl.LOCK_EX)


def _unlock(fd: int) -> None:
    if fcntl is not None:
        fcntl.flock(fd, fcntl.LOCK_UN)
