"""Sending calls and reading answers."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import httpx
import pytest

from coderouter_core import __version__
from coderouter_core.errors import UpstreamError
from coderouter_core.exchange import Endpoint, read_json
from coderouter_core.model import Answer, Call, Dialect, Limits, Operation, Provider
from coderouter_core.testing import Close, DripHead, Hang, Raw, Reply, StallAfter, Steps, Upstream
from coderouter_core.transport import HttpTransport

T = TypeVar("T")

QUICK = Limits(connect_s=5, first_byte_s=0.1, idle_s=0.1)


def a_call(body: bytes = b"{}", *, stream: bool = False, limits: Limits | None = None) -> Call:
    provider = Provider("up", base_url="http://up/v1", model="m")
    return Call(provider, "r", Dialect.CHAT, Operation.GENERATE, body, stream, limits or Limits())


def asked(
    script: Steps, use: Callable[[Endpoint, Upstream], Awaitable[T]], path: str = "/chat/completions"
) -> T:
    """What `use` makes of an endpoint whose server plays the script."""

    async def run(upstream: Upstream) -> T:
        async with HttpTransport() as transport, asyncio.timeout(10):
            return await use(Endpoint(transport, upstream.url + path, {"x-fixed": "1"}), upstream)

    with Upstream(script) as upstream:
        return asyncio.run(run(upstream))


def failure(script: Steps, **how: Any) -> UpstreamError:
    """How a call fails, while it is sent or while its answer is read."""

    async def use(endpoint: Endpoint, upstream: Upstream) -> bytes:
        return await whole(await endpoint.post(a_call(**how)))

    with pytest.raises(UpstreamError) as caught:
        asked(script, use)
    return caught.value


async def whole(answer: Answer) -> bytes:
    try:
        return b"".join([chunk async for chunk in answer.chunks])
    finally:
        await answer.aclose()


def sent(headers: dict[str, str], **how: Any) -> dict[str, str]:
    """The headers that a call goes out with."""

    async def use(endpoint: Endpoint, upstream: Upstream) -> dict[str, str]:
        await whole(await endpoint.post(a_call(**how), headers))
        return dict(upstream.calls[0].headers)

    return asked("hi", use)


def test_a_call_goes_out_with_these_headers() -> None:
    headers = sent({"authorization": "Bearer k"}, body=b'{"model":"m"}')

    assert headers.pop("host").startswith("127.0.0.1:")
    assert headers == {
        "user-agent": f"coderouter/{__version__}",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "x-fixed": "1",
        "accept": "application/json",
        "via": "1.1 coderouter",
        "content-length": "13",
        "authorization": "Bearer k",
    }


def test_a_call_for_a_stream_accepts_one() -> None:
    assert sent({}, stream=True)["accept"] == "text/event-stream"


def test_the_body_goes_out_as_it_is() -> None:
    body = b'{ "model" : "m",\n "x": "\xc3\xa4" }'

    async def use(endpoint: Endpoint, upstream: Upstream) -> bytes:
        await whole(await endpoint.post(a_call(body)))
        return upstream.calls[0].raw

    assert asked("hi", use) == body


@pytest.mark.parametrize(
    ("headers", "authorization"),
    [
        pytest.param({}, "Basic dTpwIHc=", id="alone"),
        pytest.param({"authorization": "Bearer k"}, "Bearer k", id="beside-a-key"),
    ],
)
def test_a_password_in_the_url_is_basic_authentication(headers: dict[str, str], authorization: str) -> None:
    async def run(upstream: Upstream) -> tuple[str, str]:
        async with HttpTransport() as transport:
            url = upstream.url.replace("//", "//u:p%20w@") + "/chat/completions"
            await whole(await Endpoint(transport, url).post(a_call(), headers))
        return upstream.calls[0].headers["authorization"], upstream.calls[0].headers["host"]

    with Upstream() as upstream:
        got, host = asyncio.run(run(upstream))
    assert (got, "@" in host) == (authorization, False)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(("x-api-key", "secret\r\nx-evil: 1"), id="crlf"),
        pytest.param(("x-api-key", "secret\nx"), id="lf"),
        pytest.param(("x-api-key", "secret\0"), id="nul"),
        pytest.param(("x-api-key", "secret\u20ac"), id="beyond-latin-1"),
        pytest.param(("x api key", "secret"), id="name"),
        pytest.param(("", "secret"), id="no-name"),
    ],
)
def test_a_header_that_http_does_not_allow_is_not_sent(header: tuple[str, str]) -> None:
    async def use(endpoint: Endpoint, upstream: Upstream) -> tuple[str, int]:
        with pytest.raises(UpstreamError) as caught:
            await endpoint.post(a_call(), dict([header]))
        return str(caught.value), upstream.connections

    text, connections = asked("hi", use)
    assert "secret" not in text
    assert connections == 0


def test_a_fixed_header_that_http_does_not_allow_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="'x-a' holds a line break"):
        Endpoint(HttpTransport(), "http://up/", {"x-a": "1\n"})


def test_any_status_is_an_answer() -> None:
    async def use(endpoint: Endpoint, upstream: Upstream) -> tuple[int, bytes]:
        answer = await endpoint.post(a_call())
        return answer.status, await whole(answer)

    assert asked(Raw(429, body=b"slow down"), use) == (429, b"slow down")


def test_header_names_of_an_answer_are_lower_case() -> None:
    async def use(endpoint: Endpoint, upstream: Upstream) -> str:
        answer = await endpoint.post(a_call())
        await whole(answer)
        return answer.headers["retry-after"]

    assert asked(Raw(429, {"Retry-After": "3"}), use) == "3"


def test_headers_that_come_twice_are_joined() -> None:
    twice = [("Via", "a"), ("via", "b")]
    transport = httpx.MockTransport(lambda _: httpx.Response(200, headers=twice))

    answer = asyncio.run(Endpoint(transport, "http://up/").post(a_call()))

    assert answer.headers["via"] == "a, b"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param("gzip", gzip.compress(b"hello"), id="gzip"),
        pytest.param("Deflate", zlib.compress(b"hello"), id="deflate"),
        pytest.param("identity", b"hello", id="identity"),
    ],
)
def test_an_encoding_that_was_not_asked_for_is_undone(encoding: str, body: bytes) -> None:
    async def use(endpoint: Endpoint, upstream: Upstream) -> bytes:
        return await whole(await endpoint.post(a_call()))

    assert asked(Raw(200, {"content-encoding": encoding}, body), use) == b"hello"


def test_a_decoded_answer_says_neither_its_encoding_nor_its_length() -> None:
    async def use(endpoint: Endpoint, upstream: Upstream) -> set[str]:
        answer = await endpoint.post(a_call())
        await whole(answer)
        return set(answer.headers) & {"content-encoding", "content-length"}

    assert asked(Raw(200, {"content-encoding": "gzip"}, gzip.compress(b"hello")), use) == set()


def test_an_encoding_that_is_not_known_is_garbage() -> None:
    error = failure(Raw(200, {"content-encoding": "br"}, b"xxx"))

    assert error.kind == "garbage"
    assert "'br', which was not asked for" in str(error)


@pytest.mark.parametrize(
    ("step", "kind", "status", "words"),
    [
        pytest.param(Close(), "transport", 502, "closed the connection without an answer", id="closed"),
        pytest.param(Close(rst=True), "transport", 502, "reset the connection without an answer", id="reset"),
        pytest.param(Hang(5), "timeout", 504, "gave no answer within 0.1 s", id="silent"),
        pytest.param(DripHead(), "timeout", 504, "gave no answer within 0.1 s", id="dripping"),
        pytest.param(
            StallAfter(2, 5), "timeout", 504, "fell silent in the middle of its answer", id="stalled"
        ),
        pytest.param(
            Raw(200, {"content-length": "9"}, b"x"), "transport", 502, "in the middle of its answer", id="cut"
        ),
    ],
)
def test_a_failure_says_who_and_what(step: Any, kind: str, status: int, words: str) -> None:
    error = failure(step, stream=True, limits=QUICK)

    assert (error.kind, error.fault.status, error.status) == (kind, status, None)
    assert error.fault.kind == ("timeout_error" if kind == "timeout" else "api_error")
    assert str(error).startswith("127.0.0.1:")
    assert words in str(error)


def test_a_refused_connection_says_by_whom() -> None:
    async def use(endpoint: Endpoint, upstream: Upstream) -> bytes:
        upstream.refuse()
        return await whole(await endpoint.post(a_call()))

    with pytest.raises(UpstreamError, match=r"^127\.0\.0\.1:\d+: connection refused by the provider$"):
        asked("hi", use)


def test_a_transport_that_does_not_say_where_is_told_by_the_place() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("")

    endpoint = Endpoint(httpx.MockTransport(fail), "https://user:secret@api.example.com/v1")

    with pytest.raises(UpstreamError, match=r"^api\.example\.com:443: ReadError$"):
        asyncio.run(endpoint.post(a_call()))


@pytest.mark.parametrize(
    "words",
    [
        "api.example.com:443 gave no answer within 60 s",
        "the certificate of api.example.com:443 is not trusted: it is not valid for 'api.example.com'.",
        "api.example.com:443 cannot be reached: Connect call failed ('api.example.com', 443)",
    ],
)
def test_clients_are_not_told_the_address(words: str) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(words)

    endpoint = Endpoint(httpx.MockTransport(fail), "https://api.example.com/v1")

    with pytest.raises(UpstreamError) as failed:
        asyncio.run(endpoint.post(a_call()))

    assert "api.example.com" not in failed.value.fault.message
    assert failed.value.told == f"api.example.com:443: {failed.value.fault.message}"


def test_the_place_of_a_numeric_address_is_readable() -> None:
    with pytest.raises(
        UpstreamError,
        match=r"^\[::1\]:1: (connection refused by the provider|the provider cannot be reached)",
    ):
        asyncio.run(Endpoint(HttpTransport(), "http://[::1]:1/").post(a_call()))


def test_the_first_byte_may_take_longer_than_silence_later() -> None:
    async def use(endpoint: Endpoint, upstream: Upstream) -> bytes:
        limits = Limits(connect_s=5, first_byte_s=5, idle_s=0.05)
        return await whole(await endpoint.post(a_call(stream=True, limits=limits)))

    assert b"hi" in asked(Reply("hi", head_delay_s=0.15), use)


def test_json_is_read_whole() -> None:
    async def use(endpoint: Endpoint, upstream: Upstream) -> Any:
        return await read_json(await endpoint.get())

    assert asked("hi", use, "/v1/models")["object"] == "list"


@pytest.mark.parametrize(
    ("step", "kind", "status"),
    [
        pytest.param(Raw(404, body=b"{}"), "status", 404, id="status"),
        pytest.param(Raw(302, {"location": "http://evil/"}), "status", 302, id="redirect"),
        pytest.param(Raw(200, body=b"<html>"), "garbage", None, id="not-json"),
        pytest.param(
            Raw(200, body=b"[%b]" % bytes(17_000_000).replace(b"\0", b" ")), "garbage", None, id="too-large"
        ),
    ],
)
def test_what_is_not_json_of_a_fair_size_is_an_error(step: Any, kind: str, status: int | None) -> None:
    async def use(endpoint: Endpoint, upstream: Upstream) -> Any:
        return await read_json(await endpoint.post(a_call()))

    with pytest.raises(UpstreamError) as caught:
        asked(step, use)
    assert (caught.value.kind, caught.value.status) == (kind, status)


@pytest.mark.parametrize("status", [200, 404])
def test_an_answer_that_was_read_as_json_is_closed(status: int) -> None:
    async def read() -> list[bool]:
        closed: list[bool] = []

        async def body() -> AsyncIterator[bytes]:
            yield b"{}"

        async def aclose() -> None:
            closed.append(True)

        with contextlib.suppress(UpstreamError):
            await read_json(Answer(status, {}, body(), aclose))
        return closed

    assert asyncio.run(read()) == [True]


def test_a_password_is_not_part_of_the_url_that_a_transport_sees() -> None:
    seen: list[str] = []

    def look(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200)

    asyncio.run(Endpoint(httpx.MockTransport(look), "http://user:secret@up/v1").post(a_call()))

    assert seen == ["http://up/v1"]


def test_leaving_an_answer_early_hangs_up() -> None:
    async def use(endpoint: Endpoint, upstream: Upstream) -> bool:
        answer = await endpoint.post(a_call(stream=True))
        await anext(answer.chunks)
        await answer.aclose()
        return await asyncio.to_thread(upstream.calls[0].wait_gone, 1.0)

    assert asked(StallAfter(2, 5), use)
