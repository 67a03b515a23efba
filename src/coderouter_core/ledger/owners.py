"""Which processes write to a ledger, and which of them live."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from attrs import define, field

from coderouter_core.ledger.folders import is_at, lock, open_file, remove
from coderouter_core.ledger.journal import SUFFIX, segments_of

LOCK_SUFFIX = ".lock"
_TRIES = 100


@define(eq=False)
class Seized:
    """What a dead process left. Nobody else takes it over until it is removed or left."""

    owner: str
    segments: list[Path]
    _lock: Path
    _descriptor: int | None = field(default=None)

    @property
    def is_empty(self) -> bool:
        return self._descriptor is None and not self.segments

    def remove(self) -> None:
        """Its records are in the database: let the files go, the lock last."""
        for path in self.segments:
            remove(path)
        self.leave()
        remove(self._lock)

    def leave(self) -> None:
        """Its records are not in the database: let somebody else try."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Owners:
    """The processes of one ledger, seen from one of them.

    A process lives as long as the operating system holds its lock on a file of its own.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"{os.getpid()}-{secrets.token_hex(6)}"
        self._descriptor: int | None = None

    def claim(self) -> None:
        """Take the own lock. Raises OSError where the folder does not take files or locks."""
        self.leave(remove_file=False)
        path = self._lock(self.name)
        for _ in range(_TRIES):
            descriptor = open_file(path, os.O_RDWR)
            # Between its making and its locking the file looks like that of a dead process.
            if lock(descriptor) and is_at(descriptor, path):
                self._descriptor = descriptor
                return
            os.close(descriptor)
        raise OSError(f"{path} cannot be locked")

    def is_held(self) -> bool:
        """Whether others still see that this process lives."""
        return self._descriptor is not None and is_at(self._descriptor, self._lock(self.name))

    def listed(self) -> set[str]:
        """The owners, other than this one, that have files here, dead or alive."""
        names = (path.name for path in self.folder.iterdir() if path.suffix in (LOCK_SUFFIX, SUFFIX))
        return {name.partition(".")[0] for name in names} - {self.name}

    def seize(self, owner: str) -> Seized | None:
        """What `owner` left when it died; None when it lives, or when another process takes it over."""
        path = self._lock(owner)
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return Seized(owner, segments_of(self.folder, owner), path)
        except OSError:
            return None
        if lock(descriptor) and is_at(descriptor, path):
            return Seized(owner, segments_of(self.folder, owner), path, descriptor)
        os.close(descriptor)
        return None

    def leave(self, *, remove_file: bool) -> None:
        """Let the own lock go: from now on this process counts as dead."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            if remove_file:
                remove(self._lock(self.name))

    def _lock(self, owner: str) -> Path:
        return self.folder / f"{owner}{LOCK_SUFFIX}"
