"""One exchange with a client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from coderouter_core.errors import RequestError
from coderouter_core.web.exchange import read_body


class Skipping(asyncio.SelectorEventLoop):
    """A loop whose time goes on by what is added to `skipped`."""

    skipped = 0.0

    def time(self) -> float:
        return super().time() + self.skipped


def body_at(bytes_a_second: int, seconds: int) -> bytes:
    """A body of which a piece comes every second."""
    loop = Skipping()
    left = seconds

    async def receive() -> dict[str, Any]:
        nonlocal left
        left -= 1
        loop.skipped += 1
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b" " * bytes_a_second, "more_body": left > 0}

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(read_body(receive, 2**30))


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
        raise AssertionError

    with pytest.raises(RequestError, match=r"nothing more of the body came for 0\.01 s"):
        asyncio.run(read_body(receive, 100, patience_s=0.01))


def test_a_body_that_drips_is_408() -> None:
    with pytest.raises(RequestError, match="less than 1024 bytes a second") as refused:
        body_at(bytes_a_second=500, seconds=1000)

    assert refused.value.fault.status == 408


def test_a_body_on_a_slow_link_may_take_as_long_as_it_needs() -> None:
    assert len(body_at(bytes_a_second=1100, seconds=1000)) == 1_100_000


def test_a_short_body_may_drip_for_a_while() -> None:
    assert body_at(bytes_a_second=1, seconds=50) == b" " * 50


def test_a_body_that_comes_in_pieces_is_joined() -> None:
    pieces = [
        {"type": "http.request", "body": b"}"},
        {"type": "http.request", "body": b"", "more_body": True},
        {"type": "http.request", "body": b"{", "more_body": True},
    ]

    async def receive() -> dict[str, Any]:
        return pieces.pop()

    assert asyncio.run(read_body(receive, 100)) == b"{}"
