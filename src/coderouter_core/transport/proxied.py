"""HTTP through the proxy that the environment names."""

from __future__ import annotations

import asyncio
import ssl
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping
from urllib.parse import urlsplit

import httpx

from coderouter_core.transport.connection import NO_ANSWER
from coderouter_core.transport.dialing import place
from coderouter_core.transport.tls import client_context


def proxy_for(url: str) -> str | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY (upper or lower case) mean for `url`."""
    parts = urlsplit(url)
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    host = parts.netloc.rpartition("@")[2]
    if not proxy or urllib.request.proxy_bypass(host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


class ProxiedTransport(httpx.AsyncBaseTransport):
    """httpx's own transport, through a proxy, with the time limits of `HttpTransport`.

    Slower than that one, but it knows every kind of proxy. Made at the first request, off the event loop.
    """

    def __init__(self, proxy: str, *, tls: Callable[[], ssl.SSLContext] = client_context) -> None:
        self._proxy = proxy
        self._tls = tls
        self._inner: httpx.AsyncHTTPTransport | None = None
        self._making = asyncio.Lock()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        async with self._making:
            if self._inner is None:
                self._inner = await asyncio.to_thread(self._make)
        timeouts = request.extensions.get("timeout") or {}
        # Deadlines and the first byte are unknown to httpx: its own timer for reading is switched off.
        request.extensions["timeout"] = {**timeouts, "read": None}
        url = request.url
        where = place(url.raw_host.decode("ascii"), url.port or (443 if url.scheme == "https" else 80))
        head = timeouts.get("head", timeouts.get("read"))
        try:
            async with asyncio.timeout(head):
                response = await self._inner.handle_async_request(request)
        except TimeoutError as error:
            raise httpx.ReadTimeout(f"{where} {NO_ANSWER} {head:g} s") from error
        if not isinstance(response.stream, httpx.AsyncByteStream):
            raise TypeError("httpx answers with a stream that is not asynchronous")
        response.stream = _Paced(response.stream, where, timeouts)
        return response

    async def aclose(self) -> None:
        if self._inner is not None:
            await self._inner.aclose()

    def _make(self) -> httpx.AsyncHTTPTransport:
        context = self._tls()
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=60.0)
        scheme = self._proxy.partition("://")[0]
        try:
            proxy = httpx.Proxy(self._proxy, ssl_context=context if scheme == "https" else None)
            return httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits, proxy=proxy)
        except (ImportError, ValueError) as error:
            why = str(error) if isinstance(error, ImportError) else "not a kind that is known"
            raise httpx.ProxyError(f"the environment names a proxy of kind {scheme!r}: {why}") from None


class _Paced(httpx.AsyncByteStream):
    """A body, with the time limits for its first byte and for silence."""

    def __init__(
        self, stream: httpx.AsyncByteStream, where: str, timeouts: Mapping[str, float | None]
    ) -> None:
        self._stream = stream
        self._pieces = stream.__aiter__()
        self._where = where
        self._timeouts = timeouts
        self._begun = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        seconds = self._timeouts.get("read")
        if not self._begun:
            seconds = self._timeouts.get("first_byte", seconds)
        try:
            async with asyncio.timeout(seconds):
                piece = await self._pieces.__anext__()
        except TimeoutError as error:
            what = "fell silent in the middle of its answer for" if self._begun else NO_ANSWER
            raise httpx.ReadTimeout(f"{self._where} {what} {seconds:g} s") from error
        self._begun = True
        return piece

    async def aclose(self) -> None:
        await self._stream.aclose()
