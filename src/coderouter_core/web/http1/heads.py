"""Read the head of a request: its first line and its headers."""

from __future__ import annotations

import re

import httptools
from attrs import frozen

#: httptools reads this line too, but lets runs of spaces pass, HTTP/0.9, and protocols that only look like HTTP.
_FIRST_LINE = re.compile(rb"([A-Z-]+) ([!-~]+) HTTP/([0-9]\.[0-9])\r\n")
#: Headers that decide how the request is read; the others are the application's matter.
_DECIDING = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade"}
)

Headers = list[tuple[bytes, bytes]]


class ProtocolError(Exception):
    """What came is no request that could be answered. `status` is what the client is told."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Reading:
    """One message in httptools: its head, and then its body where that is chunked."""

    __slots__ = ("_headed", "_parser", "complete", "deciding", "headers", "pieces")

    def __init__(self) -> None:
        self.headers: Headers = []
        self.deciding: dict[bytes, list[bytes]] = {}
        self.pieces: list[bytes] = []
        self.complete = False
        self._headed = False
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)

    def feed(self, data: bytes) -> None:
        assert self._parser is not None
        self._parser.feed_data(data)

    def end(self) -> None:
        """Nothing more is fed. The parser holds whom it tells: this would be kept until garbage is searched for."""
        self._parser = None

    # httptools calls these while `feed` runs.

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._headed:
            return  # A trailer: nobody asks for it, and it must not pass for a header.
        name, value = name.lower(), value.rstrip(b" \t")
        if name in _DECIDING:
            if name == b"transfer-encoding":
                value = value.lower()
            self.deciding.setdefault(name, []).append(value)
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._headed = True

    def on_body(self, data: bytes) -> None:
        self.pieces.append(data)

    def on_message_complete(self) -> None:
        self.complete = True


@frozen
class Head:
    """`headers` have lower-case names. `reading` goes on with the body where that is `chunked`, else it is of
    `length`. `leaves`: it wants another protocol on this connection."""

    method: str
    target: bytes
    version: str
    headers: Headers
    length: int
    chunked: bool
    keep_alive: bool
    expects_continue: bool
    leaves: bool
    reading: Reading


def read_head(raw: bytes) -> Head:
    """The head that `raw` is, up to and with its empty line. Raises `ProtocolError`.

    httptools refuses what smuggling is made of: a length beside a transfer encoding, two lengths, folded
    lines, bare CR, LF and NUL, space before a colon. The rest, which it leaves to its user, is refused here.
    """
    first = _FIRST_LINE.match(raw)
    if first is None:
        raise ProtocolError(400, "the first line is not that of a request")
    method, target, version = first.groups()
    if version not in (b"1.1", b"1.0"):
        raise ProtocolError(505, "neither HTTP/1.1 nor HTTP/1.0")
    reading = Reading()
    try:
        reading.feed(raw)
    except httptools.HttpParserUpgrade:
        pass  # Told by the headers as well, and by CONNECT, which is refused as any other method is.
    except httptools.HttpParserError as error:
        _refuse_codings(reading)
        raise ProtocolError(400, str(error)) from None
    _refuse_codings(reading)
    deciding = reading.deciding
    chunked = b"transfer-encoding" in deciding
    if not chunked:
        reading.end()
    hosts = len(deciding.get(b"host", ()))
    if hosts > 1 or (hosts == 0 and version == b"1.1"):
        raise ProtocolError(400, f"{hosts} Host headers; there must be one")
    return Head(
        method=method.decode("ascii"),
        target=target,
        version=version.decode("ascii"),
        headers=reading.headers,
        length=int(deciding.get(b"content-length", (b"0",))[0]),
        chunked=chunked,
        # Connections of HTTP/1.0 are not kept, whatever they ask for; nor is what is no tunnel after all.
        keep_alive=version == b"1.1"
        and method != b"CONNECT"
        and b"close" not in _words(deciding, b"connection"),
        expects_continue=version == b"1.1" and b"100-continue" in _words(deciding, b"expect"),
        leaves=b"upgrade" in deciding and method != b"CONNECT",
        reading=reading,
    )


def refuse_hopeless(begun: bytes) -> None:
    """Raise `ProtocolError` at once, not when its time is over, for what can become no head: TLS, and lines that
    end in LF alone."""
    if begun[0] <= 0x20 or begun.count(b"\n") != begun.count(b"\r\n"):
        raise ProtocolError(400, "no line of a request begins or ends like this")


def _refuse_codings(reading: Reading) -> None:
    """Whoever stands before us may read another coding, or a list of them, in another way."""
    codings = reading.deciding.get(b"transfer-encoding")
    if codings is not None and codings != [b"chunked"]:
        raise ProtocolError(501, "a transfer encoding other than chunked")


def _words(deciding: dict[bytes, list[bytes]], name: bytes) -> set[bytes]:
    """The words of a header that is a list, in lower case."""
    return {
        word.strip().lower() for value in deciding.get(name, ()) for word in value.split(b",") if word.strip()
    }
