"""Clients that speak HTTP/2, and what they may do to a connection."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest

if TYPE_CHECKING:
    import socket

    from tests.web.http1.conftest import Serving

EventT = TypeVar("EventT", bound=h2.events.Event)

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Client:
    """One HTTP/2 connection. `wait` is for an event of that kind, of the stream."""

    def __init__(self, line: socket.socket) -> None:
        self.spoken = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self._line = line
        self.spoken.initiate_connection()

    def ask(self, stream: int, path: str, *, complete: bool = True) -> None:
        head = {":method": "POST", ":path": path, ":scheme": "http", ":authority": "localhost"}
        self.spoken.send_headers(stream, head.items(), end_stream=complete)
        self.flush()

    def flush(self) -> None:
        self._line.sendall(self.spoken.data_to_send())

    def wait(self, kind: type[EventT], stream: int) -> EventT:
        while data := self._line.recv(65536):
            for event in self.spoken.receive_data(data):
                if isinstance(event, kind) and getattr(event, "stream_id", None) == stream:
                    return event
            self.flush()
        raise AssertionError("the connection ended")


def answering(told: Callable[[], None]) -> Any:
    """An application that answers without having read, and then tells so."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})
        told()

    return app


def test_an_answer_ends_that_its_client_did_not_take(serving: Serving, reader: str) -> None:
    over = threading.Event()
    with serving(answering(over.set), reader).open() as line:
        client = Client(line)
        client.spoken.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
        client.ask(1, "/")
        client.wait(h2.events.ResponseReceived, 1)

    assert over.wait(10)


def test_a_body_that_comes_after_its_answer_harms_no_other_stream(serving: Serving, reader: str) -> None:
    with serving(answering(bool), reader).open() as line:
        client = Client(line)
        client.ask(1, "/early", complete=False)
        client.wait(h2.events.StreamEnded, 1)
        client.spoken.send_data(1, b"more of it")
        client.ask(3, "/other")

        assert client.wait(h2.events.DataReceived, 3).data == b"/other"


@pytest.mark.parametrize("settings", [b"AAAA", b"A"], ids=["no-frame", "padding"])
def test_an_upgrade_that_cannot_be_read_is_no_error_of_ours(
    serving: Serving, reader: str, settings: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    server = serving(answering(bool), reader)
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: "

    server.ask(GET.removesuffix(b"\r\n") + upgrade + settings + b"\r\n\r\n")
    server.ask(GET, hang_up=True)

    assert [record.name for record in caplog.records] == []
