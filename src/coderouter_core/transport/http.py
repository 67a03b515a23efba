"""HTTP/1.1 over connections that are kept."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

import httpx

from coderouter_core.transport.connection import ClosedIdle, Connection, Origin, Timeouts
from coderouter_core.transport.dialing import dial, place
from coderouter_core.transport.incoming import Incoming
from coderouter_core.transport.keeping import Keep
from coderouter_core.transport.outgoing import outgoing
from coderouter_core.transport.tls import client_context

PORTS = {b"http": 80, b"https": 443}


class HttpTransport(httpx.AsyncBaseTransport):
    """An `httpx.AsyncBaseTransport` that stays fast with hundreds of requests at a time.

    Belongs to one event loop. `request.extensions["timeout"]` says how long, in seconds, None or
    missing being for ever: ``connect`` (name, TCP and TLS together), ``write`` and ``read`` (silence
    between bytes), and beyond what httpx knows ``head`` (until the headers of the answer are
    complete, so that one that drips is given up; ``read`` when missing) and ``first_byte`` (until
    the first byte of the body), both from the end of the request.

    Errors are those of httpx. Bodies are handed out as they come: whoever wants a content encoding
    undone does it. No redirect is followed. Cancelling a task that waits here closes its connection.

    A request goes out a second time only when it went out on a kept connection that closed at
    once and without a byte of an answer. That is a server whose idle timer ran out while the
    request was on its way, and it has not read it. Anything else may have been worked on, and a
    POST to a model costs money: it fails, and who asked decides.
    """

    def __init__(
        self,
        *,
        max_idle: int = 64,
        idle_s: float = 60.0,
        tls: Callable[[], ssl.SSLContext] = client_context,
    ) -> None:
        self._keep = Keep(max_idle, idle_s)
        self._connections: set[Connection] = set()
        self._make_context = tls
        self._context: ssl.SSLContext | None = None
        self._making_context = asyncio.Lock()
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        head, body = await outgoing(request)
        head_only = request.method == "HEAD"
        timeouts: Timeouts = request.extensions.get("timeout") or {}
        url = request.url
        origin = (url.raw_scheme, url.raw_host, url.port)
        loop = asyncio.get_running_loop()
        if (kept := self._keep.take(origin, loop.time())) is not None:
            try:
                return _response(await kept.exchange(head, body, timeouts, head_only=head_only))
            except ClosedIdle:
                pass
        connection = await self._dial(loop, origin, timeouts)
        return _response(await connection.exchange(head, body, timeouts, head_only=head_only))

    async def aclose(self) -> None:
        """Close every connection, whatever is on it. Twice is once."""
        self._closed = True
        for connection in tuple(self._connections):
            connection.abort()
        await asyncio.sleep(0)  # the event loop closes the sockets in its next round

    def made(self, connection: Connection) -> None:
        self._connections.add(connection)

    def freed(self, connection: Connection) -> None:
        self._keep.put(connection)

    def lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._keep.forget(connection)

    async def _dial(self, loop: asyncio.AbstractEventLoop, origin: Origin, timeouts: Timeouts) -> Connection:
        scheme, raw_host, port = origin
        if scheme not in PORTS:
            raise httpx.UnsupportedProtocol(f"only http:// and https:// are spoken, not {scheme.decode()!r}")
        host, port = raw_host.decode("ascii"), port or PORTS[scheme]
        context = await self._tls() if scheme == b"https" else None
        connection = Connection(loop, origin, place(host, port), self)
        try:
            await dial(connection, host, port, context, timeouts.get("connect"))
            if self._closed:
                raise httpx.ConnectError("the transport was closed")
        except BaseException:
            # It may have been connected in the moment in which this was cancelled.
            connection.abort()
            raise
        return connection

    async def _tls(self) -> ssl.SSLContext:
        async with self._making_context:
            if self._context is None:
                self._context = await asyncio.to_thread(self._make_context)
        return self._context


def _response(incoming: Incoming) -> httpx.Response:
    return httpx.Response(
        incoming.status,
        headers=incoming.headers,
        stream=incoming,
        extensions={"http_version": b"HTTP/1.1"},
    )
