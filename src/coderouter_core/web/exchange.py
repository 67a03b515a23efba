"""One HTTP exchange with a client: read its body, watch for its leaving, answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from coderouter_core.engine.deadline import Deadline
from coderouter_core.errors import RequestError
from coderouter_core.model import Fault

Scope = Any
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

#: Containers that may stand in one another in a request. Encoders and our own readers go no deeper.
MOST_DEPTH = 200
#: Seconds of silence before and in a request's body, and seconds that it may be late.
PATIENCE_S = 60.0
#: What comes more slowly is late, and a link of this kind is worse than any that people work with. Without it a
#: byte a minute could hold a connection, and what came so far, for ever.
LEAST_BYTES_A_SECOND = 1024
#: orjson writes no more of them than this. Writing a body up to so many bytes is quicker than walking through it.
WRITTEN_DEPTH = 254
MOST_WRITTEN = 256 * 1024
#: So is a larger one that has an object in so many bytes.
DENSE = 1024


class ClientGone(Exception):  # noqa: N818  (it is not an error of anybody's)
    """The client left before its request was read."""


async def read_body(receive: Receive, most: int, patience_s: float = PATIENCE_S) -> bytes:
    """The whole body. Raises `RequestError`: 413 as soon as it is larger than `most` bytes, 408 when nothing of it
    comes for `patience_s`, or when it is later by so much than it would be at `LEAST_BYTES_A_SECOND`."""
    loop = asyncio.get_running_loop()
    began = now = loop.time()
    due = began + patience_s
    pieces: list[bytes] = []
    size = 0
    deadline = Deadline(loop)
    try:
        while True:
            with deadline.at(due):
                message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            piece = message.get("body", b"")
            if piece:
                size += len(piece)
                if size > most:
                    raise _too_large(most)
                pieces.append(piece)
            if not message.get("more_body"):
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)
            now = loop.time()
            due = min(now, began + size / LEAST_BYTES_A_SECOND) + patience_s
    except TimeoutError:
        silent = due >= now + patience_s
        text = f"nothing more of the body came for {patience_s:g} s"
        slow = f"the body came at less than {LEAST_BYTES_A_SECOND} bytes a second for {patience_s:g} s"
        raise RequestError(Fault(408, "timeout_error", text if silent else slow)) from None
    finally:
        deadline.close()


def _too_large(most: int) -> RequestError:
    text = f"the body is larger than {most} bytes"
    return RequestError(Fault(413, "request_too_large", text, should_retry=False))


def decode(raw: bytes) -> tuple[dict[str, Any], bool]:
    """The body as a JSON object, and whether `raw` is what orjson would write for it, as most clients do.

    Raises `RequestError` (400) that says what it is instead.
    """
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise _bad(f"the body is not JSON: {error.msg} at character {error.pos}") from None
    if not isinstance(body, dict):
        raise _bad(f"the body must be a JSON object, not {_kind(body)}")
    if len(raw) <= 2 * MOST_DEPTH:
        return body, False
    quick = len(raw) <= MOST_WRITTEN or raw.count(b"{") > len(raw) // DENSE
    written = _written(body) if quick else b""
    if not written and _too_deep(body):
        raise _bad(f"the body is nested more than {MOST_DEPTH} levels deep")
    return body, written == raw


def _written(body: dict[str, Any]) -> bytes:
    """`body` as JSON; empty where orjson does not write it within so many lists that `MOST_DEPTH` levels are left."""
    wrapped: Any = body
    for _ in range(WRITTEN_DEPTH - MOST_DEPTH):
        wrapped = [wrapped]
    try:
        return orjson.dumps(wrapped)[WRITTEN_DEPTH - MOST_DEPTH : MOST_DEPTH - WRITTEN_DEPTH]
    except orjson.JSONEncodeError:
        return b""


def _too_deep(body: dict[str, Any]) -> bool:
    level: list[Any] = [body]
    for _ in range(MOST_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if (kind := type(inner)) is dict or kind is list
        ]
        if not level:
            return False
    return True


def _bad(message: str) -> RequestError:
    return RequestError(Fault(400, "invalid_request_error", message))


def _kind(value: Any) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Header values are made plain: one line, Latin-1."""
    return [
        (
            name.encode("latin-1"),
            value.replace("\r", " ").replace("\n", " ").replace("\0", " ").encode("latin-1", "replace"),
        )
        for name, value in headers.items()
    ]


class HttpConnection:
    """`coderouter_core.engine.Connection` over ASGI."""

    def __init__(self, send: Send) -> None:
        self.opened = False
        self._send = send

    async def open(self, status: int, headers: Mapping[str, str]) -> None:
        self.opened = True
        await self._send({"type": "http.response.start", "status": status, "headers": _encoded(headers)})

    async def send(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self, data: bytes = b"") -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": False})


async def until_gone(receive: Receive, work: asyncio.Task[Any]) -> None:
    """Cancel `work` when the client leaves; ASGI servers do not do that by themselves."""
    while (await receive())["type"] != "http.disconnect":
        pass
    work.cancel(GONE)


GONE = "the client left"
