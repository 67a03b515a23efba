"""Requests in any pieces, with any mistakes; and how little it takes to answer one."""

from __future__ import annotations

import asyncio
import gc
import itertools
import re
import socket
import sys
from collections.abc import Sequence
from typing import Any

import h11
import pytest
from hypercorn.config import Config
from hypothesis import given, settings
from hypothesis import strategies as st

from coderouter_core.web.http1.bodies import Chunked, body_of
from coderouter_core.web.http1.connection import ClientConnection
from coderouter_core.web.http1.exchange import Ends, Exchange
from coderouter_core.web.http1.heads import ProtocolError, read_head
from coderouter_core.web.http1.site import Site

ENDS = Ends(client=("here", 1), server=("there", 2), scheme="http", root_path="", state={})
CHUNKED = b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = b"GET /g HTTP/1.1\r\nHost: a\r\n\r\n"
#: Three requests in a row; the bodies hold what could be taken for ends.
SEVERAL = (
    CHUNKED
    + b"a\r\n\r\n\r\n0\r\n\r\nx\r\n4;e=1\r\n\r\n\r\n\r\n0\r\nX: y\r\n\r\n"
    + b"POST /l HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n\r\n\r\nGET "
    + GET
)


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    told = b"<%b %b>" % (scope["raw_path"], body)
    head = [(b"content-length", b"%d" % len(told))]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": told})


async def played(pieces: Sequence[bytes], app: Any = echo) -> tuple[bytes, int]:
    """What a connection answers that was given exactly these pieces; and how many tasks it has then."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, ours)
    config = Config()
    config.include_date_header = config.include_server_header = False
    connection = ClientConnection(Site(app, config), ENDS, transport, lambda rest: None)
    transport.set_protocol(connection)
    connection.begin(b"", False)
    for piece in pieces:
        connection.data_received(piece)
        await asyncio.sleep(0)
    for _ in range(1000):
        if (tasks := len(asyncio.all_tasks())) == 1:
            break
        await asyncio.sleep(0)
    theirs.settimeout(5)
    connection.drain()
    await connection.ended
    with theirs:
        got = b""
        while piece := theirs.recv(65536):
            got += piece
    return got, tasks


def split(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({cut % len(data) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


WHOLE = [b"</c \r\n\r\n0\r\n\r\nx\r\n\r\n>", b"</l \r\n\r\nGET >", b"</g >"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, len(SEVERAL) - 1), max_size=12))
def test_requests_are_the_same_in_whatever_pieces_they_come(cuts: list[int]) -> None:
    got, _ = asyncio.run(played(split(SEVERAL, cuts)))

    assert re.findall(rb"<.*?>", got, re.DOTALL) == WHOLE


def test_requests_may_come_byte_by_byte() -> None:
    got, _ = asyncio.run(played([bytes([byte]) for byte in SEVERAL]))

    assert re.findall(rb"<.*?>", got, re.DOTALL) == WHOLE


def test_an_idle_connection_has_no_task() -> None:
    _, tasks = asyncio.run(played([GET] * 3))

    assert tasks == 1  # the test's own


CHUNK = st.builds(
    lambda size, ext, body: (size, ext, body),
    st.sampled_from([b"%x", b"%X", b"0%x", b"000%x"]),
    st.sampled_from([b"", b";a", b";a=b", b';a="b c"']),
    st.binary(min_size=1, max_size=40)
    | st.sampled_from([b"\r\n", b"\r\n\r\n", b"0\r\n\r\n", b"\r\n0\r\n\r\n"]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(CHUNK, max_size=6), st.lists(st.integers(0, 10_000), max_size=8), st.binary(max_size=20))
def test_a_chunked_body_ends_where_it_ends(
    chunks: list[tuple[bytes, bytes, bytes]], cuts: list[int], after: bytes
) -> None:
    sent = b"".join(size % len(body) + ext + b"\r\n" + body + b"\r\n" for size, ext, body in chunks)
    sent += b"0\r\nX: y\r\n\r\n"
    reading = Chunked(read_head(CHUNKED).reading, 10_000)

    body, rest = b"", b""
    for piece in split(sent + after, cuts):
        start = 0
        if not reading.done:
            more, start = reading.read(piece, 0)
            body += more
        rest += piece[start:]

    assert (reading.done, body, rest) == (True, b"".join(body for _, _, body in chunks), after)


#: What mistakes are made of.
ODD = st.sampled_from(
    [
        b"\r",
        b"\n",
        b"\r\n",
        b"\0",
        b" ",
        b"\t",
        b":",
        b",",
        b";",
        b"\x0b",
        b"\x7f",
        b"\x80",
        b"Host: b\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"chunked",
        b"5",
        b"1.0",
        b"HTTP/",
    ]
)
HEADS = st.sampled_from(
    [
        GET,
        CHUNKED,
        b"POST /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nX-A:  b\t\r\nConnection: keep-alive, x\r\n\r\n",
        b"HEAD http://a/ HTTP/1.0\r\nCookie: a=b; c=d\r\nExpect: 100-continue\r\n\r\n",
    ]
)


@st.composite
def mistaken(draw: st.DrawFn) -> bytes:
    head = bytearray(draw(HEADS))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(head) - 1))
        head[at : at + draw(st.integers(0, 2))] = draw(ODD | st.binary(min_size=0, max_size=2))
    return bytes(head)


@settings(max_examples=1000, deadline=None)
@given(mistaken())
def test_what_ours_takes_h11_takes_and_understands_alike(raw: bytes) -> None:
    end = raw.find(b"\r\n\r\n") + 4
    try:
        head = read_head(raw[:end])
    except ProtocolError:
        return

    stock = h11.Connection(h11.SERVER)
    stock.receive_data(raw[:end])
    event = stock.next_event()

    assert isinstance(event, h11.Request)
    assert (head.method.encode(), head.target, head.version.encode()) == (
        event.method,
        event.target,
        event.http_version,
    )
    assert head.headers == list(event.headers)


@pytest.mark.parametrize(
    ("raw", "rest"),
    [
        pytest.param(GET, b"", id="without-a-body"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n", b"ab", id="counted"),
        pytest.param(CHUNKED, b"2\r\nab\r\n0\r\n\r\n", id="chunked"),
    ],
)
def test_what_was_read_of_a_request_needs_no_search_for_garbage(raw: bytes, rest: bytes) -> None:
    gc.collect()
    gc.disable()
    try:
        body_of(read_head(raw), 1000).read(rest, 0)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_what_came_is_not_kept_while_it_is_answered() -> None:
    sent = CHUNKED.replace(b"Transfer-Encoding: chunked", b"Content-Length: 9") + b"a" * 9

    async def references() -> int:
        """Beside the application's own copy of the body, while it is thinking of an answer."""
        read, thought = asyncio.Event(), asyncio.Event()

        async def thinking(scope: dict[str, Any], receive: Any, send: Any) -> None:
            read.set()
            await thought.wait()
            await echo(scope, receive, send)

        before = sys.getrefcount(sent)
        answering = asyncio.ensure_future(played([sent], thinking))
        await read.wait()
        await asyncio.sleep(0)
        held = sys.getrefcount(sent) - before
        thought.set()
        await answering
        return held

    assert asyncio.run(references()) == 2  # the list that it is played from, and whoever plays it


class Written:
    """The connection of an `Exchange`, which keeps what is written."""

    full = ending = False

    def __init__(self) -> None:
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    async def room(self) -> None: ...

    def fixed(self) -> bytes:
        return b"date: today\r\n"

    def taken(self) -> None: ...

    def answered(self, exchange: Exchange) -> None: ...


def test_a_short_answer_is_one_write() -> None:
    line, head = Written(), read_head(GET)
    exchange = Exchange(line, head, body_of(head, 1000))

    asyncio.run(echo({"raw_path": b"/g"}, exchange.receive, exchange.send))

    assert line.writes == [b"HTTP/1.1 200 \r\ncontent-length: 5\r\ndate: today\r\n\r\n</g >"]


def test_a_client_that_does_not_wait_is_not_told_to_go_on() -> None:
    line, head = Written(), read_head(CHUNKED[:-2] + b"Expect: 100-continue\r\n\r\n")
    exchange = Exchange(line, head, body_of(head, 1000))

    async def read() -> bytes:
        exchange.take(b"5\r\nhel", 0)
        first = await exchange.receive()
        rest = asyncio.ensure_future(exchange.receive())
        await asyncio.sleep(0)
        exchange.take(b"lo\r\n0\r\n\r\n", 0)
        return bytes(first["body"] + (await rest)["body"])

    assert (asyncio.run(read()), line.writes) == (b"hello", [])


@pytest.mark.parametrize("size", [10, 2000], ids=["few", "many"])
def test_bytes_that_bring_no_body_are_counted(size: int) -> None:
    reading = Chunked(read_head(CHUNKED).reading, 1000)
    pieces = [b"5;", *[b"x" * 10] * (size // 10), b"\r\nhello\r\n0\r\n\r\n"]

    refused = []
    for piece in pieces:
        try:
            reading.read(piece, 0)
        except ProtocolError as error:
            refused.append(error.status)
            break

    assert refused == ([431] if size > 1000 else [])
