"""Server-sent events: cut a stream of bytes into whole frames, read a frame, write one."""

from __future__ import annotations

import re
from typing import Any

#: A frame may be this large, in bytes; base64 images in tool results are the largest seen.
MOST_FRAME = 16 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"
#: A line ends with CRLF, LF or CR. A CR at the very end of what is known may be half of a CRLF: it does not count yet.
_BLANK = re.compile(rb"(?:\r\n|\n|\r(?=[^\n])){2}")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_LONGEST_BLANK = 4


class Framer:
    """Cuts a stream into frames, however it is split.

    A frame is the bytes up to and including its blank line, as they came; only a byte order mark at the
    start of the stream is left out. Frames over `most` bytes are a ValueError.
    """

    def __init__(self, most: int = MOST_FRAME) -> None:
        self._most = most
        self._rest = bytearray()
        self._searched = 0
        self._has_cr = False
        self._at_start = True

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes."""
        if self._at_start and not (data := self._without_bom(data)):
            return []
        if not self._has_cr:
            if b"\r" in data:
                self._has_cr = True
            elif not self._rest and len(data) <= self._most:
                return self._whole(data)
        self._rest += data
        frames: list[bytes] = []
        start, end = 0, self._end(0)
        while end:
            self._check(end - start)
            frames.append(bytes(self._rest[start:end]))
            self._searched = start = end
            end = self._end(start)
        if start:
            del self._rest[:start]
        self._searched = len(self._rest)
        self._check(len(self._rest))
        return frames

    def close(self) -> bytes:
        """The last frame where the stream ended without its blank line, with one; empty when there is none."""
        rest = bytes(self._rest).rstrip(b"\r\n")
        self._rest.clear()
        self._searched = 0
        return rest + b"\n\n" if rest else b""

    def _without_bom(self, data: bytes) -> bytes:
        data = bytes(self._rest) + data
        self._rest.clear()
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._rest += data
            return b""
        self._at_start = False
        return data.removeprefix(_BOM)

    def _whole(self, data: bytes) -> list[bytes]:
        """Most reads end where a frame ends."""
        frames = data.split(b"\n\n")
        if rest := frames.pop():
            self._rest += rest
            self._searched = len(rest)
        return [frame + b"\n\n" for frame in frames]

    def _end(self, start: int) -> int:
        """Where the frame that begins at `start` ends; 0 while that is not known."""
        since = max(start, self._searched - _LONGEST_BLANK + 1)
        if self._has_cr:
            found = _BLANK.search(self._rest, since)
            return found.end() if found else 0
        at = self._rest.find(b"\n\n", since)
        return at + 2 if at >= 0 else 0

    def _check(self, size: int) -> None:
        if size > self._most:
            self._rest.clear()
            raise ValueError(f"a frame of the stream has more than {self._most} bytes")


def payload(frame: bytes) -> bytes:
    """The data of a frame; empty when it has none."""
    start = frame.find(b"data:")
    if start < 0:
        return b""
    if start == 0 or frame[start - 1] == 10:
        end = frame.find(b"\n", start)
        if end == len(frame) - 2 and b"\r" not in frame:
            return frame[start + 6 if frame[start + 5] == 32 else start + 5 : end]
    return fields(frame)[1]


def fields(frame: bytes) -> tuple[str, bytes]:
    """The event name and the data of a frame. Several data lines are joined by newlines."""
    event = ""
    pieces: list[bytes] = []
    for line in _LINE_END.split(frame):
        name, colon, value = line.partition(b":")
        if colon:
            value = value.removeprefix(b" ")
        if name == b"data":
            pieces.append(value)
        elif name == b"event":
            event = value.decode("utf-8", "replace")
    return event, b"\n".join(pieces)


def named(frame: bytes, event: Any) -> bytes:
    """`frame` with an ``event:`` line, where it has none and `event` can stand in one."""
    if not isinstance(event, str) or not event.isidentifier() or fields(frame)[0]:
        return frame
    return f"event: {event}\n".encode() + frame


def write(data: bytes, event: str = "") -> bytes:
    """A frame. `data` is one line, as orjson writes it."""
    head = f"event: {event}\n".encode() if event else b""
    return b"".join((head, b"data: ", data, b"\n\n"))
