"""One exchange with a client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from coderouter_core.errors import RequestError
from coderouter_core.web.exchange import read_body


def test_a_body_that_stops_coming_is_408() -> None:
    pieces = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive() -> dict[str, Any]:
        if not pieces:
            await asyncio.Event().wait()
        return pieces.pop()

    with pytest.raises(RequestError, match=r"nothing more of the body came for 0\.01 s") as refused:
        asyncio.run(read_body(receive, 100, patience_s=0.01))

    assert refused.value.fault.status == 408


def test_a_body_that_never_begins_is_408() -> None:
    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def read() -> bytes:
        async with asyncio.timeout(5):
            return await read_body(receive, 100, patience_s=0.01)

    with pytest.raises(RequestError) as refused:
        asyncio.run(read())

    assert refused.value.fault.status == 408


def test_a_body_that_comes_in_pieces_is_joined() -> None:
    pieces = [
        {"type": "http.request", "body": b"}"},
        {"type": "http.request", "body": b"", "more_body": True},
        {"type": "http.request", "body": b"{", "more_body": True},
    ]

    async def receive() -> dict[str, Any]:
        return pieces.pop()

    assert asyncio.run(read_body(receive, 100)) == b"{}"
