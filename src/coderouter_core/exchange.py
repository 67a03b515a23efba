"""Send a call over an HTTP transport, and hand back what comes."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlsplit, urlunsplit

import httpx
import orjson

from coderouter_core import __version__
from coderouter_core.errors import ConfigError, UpstreamError
from coderouter_core.model import Answer, Call, Fault, Limits
from coderouter_core.transport.decoding import Decoded, DecodingError
from coderouter_core.transport.dialing import place

#: An answer that is read as a whole (a list of models, a count) may be this large.
MAX_JSON_BYTES = 16 * 1024 * 1024

#: What clients are told of an upstream's address.
SOMEBODY = "the provider"

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PATH_SAFE = "/%:@!$&'()*+,;=~"
_FORBIDDEN = re.compile(r"[\0\r\n]")
_NO_HEADERS: Mapping[str, str] = {}


def join_url(base_url: str, path: str) -> str:
    """`path` below `base_url`, whose query string, if any, is kept.

    Built from parsed parts: slashes are collapsed, a fragment is dropped, and `path` can change
    neither the host nor the query (its own query, if any, is added). Raises `ConfigError` for a
    base URL that is not http:// or https:// with a host.
    """
    path, _, query = path.partition("?")
    try:
        base = urlsplit(base_url.strip())
        joined = re.sub(r"/{2,}", "/", f"{base.path}/{quote(path, safe=_PATH_SAFE)}")
        query = "&".join(filter(None, (base.query, query)))
        url = urlunsplit((base.scheme, base.netloc, joined, query, ""))
        usable = base.scheme in ("http", "https") and bool(httpx.URL(url).host)
    except (ValueError, httpx.InvalidURL):  # brackets that do not match, a port that is no number
        usable = False
    if not usable:
        shown = base_url.rpartition("@")[2]
        raise ConfigError(f"base_url must be http://HOST or https://HOST with a path, not {shown!r}")
    return url


class Endpoint:
    """One URL of an upstream, and the headers that everything sent to it carries.

    Prepared once: a call adds only what differs. A user and password in the URL become basic
    authentication where the call brings no ``authorization`` of its own.
    """

    def __init__(
        self, transport: httpx.AsyncBaseTransport, url: str, headers: Mapping[str, str] = _NO_HEADERS
    ) -> None:
        self._transport = transport
        parsed = httpx.URL(url)
        self._basic = _basic_auth(parsed.userinfo)
        self._url = parsed.copy_with(userinfo=b"")  # it ends up in logs
        port = parsed.port or (443 if parsed.scheme == "https" else 80)
        self._host = parsed.raw_host.decode("ascii")
        self._where = place(self._host, port)
        self._headers = [
            (b"host", self._url.netloc),
            *_encoded(
                {
                    "user-agent": f"coderouter/{__version__}",
                    "accept-encoding": "identity",
                    "content-type": "application/json",
                    **headers,
                }
            ),
        ]

    async def post(self, call: Call, headers: Mapping[str, str] = _NO_HEADERS) -> Answer:
        """POST the call's body. Raises `UpstreamError` of kind ``transport`` or ``timeout``."""
        accept = b"text/event-stream" if call.stream else b"application/json"
        length = str(len(call.body)).encode()
        pairs = [
            (b"accept", accept),
            (b"content-length", length),
            (b"via", call.via.encode("latin-1", "replace")),
        ]
        if call.trace:
            pairs += _encoded(call.trace)
        return await self._send("POST", headers, pairs, call.body, call.limits)

    async def get(self, headers: Mapping[str, str] = _NO_HEADERS, limits: Limits | None = None) -> Answer:
        """GET the URL. Raises `UpstreamError` of kind ``transport`` or ``timeout``."""
        return await self._send("GET", headers, [(b"accept", b"application/json")], b"", limits or Limits())

    async def _send(
        self,
        method: str,
        headers: Mapping[str, str],
        pairs: list[tuple[bytes, bytes]],
        body: bytes,
        limits: Limits,
    ) -> Answer:
        if self._basic and "authorization" not in headers:
            headers = {**headers, "authorization": self._basic}
        try:
            request = httpx.Request(
                method,
                self._url,
                headers=[*self._headers, *pairs, *_encoded(headers)],
                stream=httpx.ByteStream(body),
                extensions={"timeout": _timeouts(limits)},
            )
            response = await self._transport.handle_async_request(request)
        except ValueError as error:
            raise _failure("transport", str(error)) from error
        except httpx.TransportError as error:
            raise self._explain(error) from error
        return self._answer(response)

    def _answer(self, response: httpx.Response) -> Answer:
        headers = _decoded_headers(response.headers.raw)
        stream = response.stream
        if not isinstance(stream, httpx.AsyncByteStream):
            raise TypeError(
                f"{type(self._transport).__name__} answers with a stream that is not asynchronous"
            )
        chunks: AsyncIterator[bytes] = _Chunks(stream.__aiter__(), self)
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            chunks = _Chunks(Decoded(chunks, encoding), self)
            headers = {
                name: value
                for name, value in headers.items()
                if name not in ("content-encoding", "content-length")
            }
        return Answer(response.status_code, headers, chunks, stream.aclose)

    def _explain(self, error: Exception) -> UpstreamError:
        """What went wrong, for people. The address, which is nobody's business but the operator's, stands beside it."""
        if isinstance(error, DecodingError):
            return _failure("garbage", str(error), self._where)
        text = (str(error) or type(error).__name__).replace(self._where, SOMEBODY)
        text = text.replace(repr(self._host), SOMEBODY)
        kind = "timeout" if isinstance(error, httpx.TimeoutException) else "transport"
        return _failure(kind, text, self._where)


class _Chunks:
    """The pieces of an answer, with the transport's errors told as ours."""

    __slots__ = ("_endpoint", "_next")

    def __init__(self, pieces: AsyncIterator[bytes], endpoint: Endpoint) -> None:
        self._next = pieces.__anext__
        self._endpoint = endpoint

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._next()
        except (httpx.TransportError, DecodingError) as error:
            raise self._endpoint._explain(error) from error


async def read_json(answer: Answer) -> Any:
    """The whole of an answer, decoded; the answer is closed.

    Raises `UpstreamError`: of kind ``status`` for one that is not 2xx, ``garbage`` for one that is
    not JSON or larger than `MAX_JSON_BYTES`, ``transport`` or ``timeout`` while reading.
    """
    try:
        if not 200 <= answer.status < 300:
            fault = Fault(answer.status, "api_error", f"the upstream answered with status {answer.status}")
            raise UpstreamError("status", fault, status=answer.status)
        pieces, size = [], 0
        async for piece in answer.chunks:
            size += len(piece)
            if size > MAX_JSON_BYTES:
                raise _failure("garbage", f"the upstream's answer is larger than {MAX_JSON_BYTES:,} bytes")
            pieces.append(piece)
        return orjson.loads(b"".join(pieces))
    except orjson.JSONDecodeError as error:
        raise _failure("garbage", f"the upstream's answer is not JSON: {error}") from error
    finally:
        await answer.aclose()


def _failure(kind: str, text: str, where: str = "") -> UpstreamError:
    if kind == "timeout":
        return UpstreamError(kind, Fault(504, "timeout_error", text), place=where)
    return UpstreamError(kind, Fault(502, "api_error", text), place=where)


def _timeouts(limits: Limits) -> dict[str, float]:
    """What a transport is told; see `HttpTransport` for the keys that httpx does not know."""
    return {
        "connect": limits.connect_s,
        "pool": limits.connect_s,
        "write": limits.idle_s,
        "head": limits.first_byte_s,
        "first_byte": limits.first_byte_s,
        "read": limits.idle_s,
    }


def _encoded(headers: Mapping[str, str]) -> Iterable[tuple[bytes, bytes]]:
    """Header lines as bytes. The value stays out of the error: it may be a key."""
    pairs = []
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a header")
        if _FORBIDDEN.search(value):
            raise ValueError(f"header {name!r} holds a line break or a NUL; nothing was sent")
        try:
            pairs.append((name.lower().encode("ascii"), value.strip().encode("latin-1")))
        except UnicodeEncodeError:
            # Without its cause, which would quote the value.
            raise ValueError(f"header {name!r} holds a character beyond Latin-1; nothing was sent") from None
    return pairs


def _decoded_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _basic_auth(userinfo: bytes) -> str | None:
    if not userinfo:
        return None
    user, _, password = userinfo.partition(b":")
    pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return "Basic " + base64.b64encode(pair).decode("ascii")
