"""Speak to servers with an Anthropic Messages endpoint."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import attrs
import httpx
from attrs import field, frozen, validators

from coderouter_core.api import (
    Answer,
    Call,
    Dialect,
    Endpoint,
    Option,
    Provider,
    Scope,
    UpstreamError,
    hookimpl,
    join_url,
    read_json,
)

KIND = "anthropic"
VERSION = "2023-06-01"

#: What a request to generate has and one to count may not have.
ONLY_TO_GENERATE = (
    "max_tokens",
    "metadata",
    "service_tier",
    "stop_sequences",
    "stream",
    "temperature",
    "top_k",
    "top_p",
)


@frozen
class AnthropicKeys:
    """Keys on a provider of this kind. `count_tokens` says that the server counts tokens itself."""

    count_tokens: bool = field(default=False, validator=validators.instance_of(bool))


class AnthropicAdapter:
    """One provider. `base_url` may or may not end in ``/v1``."""

    dialects = (Dialect.MESSAGES,)

    def __init__(self, provider: Provider, transport: httpx.AsyncBaseTransport) -> None:
        self._provider = provider
        self._transport = transport
        self._messages = Endpoint(transport, _url(provider, "/v1/messages"))
        self._count = Endpoint(transport, _url(provider, "/v1/messages/count_tokens"))
        self._models = Endpoint(transport, _url(provider, "/v1/models?limit=1000"))

    async def start(self) -> None:
        """Nothing to make ready: the first call connects."""

    async def open(self, call: Call) -> Answer:
        return await self._messages.post(call, self._headers(call.headers))

    async def vitals(self) -> Mapping[str, Any]:
        return {}

    async def count_tokens(self, call: Call) -> int | None:
        if not self._provider.option(AnthropicKeys).count_tokens:
            return None
        body = {key: value for key, value in json.loads(call.body).items() if key not in ONLY_TO_GENERATE}
        call = attrs.evolve(call, body=json.dumps(body).encode(), stream=False)
        try:
            counted = await read_json(await self._count.post(call, self._headers(call.headers)))
        except UpstreamError:
            return None
        count = counted.get("input_tokens") if isinstance(counted, dict) else None
        return count if type(count) is int else None

    async def models(self) -> Sequence[Mapping[str, Any]]:
        listed = await read_json(await self._models.get(self._headers({})))
        entries = listed.get("data") if isinstance(listed, dict) else None
        if not isinstance(entries, list):
            return []
        return [
            _model(entry) for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)
        ]

    async def aclose(self) -> None:
        await self._transport.aclose()

    def _headers(self, client: Mapping[str, str]) -> dict[str, str]:
        """The key, the version, and whatever ``anthropic-*`` header the client sent, word for word."""
        version = self._provider.extra_body.get("anthropic_version") or VERSION
        headers = {"anthropic-version": str(version)}
        headers.update((name, value) for name, value in client.items() if name.startswith("anthropic-"))
        if key := self._provider.api_key():
            headers["x-api-key"] = key
        return headers


def _url(provider: Provider, path: str) -> str:
    """`path` below the base URL, whose own ``/v1`` is not doubled and whose query is kept."""
    parts = urlsplit(join_url(provider.base_url, ""))
    root = parts._replace(path=parts.path.rstrip("/").removesuffix("/v1"))
    return join_url(urlunsplit(root), path)


def _model(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    window = entry.get("max_input_tokens")
    told = {"context_window": window} if type(window) is int and window > 0 else {}
    return {"id": entry["id"], **told}


class Anthropic:
    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.PROVIDER, AnthropicKeys, kind=KIND, requires=("base_url", "model"))]

    @hookimpl
    def make_adapter(
        self, provider: Provider, transport: httpx.AsyncBaseTransport
    ) -> AnthropicAdapter | None:
        return AnthropicAdapter(provider, transport) if provider.kind == KIND else None
