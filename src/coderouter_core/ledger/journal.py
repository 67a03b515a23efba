"""The journal: what was recorded and is not in the database yet, on disk as it happens."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
from attrs import define

from coderouter_core.ledger.folders import is_at, open_file, remove

#: A segment is followed by the next one when it has grown to this size.
SEGMENT_BYTES = 1_000_000
#: While the database takes nothing, so many segments are kept; then the oldest goes.
SEGMENTS_MAX = 64

SUFFIX = ".journal"


@define(eq=False)
class _Segment:
    path: Path
    descriptor: int
    size: int = 0
    last_seq: int = 0


class Journal:
    """The segments of one process. `append` is called under the book's lock, the rest by the carrier.

    A write is in the hands of the operating system when `append` returns: it outlives the process, though not
    a power cut.
    """

    def __init__(self, folder: Path, owner: str) -> None:
        self._folder = folder
        self._owner = owner
        self._number = 0
        self._current: _Segment | None = None
        self._spare: _Segment | None = None
        self._full: list[_Segment] = []
        self._torn = False

    def append(self, line: bytes, seq: int) -> None:
        """Write one record, which ends with its newline. Raises OSError when it is not wholly written."""
        segment = self._current
        if segment is None:
            raise OSError(errno.EBADF, "the journal is closed")
        if self._torn:
            line = b"\n" + line
        segment.last_seq = seq
        written = os.write(segment.descriptor, line)
        segment.size += written
        self._torn = written != len(line)
        if self._torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def prepare(self) -> None:
        """Have the next segment at hand when it will be needed: no file is opened under the lock."""
        if self._spare is None and (self._current is None or self._current.size >= SEGMENT_BYTES):
            self._number += 1
            path = self._folder / f"{self._owner}.{self._number:08d}{SUFFIX}"
            self._spare = _Segment(path, open_file(path, os.O_WRONLY | os.O_APPEND | os.O_EXCL))

    def turn(self) -> None:
        """Go on in the segment that was prepared, if one was. Called under the book's lock."""
        if self._spare is not None:
            if self._current is not None:
                self._full.append(self._current)
            self._current, self._spare, self._torn = self._spare, None, False

    def carried(self, seq: int) -> None:
        """Let go of the segments that hold nothing beyond `seq`, and of the oldest beyond the bound."""
        keep = [segment for segment in self._full if segment.last_seq > seq][-SEGMENTS_MAX:]
        for segment in self._full:
            if segment not in keep:
                self._drop(segment)
        self._full = keep

    def is_whole(self) -> bool:
        """Whether the segment that is written to is still where it was made."""
        return self._current is not None and is_at(self._current.descriptor, self._current.path)

    def restart(self) -> None:
        """Have a new segment at hand, whatever became of the current one."""
        if self._spare is not None:
            self._drop(self._spare)
            self._spare = None
        if self._current is not None:
            self._current.size = SEGMENT_BYTES
        self.prepare()

    def close(self, *, keep: bool) -> None:
        """Close every segment; they stay on disk when `keep` says that not everything was carried."""
        for segment in (*self._full, self._current, self._spare):
            if segment is not None and keep:
                os.close(segment.descriptor)
            elif segment is not None:
                self._drop(segment)
        self._full, self._current, self._spare = [], None, None

    def figures(self) -> Mapping[str, int]:
        """Segments and their bytes, for metrics."""
        segments = [segment for segment in (*self._full, self._current) if segment is not None]
        return {"segments": len(segments), "journal_bytes": sum(segment.size for segment in segments)}

    @staticmethod
    def _drop(segment: _Segment) -> None:
        with contextlib.suppress(OSError):
            os.close(segment.descriptor)
        remove(segment.path)


def segments_of(folder: Path, owner: str) -> list[Path]:
    """An owner's segments, oldest first."""
    return sorted(folder.glob(f"{owner}.*{SUFFIX}"))


def records(segments: Iterable[Path]) -> Iterator[Mapping[str, Any]]:
    """The records of `segments` in order. A line that is torn or is no record is passed over."""
    for path in segments:
        with path.open("rb") as lines:
            for line in lines:
                with contextlib.suppress(orjson.JSONDecodeError):
                    record = orjson.loads(line)
                    if isinstance(record, dict):
                        yield record
