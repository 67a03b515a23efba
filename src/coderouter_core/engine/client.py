"""The client's side of one request: what was sent to it so far, and what keeps it waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

import orjson

from coderouter_core.model import Fault, Request
from coderouter_core.wire.codec import ClientSide


class Connection(Protocol):
    """What the web gives the engine: a way to answer, once."""

    async def open(self, status: int, headers: Mapping[str, str]) -> None:
        """Send status and headers."""

    async def send(self, data: bytes) -> None:
        """Send a piece of the body; returns when the client can take more."""

    async def finish(self, data: bytes = b"") -> None:
        """Send the last piece."""


STREAM_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}


class Client:
    """Opens the answer as late as possible, and keeps a streamed one alive with pings.

    `head` gives the headers that are known when the answer opens. `tag_body` writes who answered into whole
    answers, too, as CodeRouter 1.10 did.
    """

    def __init__(
        self,
        connection: Connection,
        request: Request,
        codec: ClientSide,
        head: Callable[[bool], Mapping[str, str]],
        ping_after_s: float,
        *,
        tag_body: bool = False,
    ) -> None:
        self.opened = False
        self.finished = False
        self.status = 0
        #: Bytes of the body that were sent, pings and frames included.
        self.sent = 0
        self._connection = connection
        self._request = request
        self._codec = codec
        self._head = head
        self._ping_after_s = ping_after_s
        self._tag_body = tag_body
        # A ping may come while the engine is sending; the lock keeps frames whole and the opening single.
        self._lock = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._sent_at = self._loop.time()
        self._ping: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        if request.stream:
            self._timer = self._loop.call_at(self._sent_at + ping_after_s, self._tick)

    def _tick(self) -> None:
        due = self._sent_at + self._ping_after_s
        if self._loop.time() + 0.001 < due:
            self._timer = self._loop.call_at(due, self._tick)
            return
        self._ping = self._loop.create_task(self._send_ping())
        self._timer = self._loop.call_later(self._ping_after_s, self._tick)

    async def _send_ping(self) -> None:
        async with self._lock:
            if self.finished:
                return
            if not self.opened:
                await self._open(200, {**STREAM_HEADERS, **self._head(False)})
            await self._connection.send(self._codec.ping)
            self.sent += len(self._codec.ping)
            self._sent_at = self._loop.time()

    async def _open(self, status: int, headers: Mapping[str, str]) -> None:
        self.opened = True
        self.status = status
        await self._connection.open(status, headers)

    async def stream(self, data: bytes) -> None:
        """Send frames of a streamed answer; the first ones open it."""
        async with self._lock:
            if not self.opened:
                await self._open(200, {**STREAM_HEADERS, **self._head(True)})
            if data:
                await self._connection.send(data)
                self.sent += len(data)
            self._sent_at = self._loop.time()

    async def end(self, data: bytes = b"") -> None:
        """Send the last frames of a streamed answer."""
        self.close()
        async with self._lock:
            if not self.opened:
                await self._open(200, {**STREAM_HEADERS, **self._head(True)})
            self.finished = True
            await self._connection.finish(data)
            self.sent += len(data)

    async def whole(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Answer at once with a body that is not streamed."""
        self.close()
        async with self._lock:
            self.finished = True
            head = self._head(True)
            if self._tag_body and status == 200:
                body = tagged(body, head["x-coderouter-provider"])
            fixed = {"content-type": "application/json", "content-length": str(len(body))}
            await self._open(status, {**fixed, **head, **headers})
            await self._connection.finish(body)

    async def fail(self, fault: Fault) -> None:
        """Tell of an error: as an HTTP status where the answer is not open yet, else as its last frames."""
        async with self._lock:
            opened = self.opened
        if opened:
            await self.end(self._codec.error_frames(fault, self._request.id))
            return
        headers: dict[str, str] = {}
        if fault.retry_after_s is not None:
            headers["retry-after"] = str(max(1, round(fault.retry_after_s)))
        if fault.should_retry is not None:
            headers["x-should-retry"] = "true" if fault.should_retry else "false"
        await self.whole(fault.status, headers, self._codec.error_body(fault, self._request.id))

    def close(self) -> None:
        """Stop pinging. Must be called, whatever became of the request."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def tagged(body: bytes, provider: str) -> bytes:
    """`body`, a JSON object, with ``coderouter_provider`` as its last key; nothing else of it changes."""
    inside = body.rstrip()[:-1].rstrip()
    comma = b"" if inside.endswith(b"{") else b","
    return b'%b%b"coderouter_provider":%b}' % (inside, comma, orjson.dumps(provider))
