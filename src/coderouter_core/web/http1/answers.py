"""Write a response: its head, and the body as its client can read it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from coderouter_core.web.http1.heads import Head

_NAME = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
_LAST_CHUNK = b"0\r\n\r\n"


class AnswerError(RuntimeError):
    """The application sent what is no response, or not the one that it began."""


class Answer:
    """The response to the request `head`.

    Its head is kept back until the first of its body is known, so that a short answer is one write, and an
    application that fails before can still be answered for with a 500. `begun` says that it is out; `done`
    that everything is; `keep_alive` whether another request may follow.
    """

    __slots__ = ("_chunked", "_head", "_left", "_silent", "_start", "begun", "done", "keep_alive")

    def __init__(self, head: Head) -> None:
        self.begun = False
        self.done = False
        self.keep_alive = head.keep_alive
        self._head = head
        self._start: list[bytes] | None = None
        self._chunked = False
        #: Bytes of the body that its content-length still promises; None where it has none.
        self._left: int | None = None
        #: Nothing is sent for a body, whatever the application gives.
        self._silent = False

    def start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Take status and headers. Raises `AnswerError`."""
        if self._start is not None:
            raise AnswerError("http.response.start was sent twice")
        if not 200 <= status <= 999:
            raise AnswerError(f"{status} is not the status of a response")
        plain: list[bytes] = []
        framing: dict[bytes, list[tuple[bytes, bytes]]] = {}
        for given_name, given_value in headers:
            name, value = bytes(given_name).strip(), bytes(given_value).strip()
            lowered = _lowered(name)
            if lowered in (b"content-length", b"transfer-encoding", b"connection"):
                framing.setdefault(lowered, []).append((name, value))
            else:
                plain.append(b"%b: %b\r\n" % (name, value))
        lines = [b"HTTP/1.1 %d \r\n" % status, *plain, *self._framed(status, framing)]
        _refuse_breaks(lines)
        self._start = lines

    def _framed(self, status: int, given: dict[bytes, list[tuple[bytes, bytes]]]) -> list[bytes]:
        """The headers that say how long the body is, and whether the connection stays."""
        lines: list[bytes] = []
        self._silent = self._head.method == "HEAD" or status in (204, 304)
        length = None if b"transfer-encoding" in given else _length(given.get(b"content-length", []))
        if length is not None:
            lines.append(b"content-length: %d\r\n" % length)
            self._left = None if self._silent else length
        elif status not in (204, 304) and self._head.version == "1.1":
            lines.append(b"transfer-encoding: chunked\r\n")
            self._chunked = not self._silent
        # Else a body ends with the connection, which HTTP/1.0 does not keep.
        for name, value in given.get(b"connection", []):
            words = {word.strip() for word in value.lower().split(b",")}
            if b"close" in words:
                self.keep_alive = False
            elif self.keep_alive:
                lines.append(b"%b: %b\r\n" % (name, value))
        return lines

    def body(self, data: bytes, more: bool, fixed: bytes, *, last: bool) -> bytes:
        """The bytes that bring `data` to the client; the first time with the head, and in it the lines `fixed`.

        `last`: no other request will be read on this connection. Raises `AnswerError`.
        """
        if self._start is None or self.done:
            raise AnswerError("http.response.body was sent outside of a response")
        framed = self._frame(data, more)
        self.done = not more
        if self.begun:
            return framed
        self.begun = True
        if last:
            self.keep_alive = False
        close = b"" if self.keep_alive else b"connection: close\r\n"
        return b"".join([*self._start, fixed, close, b"\r\n", framed])

    def _frame(self, data: bytes, more: bool) -> bytes:
        if self._silent:
            return b""
        if self._chunked:
            chunk = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
            return chunk if more else chunk + _LAST_CHUNK
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0 or (self._left > 0 and not more):
                raise AnswerError("the body is not as long as its content-length says")
        return data


def whole(status: int, fixed: bytes) -> bytes:
    """A response without a body, after which the connection ends."""
    return b"HTTP/1.1 %d \r\ncontent-length: 0\r\nconnection: close\r\n%b\r\n" % (status, fixed)


@functools.lru_cache(512)
def _lowered(name: bytes) -> bytes:
    if _NAME.fullmatch(name) is None:
        raise AnswerError(f"{name[:100]!r} is not the name of a header")
    return name.lower()


def _length(given: list[tuple[bytes, bytes]]) -> int | None:
    values = {value for _, value in given}
    if not values:
        return None
    value = values.pop()
    if values or not value.isdigit() or len(value) > 19:
        raise AnswerError(f"{value[:100]!r} is not a content-length, or not the only one")
    return int(value)


def _refuse_breaks(lines: list[bytes]) -> None:
    """A line break in a value would be another header, or another response."""
    text = b"".join(lines)
    if text.count(b"\n") != len(lines) or text.count(b"\r") != len(lines) or b"\0" in text:
        raise AnswerError("a header holds a line break or a NUL")
