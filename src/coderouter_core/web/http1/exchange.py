"""One request and its response, as the application sees them: ASGI's scope, `receive` and `send`."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol
from urllib.parse import unquote

from attrs import frozen

from coderouter_core.web.http1.answers import Answer, AnswerError
from coderouter_core.web.http1.bodies import Body
from coderouter_core.web.http1.heads import Head

Scope = dict[str, Any]
Message = dict[str, Any]

CONTINUE = b"HTTP/1.1 100 \r\n\r\n"


@frozen
class Ends:
    """The two ends of a connection, and what every request on it is told besides."""

    client: tuple[str, int] | None
    server: tuple[str, int] | None
    scheme: str
    root_path: str
    state: dict[str, Any]


class Line(Protocol):
    """What an exchange asks of its connection."""

    @property
    def full(self) -> bool:
        """The client reads more slowly than it is sent to."""

    @property
    def ending(self) -> bool:
        """No other request is read on it."""

    def write(self, data: bytes) -> None: ...

    async def room(self) -> None:
        """Wait until the client has read."""

    def fixed(self) -> bytes:
        """The header lines of every response."""

    def taken(self) -> None:
        """The application has taken what had come of the body."""

    def answered(self, exchange: Exchange) -> None:
        """The response is complete."""


def scope_of(head: Head, ends: Ends) -> Scope:
    """ASGI's scope of a request, field by field what hypercorn makes of it."""
    path, _, query = head.target.partition(b"?")
    return {
        "type": "http",
        "http_version": head.version,
        "asgi": {"spec_version": "2.1", "version": "3.0"},
        "method": head.method,
        "scheme": ends.scheme,
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query,
        "root_path": ends.root_path,
        "headers": head.headers,
        "client": ends.client,
        "server": ends.server,
        "state": ends.state.copy(),
        "extensions": {},
    }


class Exchange:
    """`unread` is what the application has not yet taken of the body, in bytes. `gone`: the client will send no
    more; `mute`: nor can it be sent anything."""

    __slots__ = (
        "_arrived",
        "_continue",
        "_line",
        "_pieces",
        "_whole",
        "answer",
        "body",
        "gone",
        "mute",
        "unread",
    )

    def __init__(self, line: Line, head: Head, body: Body) -> None:
        self.body = body
        self.answer = Answer(head)
        self.gone = self.mute = False
        self.unread = 0
        self._line = line
        self._pieces: list[bytes] = []
        self._arrived = asyncio.Event()
        self._continue = head.expects_continue
        #: The application knows that the body is complete.
        self._whole = False

    def take(self, data: bytes, start: int) -> int:
        """Take what belongs to the body; where the rest begins. Raises `ProtocolError`."""
        piece, rest = self.body.read(data, start)
        # The client did not wait for it.
        self._continue = False
        if piece:
            self._pieces.append(piece)
            self.unread += len(piece)
        if piece or self.body.done:
            self._arrived.set()
        return rest

    def leave(self, *, mute: bool) -> None:
        """Tell the application that its client has left."""
        self.gone = True
        self.mute = self.mute or mute
        self._arrived.set()

    async def receive(self) -> Message:
        while True:
            if self._pieces or (self.body.done and not self._whole):
                return self._taken()
            if self.gone or self.answer.done:
                return {"type": "http.disconnect"}
            if self._continue:
                self._continue = False
                self._line.write(CONTINUE)
            self._arrived.clear()
            await self._arrived.wait()

    def _taken(self) -> Message:
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self.unread = 0
        self._whole = self.body.done
        self._line.taken()
        return {"type": "http.request", "body": data, "more_body": not self._whole}

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self.answer.start(int(message["status"]), message.get("headers", ()))
        elif kind == "http.response.body":
            self._send_body(bytes(message.get("body", b"")), bool(message.get("more_body", False)))
            if self._line.full and not self.mute:
                await self._line.room()
        else:
            raise AnswerError(f"{kind} is not sent over HTTP/1")

    def _send_body(self, data: bytes, more: bool) -> None:
        # An answer that ends before its request did leaves bytes on the connection that nobody wants.
        last = self._line.ending or (not more and not self.body.done)
        out = self.answer.body(data, more, b"" if self.answer.begun else self._line.fixed(), last=last)
        if out and not self.mute:
            self._line.write(out)
        if self.answer.done:
            self._arrived.set()
            self._line.answered(self)
