"""One connection: a request goes out, a response comes in, and then the next."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import httpx

from coderouter_core.transport.incoming import Incoming
from coderouter_core.transport.parsing import ResponseParser
from coderouter_core.transport.sockets import has_something_to_say, tune
from coderouter_core.transport.waiting import Waiting

if TYPE_CHECKING:
    from coderouter_core.transport.http import HttpTransport

#: A request up to this size leaves in one go; of a larger one so much at a time.
PIECE_BYTES = 256 * 1024

#: What may pile up unread before the socket is left alone, which makes the upstream wait.
UNREAD_BYTES = 256 * 1024

#: A kept connection that closes this soon after a request was closed by the server's idle timer.
CLOSED_IDLE_S = 1.0

#: After so long in the pool a connection is looked at before it is used again.
LOOK_AFTER_S = 1.0

NO_ANSWER = "gave no answer within"

Origin = tuple[bytes, bytes, int | None]
Timeouts = Mapping[str, float | None]


class ClosedIdle(httpx.ReadError):
    """The server had closed the kept connection by the time the request was on its way."""


class Connection(asyncio.Protocol):
    """`origin` is whom it leads to, `where` the same for people."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, origin: Origin, where: str, owner: HttpTransport
    ) -> None:
        self.origin = origin
        self.idle_since = 0.0
        self._loop = loop
        self._where = where
        self._owner = owner
        self._waiting = Waiting(loop)
        self._parser = ResponseParser(where)
        self._transport: asyncio.Transport | None = None
        self._incoming: Incoming | None = None
        self._timeouts: Timeouts = {}
        self._asked_at = 0.0
        self._used = False
        self._sending = False
        self._full = False
        self._paused = False
        self._closed = False

    async def exchange(self, head: bytes, body: bytes, timeouts: Timeouts, *, head_only: bool) -> Incoming:
        """Send a request; the response when its headers are complete."""
        transport = self._transport
        if self._closed or transport is None:
            raise httpx.RemoteProtocolError(f"{self._where} closed the connection without an answer")
        incoming = self._incoming = Incoming(self)
        self._parser.expect(incoming, head_only=head_only)
        self._timeouts = timeouts
        self._asked_at = self._loop.time()
        try:
            await self._send(transport, head, body, incoming)
            await self._headers(incoming)
        except BaseException:
            self.abandon(incoming)
            raise
        if incoming.error is not None and not incoming.headed:
            raise incoming.error
        return incoming

    async def more(self, incoming: Incoming) -> None:
        """Wait until something comes for `incoming`, or its time is over."""
        seconds, since = self._timeouts.get("first_byte"), self._asked_at
        if incoming.begun or seconds is None:
            seconds, since = self._timeouts.get("read"), self._loop.time()
        try:
            if not await self._waiting.until(_due(seconds, since)):
                what = "fell silent in the middle of its answer for" if incoming.begun else NO_ANSWER
                self._fail(httpx.ReadTimeout(f"{self._where} {what} {seconds:g} s"))
        except BaseException:
            self.abandon(incoming)
            raise

    def taken(self, incoming: Incoming) -> None:
        """What had piled up was read: the upstream may go on."""
        if self._paused and incoming is self._incoming and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def abandon(self, incoming: Incoming) -> None:
        """Nobody wants the rest of `incoming`. Nothing happens when it is complete."""
        if incoming is self._incoming:
            self._fail(httpx.StreamClosed())

    def abort(self) -> None:
        """Close it now. What is on it fails."""
        self._fail(httpx.ReadError(f"the connection to {self._where} was closed"))

    def is_open(self, now: float) -> bool:
        """Whether it can carry another request: the server has not closed it meanwhile."""
        if self._closed or self._transport is None or self._transport.is_closing():
            return False
        return now - self.idle_since < LOOK_AFTER_S or not has_something_to_say(self._transport)

    async def _send(self, transport: asyncio.Transport, head: bytes, body: bytes, incoming: Incoming) -> None:
        if len(body) <= PIECE_BYTES:
            transport.writelines((head, body))  # one packet and one system call, where it fits
            return
        self._sending = True
        transport.write(head)
        view = memoryview(body)
        for at in range(0, len(view), PIECE_BYTES):
            await self._room(incoming)
            if incoming.headed or incoming.done:
                # Answered before it had read everything, with a refusal most likely. The rest
                # stays unsent, so nothing else can be sent on this connection.
                self._parser.keep = False
                break
            transport.write(view[at : at + PIECE_BYTES])
        self._sending = False
        self._asked_at = self._loop.time()
        if incoming.done and incoming is self._incoming:
            self._finish()

    async def _room(self, incoming: Incoming) -> None:
        """Wait until the socket takes more, or an answer comes."""
        seconds = self._timeouts.get("write")
        while self._full and not (incoming.headed or incoming.done):
            if not await self._waiting.until(_due(seconds, self._loop.time())):
                raise httpx.WriteTimeout(f"{self._where} took nothing of the request for {seconds:g} s")

    async def _headers(self, incoming: Incoming) -> None:
        seconds = self._timeouts.get("head", self._timeouts.get("read"))
        due = _due(seconds, self._asked_at)
        while not incoming.headed and not incoming.done:
            if not await self._waiting.until(due):
                raise httpx.ReadTimeout(f"{self._where} {NO_ANSWER} {seconds:g} s")

    def _finish(self) -> None:
        """The response is complete: ready for the next, or the end."""
        transport = self._transport
        if transport is None or transport.is_closing() or not self._parser.keep:
            self.abort()
            return
        self._incoming = None
        self._used = True
        self.idle_since = self._loop.time()
        self._owner.freed(self)

    def _fail(self, error: Exception) -> None:
        """The end of this connection, and of the response on it if that is not complete."""
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.fail(error)
        if self._closed:
            return
        self._closed = True
        self._waiting.wake()
        self._waiting.close()
        if self._transport is not None:
            self._transport.abort()
        self._owner.lost(self)

    def _ended(self, incoming: Incoming, error: Exception | None) -> httpx.TransportError:
        """What it means that the server closed the connection under a response."""
        kind: type[httpx.TransportError] = httpx.RemoteProtocolError if error is None else httpx.ReadError
        how = "closed" if error is None else "reset"
        if incoming.headed:
            return kind(f"{self._where} {how} the connection in the middle of its answer")
        soon = self._loop.time() - self._asked_at < CLOSED_IDLE_S
        if self._used and soon and not incoming.started:
            kind = ClosedIdle
        return kind(f"{self._where} {how} the connection without an answer")

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not of that class
        tune(transport)
        self._owner.made(self)

    def data_received(self, data: bytes) -> None:
        incoming = self._incoming
        if incoming is None:
            # Nobody asked. The error page of a server that gives up, or an attempt at answering
            # the next request: either way that request is better off elsewhere.
            self.abort()
            return
        try:
            self._parser.feed(data)
        except httpx.RemoteProtocolError as error:
            self._fail(error)
            return
        if incoming.headed:
            self._waiting.wake()
        if incoming.done:
            if not self._sending:
                self._finish()
        elif incoming.size > UNREAD_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self.connection_lost(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        incoming = self._incoming
        if incoming is None:
            self.abort()
        elif exc is None and self._parser.ends_with_connection():
            incoming.done = True
            self.abort()
        else:
            self._fail(self._ended(incoming, exc))

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._waiting.wake()


def _due(seconds: float | None, since: float) -> float | None:
    return None if seconds is None else since + seconds
