"""Tell the body of a request from what comes after it."""

from __future__ import annotations

from typing import Protocol

import httptools

from coderouter_core.web.http1.heads import Head, ProtocolError, Reading

END = b"\r\n\r\n"


class Body(Protocol):
    """`read` takes from `data`, from `start` on, what belongs to the body: that, and where the rest begins.

    Nothing more is to be read once it is `done`.
    """

    done: bool

    def read(self, data: bytes, start: int) -> tuple[bytes, int]: ...


def body_of(head: Head, most_fruitless: int) -> Body:
    """The body that `head` announces. No more than `most_fruitless` bytes may come in a row without any of it."""
    return Chunked(head.reading, most_fruitless) if head.chunked else Counted(head.length)


class Counted:
    """A body whose length was told."""

    __slots__ = ("_left", "done")

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0

    def read(self, data: bytes, start: int) -> tuple[bytes, int]:
        end = min(len(data), start + self._left)
        self._left -= end - start
        self.done = self._left == 0
        return data[start:end], end  # bytes give themselves, uncopied, for all of themselves


class Chunked:
    """A body in chunks, which httptools reads.

    httptools does not tell where in the bytes a message ends, and would read on into the next one. A chunked
    message always ends with an empty line: so it is given the bytes up to one at a time.
    """

    __slots__ = ("_fruitless", "_last", "_most_fruitless", "_reading", "done")

    def __init__(self, reading: Reading, most_fruitless: int) -> None:
        self.done = False
        self._reading = reading
        self._most_fruitless = most_fruitless
        self._fruitless = 0
        #: The last three bytes of what came before: an empty line may begin there.
        self._last = b""

    def read(self, data: bytes, start: int) -> tuple[bytes, int]:
        pieces = self._reading.pieces
        while start < len(data) and not self._reading.complete:
            end = self._cut(data, start)
            before = len(pieces)
            self._feed(data[start:end])
            self._fruitless = 0 if len(pieces) > before else self._fruitless + end - start
            if self._fruitless > self._most_fruitless:
                raise ProtocolError(431, "chunk sizes, extensions or trailers without end")
            start = end
        self.done = self._reading.complete
        if self.done:
            self._reading.end()
        body = b"".join(pieces)
        pieces.clear()
        return body, start

    def _cut(self, data: bytes, start: int) -> int:
        """Where the next empty line ends, or `data` does."""
        seam = self._last + data[start : start + 3]
        found = seam.find(END)
        if found >= 0:
            end = start + found + len(END) - len(self._last)
        else:
            found = data.find(END, start)
            end = len(data) if found < 0 else found + len(END)
        self._last = (self._last + data[max(start, end - 3) : end])[-3:]
        return end

    def _feed(self, data: bytes) -> None:
        try:
            self._reading.feed(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise ProtocolError(400, str(error)) from None
