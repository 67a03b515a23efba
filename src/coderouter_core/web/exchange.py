"""One HTTP exchange with a client: read its body, watch for its leaving, answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from coderouter_core.errors import RequestError
from coderouter_core.model import Fault

Scope = Any
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

#: Containers that may stand in one another in a request. Encoders and our own readers go no deeper.
MOST_DEPTH = 200
#: Seconds of silence in the middle of a request's body.
PATIENCE_S = 60.0


class ClientGone(Exception):  # noqa: N818  (it is not an error of anybody's)
    """The client left before its request was read."""


async def read_body(receive: Receive, most: int, patience_s: float = PATIENCE_S) -> bytes:
    """The whole body. Raises `RequestError`: 413 as soon as it is larger than `most` bytes, 408 when nothing of it
    comes for `patience_s`."""
    message = await receive()
    pieces: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece = message.get("body", b"")
        if piece:
            size += len(piece)
            if size > most:
                raise RequestError(
                    Fault(
                        413, "request_too_large", f"the body is larger than {most} bytes", should_retry=False
                    )
                )
            pieces.append(piece)
        if not message.get("more_body"):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        try:
            async with asyncio.timeout(patience_s):
                message = await receive()
        except TimeoutError:
            text = f"nothing more of the body came for {patience_s:g} s"
            raise RequestError(Fault(408, "timeout_error", text)) from None


def decode(raw: bytes) -> dict[str, Any]:
    """The body as a JSON object. Raises `RequestError` (400) that says what it is instead."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise _bad(f"the body is not JSON: {error.msg} at character {error.pos}") from None
    if not isinstance(body, dict):
        raise _bad(f"the body must be a JSON object, not {_kind(body)}")
    if len(raw) > 2 * MOST_DEPTH and _too_deep(body):
        raise _bad(f"the body is nested more than {MOST_DEPTH} levels deep")
    return body


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
        self._send = send

    async def open(self, status: int, headers: Mapping[str, str]) -> None:
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
