"""The same bytes, sent to both readers of HTTP/1: one that is ours, one that is hypercorn's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.web.http1.conftest import Server

#: The headers of an answer that only refuses.
NOTHING = {"content-length": "0", "connection": "close"}
HOST = b"Host: localhost\r\n"


def get(target: bytes = b"/", more: bytes = b"", version: bytes = b"1.1", method: bytes = b"GET") -> bytes:
    return b"%b %b HTTP/%b\r\n%b%b\r\n" % (method, target, version, HOST, more)


def post(body: bytes, more: bytes = b"", version: bytes = b"1.1") -> bytes:
    return get(b"/", b"Content-Length: %d\r\n%b" % (len(body), more), version, b"POST") + body


def chunked(body: bytes, coding: bytes = b"chunked", version: bytes = b"1.1") -> bytes:
    return get(b"/", b"Transfer-Encoding: %b\r\n" % coding, version, b"POST") + body


#: After this a connection ends.
LAST = get(b"/last", b"Connection: close\r\n")
#: The most that either takes of a head here, in bytes.
MOST_HEAD = 16 * 1024
CHUNKS = b"5\r\nhello\r\n1;name=value\r\n!\r\n0\r\n\r\n"

SERVED = {
    "get": get(),
    "query": get(b"/a/b?c=d&e=%20f"),
    "escapes-in-the-path": get(b"/caf%C3%A9/%2F%3F%00"),
    "broken-escapes": get(b"/100%/%zz"),
    "odd-characters": get(b"/a;b=c!$'()*,{}|^`\\\"<>"),
    "fragment": get(b"/a#b"),
    "absolute-form": get(b"http://localhost:1/a?b"),
    "asterisk": get(b"*", method=b"OPTIONS"),
    "other-method": get(method=b"DELETE"),
    "header-of-many-spaces": get(more=b"X-One: \t  a b \t \r\n"),
    "empty-header": get(more=b"X-Empty:\r\nX-Blank:   \r\n"),
    "repeated-header": get(more=b"Cookie: a\r\nX: b\r\ncookie: c\r\n"),
    "header-in-latin-1": get(more=b"X-Latin: caf\xe9\r\n"),
    "every-character-of-a-name": get(more=b"!#$%&'*+-.^_`|~09azAZ: x\r\n"),
    "length": post(b"hello"),
    "length-of-zero": post(b""),
    "length-with-spaces": get(more=b"Content-Length:  5  \r\n", method=b"POST") + b"hello",
    "chunks": chunked(CHUNKS),
    "chunks-in-capitals": chunked(CHUNKS, b"Chunked"),
    "no-chunks": chunked(b"0\r\n\r\n"),
    "empty-lines-in-a-chunk": chunked(b"a\r\n\r\n\r\n\r\n\r\n12\r\n0\r\n\r\n"),
    "trailers": chunked(b"5\r\nhello\r\n0\r\nX-After: 1\r\nHost: other\r\n\r\n"),
    "two-at-once": get(b"/1") + get(b"/2"),
    "three-bodies-at-once": post(b"one") + chunked(CHUNKS) + post(b"three"),
    "many-at-once": b"".join(get(b"/%d" % number) for number in range(50)),
    "1.0": get(version=b"1.0"),
    "1.0-without-host": b"GET / HTTP/1.0\r\n\r\n",
    "1.0-that-would-stay": get(more=b"Connection: keep-alive\r\n", version=b"1.0"),
    "1.0-body": post(b"hello", version=b"1.0"),
    "close": get(more=b"Connection: close\r\n"),
    "close-in-a-list": get(more=b"Connection: te , CLOSE\r\n"),
    "close-in-a-second-header": get(more=b"Connection: te\r\nConnection: close\r\n"),
    "head": get(method=b"HEAD"),
    "expectation-of-1.0": post(b"hello", b"Expect: 100-continue\r\n", b"1.0"),
    "unknown-expectation": post(b"hello", b"Expect: a miracle\r\n"),
    "upgrade-to-something": get(more=b"Connection: upgrade\r\nUpgrade: something\r\n") + get(b"/2"),
    "upgrade-after-a-request": post(b"1") + get(b"/2", b"Connection: upgrade\r\nUpgrade: something\r\n"),
    "upgrade-to-h2c-with-a-body": post(b"hello", b"Connection: upgrade\r\nUpgrade: h2c\r\n"),
}

#: What neither serves, and says so in the same way.
REFUSED = {
    "no-request": (b"\r\n\r\n", 400),
    "tls": (b"\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03", 400),
    "no-path": (b"GET HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "no-version": (b"GET /\r\n" + HOST + b"\r\n", 400),
    "spaces-in-the-first-line": (b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "space-after-the-version": (b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n", 400),
    "other-protocol": (b"GET / RTSP/1.0\r\n" + HOST + b"\r\n", 400),
    "no-host": (b"GET / HTTP/1.1\r\nX: y\r\n\r\n", 400),
    "two-hosts": (get(more=HOST), 400),
    "no-colon": (get(more=b"nothing\r\n"), 400),
    "no-name": (get(more=b": x\r\n"), 400),
    "space-before-the-colon": (get(more=b"Content-Length : 5\r\n"), 400),
    "space-before-the-name": (b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n", 400),
    "space-in-the-name": (get(more=b"a b: x\r\n"), 400),
    "nul-in-a-name": (get(more=b"a\0b: x\r\n"), 400),
    "nul-in-a-value": (get(more=b"X: a\0b\r\n"), 400),
    "cr-in-a-value": (get(more=b"X: a\rb\r\n"), 400),
    "vertical-tab-in-a-value": (get(more=b"X: a\x0bb\r\n"), 400),
    "nul-in-the-path": (get(b"/\0"), 400),
    "latin-1-in-the-path": (get(b"/caf\xe9"), 400),
    "two-lengths": (get(more=b"Content-Length: 5\r\nContent-Length: 6\r\n"), 400),
    "lengths-in-a-list": (get(more=b"Content-Length: 5, 6\r\n"), 400),
    "signed-length": (get(more=b"Content-Length: +5\r\n"), 400),
    "negative-length": (get(more=b"Content-Length: -5\r\n"), 400),
    "length-in-hex": (get(more=b"Content-Length: 0x5\r\n"), 400),
    "length-with-underscore": (get(more=b"Content-Length: 1_0\r\n"), 400),
    "length-of-nothing": (get(more=b"Content-Length:\r\n"), 400),
    "length-beyond-all-bounds": (get(more=b"Content-Length: 999999999999999999999\r\n"), 400),
    "other-coding": (chunked(CHUNKS, b"gzip"), 501),
    "chunked-and-more": (chunked(CHUNKS, b"gzip, chunked"), 501),
    "chunked-but-not-quite": (chunked(CHUNKS, b"xchunked"), 501),
    "chunked-in-quotes": (chunked(CHUNKS, b'"chunked"'), 501),
    "identity": (chunked(CHUNKS, b"identity"), 501),
    "chunk-size-that-is-none": (chunked(b"x\r\nhello\r\n0\r\n\r\n"), 400),
    "chunk-size-with-sign": (chunked(b"+5\r\nhello\r\n0\r\n\r\n"), 400),
    "chunk-size-in-0x": (chunked(b"0x5\r\nhello\r\n0\r\n\r\n"), 400),
    "chunk-larger-than-said": (chunked(b"5\r\nhello!\r\n0\r\n\r\n"), 400),
    "chunk-size-ending-in-lf": (chunked(b"5\nhello\r\n0\r\n\r\n"), 400),
    "lf-in-an-extension": (chunked(b"5;a\nb\r\nhello\r\n0\r\n\r\n"), 400),
    "trailer-that-is-none": (chunked(b"0\r\nnothing\r\n\r\n"), 400),
    "head-of-too-many-bytes": (get(more=b"X: y\r\n" * 3000)[: MOST_HEAD + 1], 431),
    "extension-of-too-many-bytes": (chunked(b"5;" + b"x" * MOST_HEAD), 431),
}

#: What hypercorn's reader serves, and ours does not: each can be read in two ways by two servers in a row.
STRICTER = {
    "length-and-chunks": (get(more=b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + CHUNKS, 400),
    "chunks-and-length": (get(more=b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") + CHUNKS, 400),
    "the-same-length-twice": (get(more=b"Content-Length: 0\r\nContent-Length: 0\r\n"), 400),
    "the-same-length-in-a-list": (get(more=b"Content-Length: 0, 0\r\n"), 400),
    "folded-header": (get(more=b"X: a\r\n b\r\n"), 400),
    "lines-that-end-in-lf": (b"GET / HTTP/1.1\nHost: localhost\n\n", 400),
    "one-line-that-ends-in-lf": (b"GET / HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n", 400),
    "control-character-in-a-value": (get(more=b"X: a\x01b\r\n"), 400),
    "length-in-a-trailer": (chunked(b"0\r\nContent-Length: 5\r\n\r\n"), 400),
    "1.2": (get(version=b"1.2"), 505),
    "0.9": (get(version=b"0.9"), 505),
    "2.0-without-preface": (get(version=b"2.0"), 505),
    "unheard-of-method": (get(method=b"BREW"), 400),
    "method-in-small-letters": (get(method=b"get"), 400),
}


def by_id(cases: dict[str, tuple[bytes, int]]) -> list[object]:
    return [pytest.param(*case, id=name) for name, case in cases.items()]


@pytest.mark.parametrize("sent", SERVED.values(), ids=SERVED.keys())
def test_what_is_served_is_told_alike(tellers: dict[str, Server], sent: bytes) -> None:
    method = sent.partition(b" ")[0].decode()
    ends = b"close" in sent.lower() or b"HTTP/1.0" in sent
    sent = sent if ends else sent + LAST

    ours, stock = (tellers[reader].said(sent, method=method) for reader in ("httptools", "h11"))

    assert ours == stock
    assert {said.status for said in ours} <= {100, 200}


@pytest.mark.parametrize(("sent", "status"), by_id(REFUSED))
def test_what_is_refused_is_refused_alike(
    tellers: dict[str, Server], reader: str, sent: bytes, status: int
) -> None:
    answers = tellers[reader].said(sent)

    assert [(said.status, said.headers) for said in answers] == [(status, NOTHING)]


@pytest.mark.parametrize(("sent", "status"), by_id(STRICTER))
def test_ours_refuses_more(tellers: dict[str, Server], sent: bytes, status: int) -> None:
    answers = tellers["httptools"].said(sent)

    assert [(said.status, said.headers) for said in answers] == [(status, NOTHING)]


@pytest.mark.parametrize(
    "sent",
    [b"GET / HTTP/1.1\r\nHost: lo", post(b"hello")[:-1], chunked(b"5\r\nhell")],
    ids=["head", "body", "chunk"],
)
def test_a_client_that_hangs_up_too_early_is_refused(tellers: dict[str, Server], sent: bytes) -> None:
    answers = tellers["httptools"].said(sent, hang_up=True)

    assert [(said.status, said.headers) for said in answers] == [(400, NOTHING)]


@pytest.mark.parametrize(
    "more", [b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"], ids=["chunked-twice"]
)
def test_both_refuse_each_in_its_way(tellers: dict[str, Server], reader: str, more: bytes) -> None:
    (answer,) = tellers[reader].said(get(more=more) + CHUNKS)

    assert answer.status in (400, 501)


def test_nothing_is_read_after_what_was_refused(tellers: dict[str, Server], reader: str) -> None:
    answers = tellers[reader].said(get(b"/1") + get(more=b"a b: c\r\n") + get(b"/3"))

    assert [said.status for said in answers] == [200, 400]


@pytest.mark.parametrize(
    "first",
    [
        get(more=b"Connection: close\r\n"),
        get(more=b"Connection: keep-alive\r\n", version=b"1.0"),
        get(b"localhost:1", method=b"CONNECT"),
    ],
    ids=["close", "1.0", "connect"],
)
def test_nothing_is_read_after_the_last_request(tellers: dict[str, Server], first: bytes) -> None:
    answers = tellers["httptools"].said(first + get(b"/2"))

    assert [said.status for said in answers] == [200]
