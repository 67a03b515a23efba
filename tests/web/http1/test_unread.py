"""Clients that do not read what they asked for."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.web.http1.conftest import Serving

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
#: More than the systems of both ends hold for them.
MUCH = 32 * 1024 * 1024


class Sending:
    """An application that sends much, more of it if it is a `stream`; `over` is set when its client is gone."""

    def __init__(self, *, stream: bool) -> None:
        self.over = threading.Event()
        self._stream = stream

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(MUCH), "more_body": self._stream})
        while self._stream and (await receive())["type"] != "http.disconnect":
            pass
        self.over.set()


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_client_that_reads_nothing_is_given_up(serving: Serving, stream: bool) -> None:
    app = Sending(stream=stream)
    with serving(app, "httptools", keep_alive_timeout=0.05).open() as client:
        client.sendall(GET)

        assert app.over.wait(10)


def test_an_answer_is_read_to_its_end_after_the_server_has_closed(serving: Serving) -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        close = [(b"connection", b"close"), (b"content-length", b"%d" % MUCH)]
        await send({"type": "http.response.start", "status": 200, "headers": close})
        await send({"type": "http.response.body", "body": bytes(MUCH)})

    with serving(app, "httptools").open() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.sendall(GET)
        got = 0
        while piece := client.recv(65536):
            got += len(piece)

    assert got > MUCH
