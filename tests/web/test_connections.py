"""What becomes of a client's connection."""

from __future__ import annotations

import gc
import socket
import time
from urllib.parse import urlsplit

from coderouter_core.testing import Script, make_router
from coderouter_core.web.connections import Connection
from coderouter_core.web.serve import KEEP_ALIVE_S


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


def test_nothing_is_left_of_a_client_that_went_before_its_answer_ended() -> None:
    router = make_router(Script(only="hello"))
    where = urlsplit(router.url)
    for _ in range(20):
        with socket.create_connection((where.hostname or "", where.port or 0), timeout=5) as client:
            client.sendall(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")

    def left() -> list[Connection]:
        gc.collect()
        return [each for each in gc.get_objects() if isinstance(each, Connection) and each.is_over]

    # Much sooner than its keep-alive timer would have run out.
    until = time.monotonic() + KEEP_ALIVE_S / 5
    while left() and time.monotonic() < until:
        router.client.get("/livez")
    assert left() == []
