"""What becomes of a client's connection."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from coderouter_core.testing import Script, make_router


def test_a_connection_that_its_client_closed_is_closed() -> None:
    router = make_router(Script(only="hello"))
    where = urlsplit(router.url)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=5) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
        answer = client.recv(65536)
        client.shutdown(socket.SHUT_WR)

        rest = client.recv(65536)

    assert (answer[:15], rest) == (b"HTTP/1.1 200 \r\n", b"")


def test_a_connection_serves_one_request_after_another() -> None:
    router = make_router(Script(only="hello"))
    where = urlsplit(router.url)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=5) as client:
        answers = []
        for _ in range(3):
            client.sendall(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
            answers.append(client.recv(65536)[:13])

    assert answers == [b"HTTP/1.1 200 "] * 3
