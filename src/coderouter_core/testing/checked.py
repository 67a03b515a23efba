"""A client's transport that looks at every stream it reads."""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from coderouter_core.model import Dialect
from coderouter_core.wire.grammar import problems

PATHS = {
    Dialect.MESSAGES: "/v1/messages",
    Dialect.CHAT: "/v1/chat/completions",
    Dialect.RESPONSES: "/v1/responses",
}
#: The extension of a request whose answer may be what its upstream sent, right or wrong: ``{UNCHECKED: True}``.
UNCHECKED = "unchecked"


class CheckedTransport(httpx.BaseTransport):
    """Raises `AssertionError` at the end of a stream that a client of its dialect could stumble over."""

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self._transport = transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._transport.handle_request(request)
        dialect = next((each for each, path in PATHS.items() if path == request.url.path), None)
        streamed = response.headers.get("content-type", "").startswith("text/event-stream")
        if dialect is None or not streamed or request.extensions.get(UNCHECKED):
            return response
        assert isinstance(response.stream, httpx.SyncByteStream)
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_CheckedStream(response.stream, dialect),
            extensions=response.extensions,
        )

    def close(self) -> None:
        self._transport.close()


class _CheckedStream(httpx.SyncByteStream):
    """A stream that is left before its end is not judged."""

    def __init__(self, stream: httpx.SyncByteStream, dialect: Dialect) -> None:
        self._stream = stream
        self._dialect = dialect

    def __iter__(self) -> Iterator[bytes]:
        came: list[bytes] = []
        for data in self._stream:
            came.append(data)
            yield data
        if found := problems(self._dialect, b"".join(came)):
            raise AssertionError(
                f"a {self._dialect} client would stumble over the stream: {'; '.join(found)}"
            )

    def close(self) -> None:
        self._stream.close()
