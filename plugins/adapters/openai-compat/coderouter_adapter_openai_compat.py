"""Speak to servers with an OpenAI Chat Completions endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import httpx
from attrs import frozen

from coderouter_core.api import (
    Answer,
    Call,
    Dialect,
    Endpoint,
    Operation,
    Option,
    Provider,
    Scope,
    hookimpl,
    join_url,
    read_json,
)

KIND = "openai-compat"

PATHS = {
    Operation.GENERATE: "chat/completions",
    Operation.EMBED: "embeddings",
    Operation.COMPLETE: "completions",
}

#: Where servers tell a model's context window, the most telling first: what is served (vLLM,
#: LM Studio, llama-swap), then what the model could do (OpenRouter, Groq, Mistral).
WINDOWS = (
    ("max_model_len",),
    ("loaded_context_length",),
    ("meta", "n_ctx"),
    ("context_length",),
    ("context_window",),
    ("max_context_length",),
)


@frozen
class OpenAICompatKeys:
    """No keys beyond those that every provider has."""


class OpenAICompatAdapter:
    """One provider. `base_url` is used as it is: it already ends in ``/v1`` where the server wants that."""

    dialects = (Dialect.CHAT,)

    def __init__(self, provider: Provider, transport: httpx.AsyncBaseTransport) -> None:
        self._provider = provider
        self._transport = transport
        self._endpoints = {
            operation: Endpoint(transport, join_url(provider.base_url, path))
            for operation, path in PATHS.items()
        }
        self._models = Endpoint(transport, join_url(provider.base_url, "models"))

    async def start(self) -> None:
        """Nothing to make ready: the first call connects."""

    async def open(self, call: Call) -> Answer:
        return await self._endpoints[call.operation].post(call, self._auth())

    async def vitals(self) -> Mapping[str, Any]:
        return {}

    async def count_tokens(self, call: Call) -> int | None:  # noqa: ARG002
        return None

    async def models(self) -> Sequence[Mapping[str, Any]]:
        listed = await read_json(await self._models.get(self._auth()))
        entries = listed.get("data") if isinstance(listed, dict) else listed
        if not isinstance(entries, list):
            return []
        return [
            _model(entry) for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)
        ]

    async def aclose(self) -> None:
        await self._transport.aclose()

    def _auth(self) -> dict[str, str]:
        key = self._provider.api_key()
        return {"authorization": f"Bearer {key}"} if key else {}


def _model(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    for path in WINDOWS:
        value: Any = entry
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if type(value) is int and value > 0:  # True is an int, too
            return {"id": entry["id"], "context_window": value}
    return {"id": entry["id"]}


class OpenAICompat:
    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.PROVIDER, OpenAICompatKeys, kind=KIND, requires=("base_url", "model"))]

    @hookimpl
    def make_adapter(
        self, provider: Provider, transport: httpx.AsyncBaseTransport
    ) -> OpenAICompatAdapter | None:
        return OpenAICompatAdapter(provider, transport) if provider.kind == KIND else None
