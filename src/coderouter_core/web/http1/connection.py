"""A client's connection: one request after the other is read from it, and answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from coderouter_core.web.http1.answers import whole
from coderouter_core.web.http1.bodies import END, body_of
from coderouter_core.web.http1.exchange import Ends, Exchange, scope_of
from coderouter_core.web.http1.heads import Head, ProtocolError, read_head, refuse_hopeless
from coderouter_core.web.http1.site import Site
from coderouter_core.web.http1.unread import Unread

#: What may pile up unread before the socket is left alone, which makes the client wait.
UNREAD_BYTES = 256 * 1024
#: A client that still sends when it is told off gets so long to read why.
LINGER_S = 2.0
#: A client that reads nothing is given up after so many times what an idle connection is kept.
UNREAD_TIMES = 4
#: How a connection begins that speaks HTTP/2 without having asked.
PREFACE = b"PRI * HTTP/2.0\r\n\r\n"


class ClientConnection(asyncio.Protocol):
    """`ended` is done when the connection is, and every application on it: then it is True. It is False when the
    client wants another protocol: `hand_over` was given the bytes from which somebody else goes on reading."""

    def __init__(
        self, site: Site, ends: Ends, transport: asyncio.Transport, hand_over: Callable[[bytes], None]
    ) -> None:
        self.full = False
        self._site = site
        self._ends = ends
        self._transport = transport
        self._give = hand_over
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[bool] = self._loop.create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        #: Bytes that came, and how far they are read.
        self._input = b""
        self._at = 0
        #: Up to here there is no end of a head.
        self._searched = 0
        self._exchange: Exchange | None = None
        self._room = asyncio.Event()
        self._unread = Unread(self._loop, transport, UNREAD_TIMES * site.keep_alive_s)
        self._timer: asyncio.TimerHandle | None = None
        self._idle_since = 0.0
        self._reading = True
        #: The client sends no more; we read no more; there is no connection any more.
        self._eof = self._deaf = self._lost = False

    @property
    def ending(self) -> bool:
        return self._site.draining

    def begin(self, held: bytes, eof: bool) -> None:
        """Start with what has come already."""
        self._site.connections.add(self)
        self._be_idle()
        self._eof = eof
        if held:
            self.data_received(held)
        if eof and not self._deaf:
            self._heed_eof()
        if self._site.draining:
            self.drain()

    def drain(self) -> None:
        """No other request is read; the one that is being answered may end."""
        if self._exchange is None and not self._deaf:
            self._close()

    async def abandon(self) -> None:
        """End what runs on it, and then itself."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._close()

    # What comes in.

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        # Hardly ever is there a rest: a client waits for its answer, and what is no head yet is short.
        self._input = data if self._at == len(self._input) else self._input[self._at :] + data
        self._at = 0
        try:
            self._read()
        except ProtocolError as error:
            self._refuse(error.status)

    def _read(self) -> None:
        while self._at < len(self._input) and not self._deaf:
            exchange = self._exchange
            if exchange is None:
                if not self._begin_exchange():
                    return
            elif not exchange.body.done:
                self._at = exchange.take(self._input, self._at)
            else:
                break  # The next request waits until this one is answered.
        self._searched = 0
        if self._at == len(self._input):
            # Not kept until the next bytes come: it may be a large body, of which the exchange has its own.
            self._input, self._at = b"", 0
        exchange = self._exchange
        waiting = len(self._input) - self._at + (exchange.unread if exchange else 0)
        if waiting > UNREAD_BYTES and self._reading and not self._deaf:
            self._reading = False
            self._transport.pause_reading()

    def _begin_exchange(self) -> bool:
        """Start the application on the next request. False when its head is not complete."""
        end = self._input.find(END, self._at + self._searched)
        size = (end + len(END) if end >= 0 else len(self._input)) - self._at
        if size > self._site.most_head:
            raise ProtocolError(431, "the head is too large")
        if end < 0:
            self._searched = max(0, size - len(END) + 1)
            refuse_hopeless(self._input[self._at :])
            return False
        raw = self._input[self._at : self._at + size]
        if raw == PREFACE:
            self._hand_over()
            return False
        head = read_head(raw)
        if head.leaves:
            self._hand_over()
            return False
        self._at += size
        self._searched = 0
        self._start(head)
        return True

    def _start(self, head: Head) -> None:
        exchange = Exchange(self, head, body_of(head, self._site.most_head))
        self._exchange = exchange
        task = self._loop.create_task(self._run(exchange, scope_of(head, self._ends)))
        self._tasks.add(task)
        task.add_done_callback(self._ran)

    def eof_received(self) -> bool:
        self._eof = True
        if not self._deaf:
            self._heed_eof()
        else:
            self._transport.close()
        return not self._lost and self._ends.scheme == "http"

    def _heed_eof(self) -> None:
        """Nothing more will come: what is under way is all there is."""
        exchange = self._exchange
        incomplete = self._at < len(self._input) if exchange is None else not exchange.body.done
        if incomplete:
            self._refuse(400)
        elif exchange is None:
            self._close()
        elif self._at == len(self._input):
            exchange.leave(mute=False)

    def taken(self) -> None:
        """The application has taken what had come of the body."""
        if not self._reading and not self._deaf and len(self._input) - self._at <= UNREAD_BYTES:
            self._reading = True
            self._transport.resume_reading()

    # What goes out.

    def write(self, data: bytes) -> None:
        if not self._lost:
            self._transport.write(data)

    async def room(self) -> None:
        """Wait until the client has read."""
        while self.full and not self._lost:
            self._room.clear()
            await self._room.wait()

    def fixed(self) -> bytes:
        """The header lines of every response."""
        return self._site.fixed()

    def answered(self, exchange: Exchange) -> None:
        """The response is complete: on to the next request, or to the end."""
        if exchange is not self._exchange or self._lost:
            return
        self._exchange = None
        if not exchange.answer.keep_alive or not exchange.body.done or self._site.draining:
            self._finish(pending=not exchange.body.done or self._at < len(self._input))
            return
        self._be_idle()
        self.taken()
        if self._at < len(self._input):
            self.data_received(b"")
        if self._eof and not self._deaf:
            self._heed_eof()

    def _refuse(self, status: int) -> None:
        """Answer for the application where that is still possible, and read no more."""
        exchange, self._exchange = self._exchange, None
        if exchange is None or not exchange.answer.begun:
            self.write(whole(status, self._site.fixed()))
        if exchange is not None:
            exchange.leave(mute=True)
        self._finish(pending=True)

    def _finish(self, *, pending: bool) -> None:
        """Everything was said. What the client is still sending is taken and thrown away for a moment:
        closing over it would reset the connection, and could take the answer away that it has not read yet."""
        if self._deaf:
            return
        self._deaf = True
        self._input, self._at = b"", 0
        if not pending or self._eof or not self._transport.can_write_eof():
            self._part()
            return
        self._transport.write_eof()
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()
        self._set_timer(self._loop.time() + LINGER_S)

    def _close(self) -> None:
        self._deaf = True
        self._part()

    def _part(self) -> None:
        """Close as soon as what was written is on its way."""
        if not self._lost:
            self._transport.close()
            self._set_timer(self._loop.time() + self._site.keep_alive_s)

    def _hand_over(self) -> None:
        """Somebody else goes on with this request. Nothing may come in between."""
        if self._eof:
            raise ProtocolError(400, "another protocol, with a client that has hung up")
        self._deaf = True
        self._leave_site()
        if not self._reading:
            self._transport.resume_reading()
        self._give(self._input[self._at :])
        self.ended.set_result(False)

    # Its applications.

    async def _run(self, exchange: Exchange, scope: dict[str, Any]) -> None:
        try:
            await self._site.app(scope, exchange.receive, exchange.send)
        except Exception:
            await self._site.settings.log.exception("Error in ASGI Framework")
        finally:
            self._left(exchange)

    def _left(self, exchange: Exchange) -> None:
        """The application is through; with its answer, if all is well."""
        if exchange is not self._exchange:
            return
        if exchange.answer.begun or exchange.gone:
            # Cut short: the end of the connection is the only way left to say so.
            exchange.leave(mute=True)
            self._exchange = None
            self._close()
        else:
            self._refuse(500)

    def _ran(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._end_when_over()

    # Time.

    def _be_idle(self) -> None:
        self._idle_since = self._loop.time()
        if self._timer is None:
            self._set_timer(self._idle_since + self._site.keep_alive_s)

    def _set_timer(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        """One timer for the life of a connection: it is set again only when it has gone off too early."""
        self._timer = None
        if self._deaf:
            # The client had its time to take the little that was left. What is much is watched over.
            if self._transport.is_closing() and not self.full:
                self._transport.abort()
            else:
                self._part()
        elif self._exchange is None:
            due = self._idle_since + self._site.keep_alive_s
            if due <= self._loop.time():
                self._close()
            else:
                self._set_timer(due)

    # The transport calls these, besides `data_received` and `eof_received`.

    def pause_writing(self) -> None:
        self.full = True
        self._unread.watch()

    def resume_writing(self) -> None:
        self.full = False
        self._unread.over()
        self._room.set()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._lost = self._deaf = True
        self._leave_site()
        self._room.set()
        if self._exchange is not None:
            self._exchange.leave(mute=True)
            self._exchange = None
        self._end_when_over()

    def _leave_site(self) -> None:
        self._site.connections.discard(self)
        self._unread.over()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_when_over(self) -> None:
        if self._lost and not self._tasks and not self.ended.done():
            self.ended.set_result(True)
