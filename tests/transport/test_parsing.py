"""Reading responses, without a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import httpx
import pytest

from coderouter_core.transport.incoming import Incoming
from coderouter_core.transport.parsing import ResponseParser

if TYPE_CHECKING:
    from coderouter_core.transport.connection import Connection


def parsed(data: bytes) -> Incoming:
    """What becomes of bytes that come in one read."""
    incoming = Incoming(cast("Connection", None))
    parser = ResponseParser("up:80")
    parser.expect(incoming, head_only=False)
    parser.feed(data)
    return incoming


def test_a_large_head_that_comes_with_its_body_in_one_read_is_refused() -> None:
    many = b"x-many: %b\r\n" % (b"x" * 100) * 700

    with pytest.raises(httpx.RemoteProtocolError, match="more than 64 KiB of headers"):
        parsed(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n" + many + b"\r\nok")


def test_a_head_of_60_kib_is_fine() -> None:
    many = b"x-many: %b\r\n" % (b"x" * 100) * 550

    assert parsed(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n" + many + b"\r\nok").pieces == [b"ok"]


def test_trailers_are_no_headers() -> None:
    incoming = parsed(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-trailer: 1\r\n\r\n"
    )

    assert (incoming.headers, incoming.done) == ([(b"transfer-encoding", b"chunked")], True)
