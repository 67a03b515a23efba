"""Proxies of the environment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from coderouter_core.model import Provider
from coderouter_core.transport import HttpTransport, ProxiedTransport, make_transport
from coderouter_core.transport.proxied import proxy_for

if TYPE_CHECKING:
    from tests.transport.conftest import Client, Peer, Play, Wire

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "request_method")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        pytest.param({}, "http://up/", None, id="none"),
        pytest.param({"HTTP_PROXY": "http://p:1"}, "http://up/", "http://p:1", id="upper"),
        pytest.param({"http_proxy": "http://p:1"}, "http://up/", "http://p:1", id="lower"),
        pytest.param({"HTTP_PROXY": "p:1"}, "http://up/", "http://p:1", id="without-a-scheme"),
        pytest.param({"HTTP_PROXY": "http://p:1"}, "https://up/", None, id="of-the-other-scheme"),
        pytest.param({"HTTPS_PROXY": "http://p:1"}, "https://up/", "http://p:1", id="for-https"),
        pytest.param({"ALL_PROXY": "socks5://p:1"}, "https://up/", "socks5://p:1", id="for-all"),
        pytest.param({"ALL_PROXY": "http://p:1", "NO_PROXY": "up"}, "http://up/", None, id="excepted"),
        pytest.param(
            {"ALL_PROXY": "http://p:1", "NO_PROXY": "up"}, "http://u:k@up:8/", None, id="excepted-port"
        ),
        pytest.param({"ALL_PROXY": "http://p:1", "NO_PROXY": "*"}, "http://up/", None, id="all-excepted"),
        pytest.param(
            {"ALL_PROXY": "http://p:1", "NO_PROXY": "up"}, "http://other/", "http://p:1", id="other"
        ),
    ],
)
def test_the_proxy_for(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str, proxy: str | None
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert proxy_for(url) == proxy


@pytest.mark.parametrize(
    ("trust_env", "kind"),
    [pytest.param(True, ProxiedTransport, id="asked"), pytest.param(False, HttpTransport, id="not-asked")],
)
def test_the_environment_is_looked_at_only_when(
    monkeypatch: pytest.MonkeyPatch, trust_env: bool, kind: type
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    assert type(make_transport(Provider("p", base_url="http://up/v1", trust_env=trust_env))) is kind


def test_without_a_proxy_the_fast_transport_serves() -> None:
    assert type(make_transport(Provider("p", base_url="http://up/v1", trust_env=True))) is HttpTransport


def through(wire: Wire, **timeouts: float) -> Client[tuple[int, bytes]]:
    """A client that asks http://up/v1 by the server as its proxy."""

    async def client(_: HttpTransport, url: str) -> tuple[int, bytes]:
        async with ProxiedTransport(url) as transport:
            request = httpx.Request("GET", "http://up/v1", extensions={"timeout": timeouts})
            response = await transport.handle_async_request(request)
            return response.status_code, await response.aread()

    return client


def test_a_request_goes_by_the_proxy(wire: Wire) -> None:
    said: list[bytes] = []

    async def play(peer: Peer) -> None:
        head, _ = await peer.request()
        said.append(head.split(b"\r\n")[0])
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    assert wire.run(play, through(wire)) == (200, b"ok")
    assert said == [b"GET http://up/v1 HTTP/1.1"]


HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"


def says(*pieces: bytes) -> Play:
    async def play(peer: Peer) -> None:
        await peer.request()
        for piece in pieces:
            peer.send(piece)
        await peer.gone()

    return play


@pytest.mark.parametrize(
    ("sent", "timeouts", "words"),
    [
        pytest.param(b"HTTP/1.1 200", {"head": 0.05}, "up:80 gave no answer within 0.05 s", id="head"),
        pytest.param(HEAD, {"first_byte": 0.05}, "up:80 gave no answer within 0.05 s", id="first-byte"),
        pytest.param(HEAD + b"he", {"read": 0.05, "head": 5, "first_byte": 5}, "fell silent", id="silence"),
    ],
)
def test_the_limits_are_those_of_the_other_transport(
    wire: Wire, sent: bytes, timeouts: dict[str, Any], words: str
) -> None:
    with pytest.raises(httpx.ReadTimeout, match=words):
        wire.run(says(sent), through(wire, **timeouts))


def test_a_proxy_that_is_not_there_is_a_connect_error(wire: Wire) -> None:
    async def client(_: HttpTransport, url: str) -> None:
        async with ProxiedTransport("http://user:secret@127.0.0.1:1") as transport:
            await transport.handle_async_request(httpx.Request("GET", "http://up/v1"))

    with pytest.raises(httpx.ConnectError) as caught:
        wire.run(says(), client)
    assert "secret" not in str(caught.value)


def test_a_kind_of_proxy_that_is_not_known_is_said_at_the_first_request() -> None:
    async def ask() -> None:
        async with ProxiedTransport("gopher://user:secret@127.0.0.1:1") as transport:
            await transport.handle_async_request(httpx.Request("GET", "http://up/v1"))

    with pytest.raises(httpx.ProxyError, match="a proxy of kind 'gopher'") as caught:
        asyncio.run(ask())
    assert "secret" not in str(caught.value)
