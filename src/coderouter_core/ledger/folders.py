"""Folders and locks that only this user may look into."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

#: Files are the user's alone: sessions, models and spending are nobody else's business.
FILE_MODE, FOLDER_MODE = 0o600, 0o700

_GATE_S = 5.0


def make_folder(path: Path) -> None:
    """Make `path` and what is missing above it; those that exist are left as they are."""
    if path.is_dir():
        return
    if path.parent != path:
        make_folder(path.parent)
    path.mkdir(FOLDER_MODE, exist_ok=True)


def open_file(path: Path, flags: int) -> int:
    """A descriptor of `path`, made for this user alone where it is new, not passed on to child processes."""
    return os.open(
        path, flags | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0), FILE_MODE
    )


def lock(descriptor: int) -> bool:
    """Take the file's lock for as long as the descriptor is open; False when another process has it."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


@contextlib.contextmanager
def gate(path: Path) -> Iterator[None]:
    """Hold the lock of `path` for the length of the block. Raises OSError when others keep it too long."""
    descriptor = open_file(path, os.O_RDWR)
    try:
        last = time.monotonic() + _GATE_S
        while not lock(descriptor):
            if time.monotonic() > last:
                raise OSError(errno.EBUSY, f"{path} is locked by another process")
            time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


def is_at(descriptor: int, path: Path) -> bool:
    """Whether `path` still names the file that is open as `descriptor`."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def remove(path: Path) -> None:
    """Remove a file that may be gone already, or that the platform keeps while another has it open."""
    try:
        path.unlink()
    except OSError:
        return
