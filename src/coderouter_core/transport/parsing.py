"""Read HTTP/1.1 responses out of a connection's bytes."""

from __future__ import annotations

import httptools
import httpx

from coderouter_core.transport.incoming import Incoming

#: Status line and headers together; and what may come in a row without bringing a body forward.
MAX_HEAD_BYTES = 64 * 1024

_UPGRADE = "wants to change the protocol, which was not asked for"


class ResponseParser:
    """Fills one `Incoming` after the other. What is not HTTP/1.1 is `httpx.RemoteProtocolError`.

    `keep` says, once a response is done, whether the connection can carry another.
    """

    _incoming: Incoming

    def __init__(self, where: str) -> None:
        self._where = where
        self._parser = httptools.HttpResponseParser(self)
        self._problem = ""
        self._head_only = False
        self._until_eof = False
        self._head_bytes = 0
        self._fruitless_bytes = 0
        self.keep = True

    def expect(self, incoming: Incoming, *, head_only: bool) -> None:
        """What comes next belongs to `incoming`; after HEAD it has no body whatever its headers say."""
        self._incoming = incoming
        self._head_only = head_only
        self._head_bytes = self._fruitless_bytes = 0

    def feed(self, data: bytes) -> None:
        incoming = self._incoming
        incoming.started = True
        before = incoming.size
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise self._error(_UPGRADE) from None
        except httptools.HttpParserError as error:
            if not incoming.done:  # else it is what came after the end, and `keep` tells
                raise self._error(self._problem or f"does not speak HTTP/1.1: {error}") from error
        if incoming.size == before and not incoming.done:
            # A head, a chunk extension or a trailer that never ends shows here.
            self._fruitless_bytes += len(data)
            if self._fruitless_bytes > MAX_HEAD_BYTES:
                raise self._error(self._too_large())

    def ends_with_connection(self) -> bool:
        """Whether the end of the connection is the proper end of the body, which has no other."""
        return self._incoming.headed and self._until_eof

    # httptools calls these while `feed` runs. It swallows what they raise and stops.

    def on_message_begin(self) -> None:
        if self._incoming.done:
            # An answer to nothing: the next request would take it for its own.
            self.keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        incoming = self._incoming
        if incoming.headed:
            return  # a trailer
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._stop(self._too_large())
        incoming.headers.append((name, value))

    def on_headers_complete(self) -> None:
        incoming = self._incoming
        if incoming.headed:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            if status == 101:
                self._stop(_UPGRADE)
            incoming.headers.clear()
            return
        self._until_eof = self._has_no_length(incoming.headers)
        self._fruitless_bytes = 0
        incoming.status = status
        incoming.headed = True
        if self._head_only:
            self.keep = False
            incoming.done = True

    def on_body(self, data: bytes) -> None:
        incoming = self._incoming
        if not incoming.done:
            incoming.pieces.append(data)
            incoming.size += len(data)
            incoming.begun = True
            self._fruitless_bytes = 0

    def on_message_complete(self) -> None:
        incoming = self._incoming
        if incoming.headed and not incoming.done:
            incoming.done = True
            self.keep = self.keep and self._parser.should_keep_alive()

    def _has_no_length(self, headers: list[tuple[bytes, bytes]]) -> bool:
        no_length = True
        for name, value in headers:
            lowered = name.lower()
            if lowered == b"transfer-encoding":
                if value.strip().lower() != b"chunked":
                    self._stop("sends a transfer encoding that was not asked for")
                no_length = False
            elif lowered == b"content-length":
                no_length = False
        return no_length

    def _too_large(self) -> str:
        return f"sends more than {MAX_HEAD_BYTES // 1024} KiB of headers"

    def _stop(self, problem: str) -> None:
        self._problem = problem
        raise ValueError(problem)

    def _error(self, problem: str) -> httpx.RemoteProtocolError:
        return httpx.RemoteProtocolError(f"{self._where} {problem}")
