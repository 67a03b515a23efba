"""HTTPS: who is trusted, and who is not."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from coderouter_core.testing import self_signed
from coderouter_core.transport.tls import client_context

if TYPE_CHECKING:
    from tests.transport.conftest import Peer, Wire

    from coderouter_core.transport import HttpTransport

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")

LARGE = bytes(range(256)) * 8_000


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"))


def serving(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def trusting(certificate: Path) -> ssl.SSLContext:
    context = client_context()
    context.load_verify_locations(certificate)
    return context


async def echo(peer: Peer) -> None:
    while True:
        _, body = await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        await peer.writer.drain()


def test_bodies_travel_both_ways(wire: Wire, certificate: Path) -> None:
    async def client(transport: HttpTransport, url: str) -> list[bool]:
        ask = wire.get(method="POST", body=LARGE)
        return [await ask(transport, url) == (200, LARGE) for _ in range(2)]

    answers = wire.run(
        echo, client, host="localhost", server_tls=serving(certificate), tls=lambda: trusting(certificate)
    )

    assert answers == [True, True]
    assert wire.accepted == 1


def test_the_server_is_told_its_name_and_the_protocol(wire: Wire, certificate: Path) -> None:
    names: list[str | None] = []
    spoken: list[str | None] = []

    async def play(peer: Peer) -> None:
        spoken.append(peer.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await peer.request()
        peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    context = serving(certificate)
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    wire.run(play, wire.get(), host="localhost", server_tls=context, tls=lambda: trusting(certificate))

    assert (names, spoken) == (["localhost"], ["http/1.1"])


def test_a_stranger_is_refused(wire: Wire, certificate: Path) -> None:
    with pytest.raises(httpx.ConnectError, match=r"the certificate of localhost:\d+ is not trusted"):
        wire.run(echo, wire.get(), host="localhost", server_tls=serving(certificate))


def test_a_certificate_for_another_name_is_refused(wire: Wire, certificate: Path) -> None:
    with pytest.raises(httpx.ConnectError, match=r"is not trusted: .*not valid for '127.0.0.1'"):
        wire.run(echo, wire.get(), server_tls=serving(certificate), tls=lambda: trusting(certificate))


def test_a_server_without_tls_is_told_from_one_with(wire: Wire) -> None:
    async def play(peer: Peer) -> None:
        await peer.reader.read(1)
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def client(transport: HttpTransport, url: str) -> None:
        await wire.get()(transport, url.replace("http://", "https://"))

    with pytest.raises(httpx.ConnectError, match="does not speak TLS as it should"):
        wire.run(play, client)


def test_the_handshake_counts_as_connecting(wire: Wire) -> None:
    async def play(peer: Peer) -> None:
        await peer.gone()

    async def client(transport: HttpTransport, url: str) -> None:
        await wire.get(connect=0.2)(transport, url.replace("http://", "https://"))

    with pytest.raises(httpx.ConnectTimeout, match=r"accepted no connection within 0.2 s"):
        wire.run(play, client, tls=ssl.create_default_context)


def test_authorities_are_read_once_and_off_the_event_loop(wire: Wire, certificate: Path) -> None:
    threads: list[threading.Thread] = []

    def make() -> ssl.SSLContext:
        threads.append(threading.current_thread())
        return trusting(certificate)

    async def client(transport: HttpTransport, url: str) -> None:
        await asyncio.gather(*(wire.get(method="POST", body=b"x")(transport, url) for _ in range(5)))

    wire.run(echo, client, host="localhost", server_tls=serving(certificate), tls=make)

    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


def test_plain_http_reads_no_authorities(wire: Wire) -> None:
    made: list[ssl.SSLContext] = []

    def make() -> ssl.SSLContext:
        made.append(client_context())
        return made[0]

    wire.run(echo, wire.get(method="POST", body=b"x"), tls=make)

    assert made == []


def test_a_file_of_authorities_in_the_environment_is_the_only_one(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    assert len(client_context().get_ca_certs()) == 1


def test_names_and_certificates_are_verified() -> None:
    context = client_context()

    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
