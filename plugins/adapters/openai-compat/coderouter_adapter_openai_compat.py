"""Speak to servers with an OpenAI Chat Completions endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import httpx
import orjson
from attrs import frozen

from coderouter_core.api import (
    Answer,
    Call,
    Dialect,
    Endpoint,
    Limits,
    Operation,
    Option,
    Provider,
    Scope,
    UpstreamError,
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

#: Names of the values that `vitals` gives, here and in other adapters.
VITALS = ("slots", "processing", "waiting", "kv_cache_usage", "memory_spill", "context_window")

METRICS = {
    "llamacpp:requests_deferred": "waiting",
    "llamacpp:kv_cache_usage_ratio": "kv_cache_usage",
    "vllm:num_requests_running": "processing",
    "vllm:num_requests_waiting": "waiting",
    "vllm:kv_cache_usage_perc": "kv_cache_usage",
    "vllm:gpu_cache_usage_perc": "kv_cache_usage",
}

VITALS_LIMITS = Limits(connect_s=1.0, first_byte_s=2.0, idle_s=2.0)
MOST_VITALS = 1024 * 1024
#: A backend that told nothing this often in a row is not asked again.
ASKED_IN_VAIN = 30


@frozen
class OpenAICompatKeys:
    """No keys beyond those that every provider has."""


class OpenAICompatAdapter:
    """One provider. `base_url` is used as it is: it already ends in ``/v1`` where the server wants that."""

    dialects = (Dialect.CHAT,)
    operations = tuple(PATHS)

    def __init__(self, provider: Provider, transport: httpx.AsyncBaseTransport) -> None:
        self._provider = provider
        self._transport = transport
        self._endpoints = {
            operation: Endpoint(transport, join_url(provider.base_url, path))
            for operation, path in PATHS.items()
        }
        self._models = Endpoint(transport, join_url(provider.base_url, "models"))
        self._vitals = Vitals(provider, transport)

    async def start(self) -> None:
        """Nothing to make ready: the first call connects."""

    async def open(self, call: Call) -> Answer:
        return await self._endpoints[call.operation].post(call, self._auth())

    async def vitals(self) -> Mapping[str, Any]:
        """What the backend tells, under the names of `VITALS`; empty when it tells nothing."""
        return await self._vitals.ask(self._auth())

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


class Vitals:
    """Asks a backend for its load and memory: in the way that it answered once, or in each way in turn."""

    def __init__(self, provider: Provider, transport: httpx.AsyncBaseTransport) -> None:
        self._model = provider.model
        root = provider.base_url.partition("?")[0].rstrip("/").removesuffix("/v1")
        ways = {"/api/ps": self._ollama, "/slots": self._slots, "/metrics": self._metrics}
        self._ways = [(Endpoint(transport, join_url(root, path)), read) for path, read in ways.items()]
        self._silent = 0

    async def ask(self, headers: Mapping[str, str]) -> dict[str, Any]:
        if self._silent >= ASKED_IN_VAIN:
            return {}
        found: dict[str, Any] = {}
        answered = []
        for endpoint, read in self._ways:
            try:
                told = read(await _text(await endpoint.get(headers, VITALS_LIMITS)))
            except (UpstreamError, ValueError, TypeError, AttributeError):
                continue
            if told is not None:
                found.update(told)
                answered.append((endpoint, read))
        self._ways = answered or self._ways
        self._silent = 0 if answered else self._silent + 1
        return found

    def _ollama(self, text: bytes) -> dict[str, Any] | None:
        """``/api/ps``: the loaded models, and how much of each is in graphics memory."""
        listed = orjson.loads(text)["models"]
        for model in listed:
            if self._model in (model.get("name"), model.get("model")):
                size, graphics = model.get("size") or 0, model.get("size_vram") or 0
                window = model.get("context_length")
                told = {"memory_spill": 0 < graphics < size}
                return {**told, "context_window": window} if window else told
        return {}

    @staticmethod
    def _slots(text: bytes) -> dict[str, Any] | None:
        """``/slots`` of llama.cpp."""
        slots = orjson.loads(text)
        if not isinstance(slots, list):
            return None
        busy = sum(bool(slot.get("is_processing")) for slot in slots)
        windows = [slot["n_ctx"] for slot in slots if isinstance(slot.get("n_ctx"), int)]
        told = {"slots": len(slots), "processing": busy}
        return {**told, "context_window": min(windows)} if windows else told

    @staticmethod
    def _metrics(text: bytes) -> dict[str, Any] | None:
        """``/metrics`` of llama.cpp and vLLM, in the text format of Prometheus."""
        told: dict[str, Any] = {}
        for line in text.decode("utf-8", "replace").splitlines():
            name, _, rest = line.partition("{")[0].partition(" ")
            if (known := METRICS.get(name)) is not None:
                value = float(line.rpartition("}")[2].split()[0] if "{" in line else rest.split()[0])
                told[known] = value if known == "kv_cache_usage" else int(value)
        return told or None


async def _text(answer: Answer) -> bytes:
    """The body of an answer with status 200, bounded."""
    try:
        if answer.status != 200:
            raise ValueError(answer.status)
        text = b""
        async for piece in answer.chunks:
            text += piece
            if len(text) > MOST_VITALS:
                raise ValueError("too large")
        return text
    finally:
        await answer.aclose()


class OpenAICompat:
    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.PROVIDER, OpenAICompatKeys, kind=KIND, requires=("base_url", "model"))]

    @hookimpl
    def make_adapter(
        self, provider: Provider, transport: httpx.AsyncBaseTransport
    ) -> OpenAICompatAdapter | None:
        return OpenAICompatAdapter(provider, transport) if provider.kind == KIND else None
