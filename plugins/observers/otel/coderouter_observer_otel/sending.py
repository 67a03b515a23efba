"""One signal's way to the collector: OTLP over HTTP, with the repetitions that the protocol asks for."""

from __future__ import annotations

import asyncio
import gzip
import random
import ssl
from typing import Self
from urllib.parse import urlsplit

import anyio
import httpx

from coderouter_core.api import ConfigError, Problem
from coderouter_observer_otel.settings import Target

#: Answers after which the same may be sent again (OTLP/HTTP, "retryable response codes").
AGAIN = frozenset({429, 502, 503, 504})
#: Seconds before the second try; doubled for each that follows.
PAUSE_S = 1.0
#: Bytes of an answer that are read; its words are of no use here, but a connection is kept only when they are read.
MOST_READ = 64 * 1024

HEADERS = {"content-type": "application/x-protobuf", "user-agent": "coderouter-observer-otel"}


class Sender:
    """Sends bodies to one `target`. What is tried once `closing` is set is tried for the last time."""

    def __init__(self, target: Target, closing: asyncio.Event) -> None:
        self._target = target
        self._closing = closing
        headers = {**HEADERS, **target.headers}
        if target.gzip:
            headers["content-encoding"] = "gzip"
        # What the client stands on is loaded now: at the first export traffic would wait for it.
        anyio.get_cancelled_exc_class()
        self._client = httpx.AsyncClient(verify=_tls(target), headers=headers, timeout=target.timeout_s)

    async def send(self, body: bytes) -> bool:
        """Whether the collector took `body`. Takes no longer than the target's `timeout_s`; raises nothing."""
        try:
            async with asyncio.timeout(self._target.timeout_s):
                if self._target.gzip:
                    body = await asyncio.to_thread(gzip.compress, body, 6)
                return await self._tries(body)
        except Exception:
            # Whatever it is, what was measured is lost and traffic goes on.
            return False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def _tries(self, body: bytes) -> bool:
        pause_s = PAUSE_S
        while True:
            asked_s, is_last = 0.0, self._closing.is_set()
            try:
                status, asked_s = await self._post(body)
            except httpx.TransportError:
                status = 503
            if status not in AGAIN or is_last:
                return 200 <= status < 300
            await self._rest(max(asked_s, pause_s * random.uniform(0.8, 1.2)))  # noqa: S311 (no secret)
            pause_s *= 2

    async def _rest(self, pause_s: float) -> None:
        """Wait, but not past the end of the router."""
        try:
            async with asyncio.timeout(pause_s):
                await self._closing.wait()
        except TimeoutError:
            return

    async def _post(self, body: bytes) -> tuple[int, float]:
        """The status, and the seconds after which the collector wants to be asked again."""
        async with self._client.stream("POST", self._target.url, content=body) as answer:
            read = 0
            async for chunk in answer.aiter_raw():
                read += len(chunk)
                if read > MOST_READ:
                    break
            said = answer.headers.get("retry-after", "")
            return answer.status_code, float(said) if said.isdecimal() else 0.0


def _tls(target: Target) -> ssl.SSLContext | bool:
    """What is trusted, and who we are; nothing is read for a collector without TLS."""
    if urlsplit(target.url).scheme == "http":
        return False
    try:
        context = ssl.create_default_context(cafile=target.certificate or None)
        if target.client_certificate:
            context.load_cert_chain(target.client_certificate, target.client_key or None)
    except (OSError, ValueError) as error:
        named = (target.certificate, target.client_certificate, target.client_key)
        wrong = f"{', '.join(filter(None, named))}: must hold certificates and their key as PEM ({error})"
        raise ConfigError(
            Problem(wrong, "OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE, _CLIENT_KEY")
        ) from error
    return context
