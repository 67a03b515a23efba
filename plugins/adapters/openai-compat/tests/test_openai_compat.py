"""Calls to servers with an OpenAI endpoint."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import httpx
import pytest
from coderouter_adapter_openai_compat import OpenAICompat, OpenAICompatAdapter

from coderouter_core.api import Call, ConfigError, Dialect, Limits, Operation, Provider, UpstreamError
from coderouter_core.testing import Close, Received, Reply, Steps, Upstream, conformance

T = TypeVar("T")


def adapter(base_url: str, kind: str = "openai-compat", key: str | None = None) -> OpenAICompatAdapter | None:
    provider = Provider("up", kind=kind, base_url=base_url, model="m", api_key_env=key)
    return OpenAICompat().make_adapter(provider, httpx.AsyncHTTPTransport())


def used(
    script: Steps,
    use: Callable[[OpenAICompatAdapter], Awaitable[T]],
    key: str | None = None,
    path: str = "/v1",
) -> tuple[T, list[Received]]:
    """What `use` makes of an adapter, and the requests that the server saw."""

    async def run(url: str) -> T:
        made = adapter(url, key=key)
        assert made is not None
        await made.start()
        try:
            return await use(made)
        finally:
            await made.aclose()

    with Upstream(script) as upstream:
        return asyncio.run(run(upstream.url + path)), [*upstream.calls, *upstream.others]


def asks(
    operation: Operation = Operation.GENERATE,
    *,
    stream: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Callable[[OpenAICompatAdapter], Awaitable[bytes]]:
    async def use(adapter: OpenAICompatAdapter) -> bytes:
        provider = Provider("up", base_url="http://up/v1", model="m")
        body = json.dumps({"model": "m", "messages": [], "stream": stream}).encode()
        call = Call(provider, "r", Dialect.CHAT, operation, body, stream, Limits(), headers or {})
        answer = await adapter.open(call)
        try:
            return b"".join([chunk async for chunk in answer.chunks])
        finally:
            await answer.aclose()

    return use


def test_the_plugin_conforms() -> None:
    conformance(OpenAICompat())


def test_providers_of_other_kinds_are_left_to_others() -> None:
    assert adapter("http://up/v1", kind="anthropic") is None


def test_a_base_that_is_no_address_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match="base_url"):
        adapter("localhost:11434/v1")


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        pytest.param(Operation.GENERATE, "/v1/chat/completions", id="generate"),
        pytest.param(Operation.EMBED, "/v1/embeddings", id="embed"),
        pytest.param(Operation.COMPLETE, "/v1/completions", id="complete"),
    ],
)
def test_each_operation_has_its_path(operation: Operation, path: str) -> None:
    _, (seen,) = used("hi", asks(operation))

    assert (seen.method, seen.path) == ("POST", path)


@pytest.mark.parametrize(
    ("base", "path"),
    [
        pytest.param("", "/chat/completions", id="nothing-is-added"),
        pytest.param("/api/v1/", "/api/v1/chat/completions", id="trailing-slash"),
        pytest.param("/v1?api-version=2", "/v1/chat/completions?api-version=2", id="query"),
    ],
)
def test_the_base_is_used_as_it_is(base: str, path: str) -> None:
    _, (seen,) = used("hi", asks(), path=base)

    assert seen.path == path


def test_the_body_arrives_as_it_is() -> None:
    _, (seen,) = used("hi", asks())

    assert seen.raw == b'{"model": "m", "messages": [], "stream": false}'


def test_a_whole_answer_comes_back() -> None:
    body, _ = used("hello", asks())

    assert json.loads(body)["choices"][0]["message"]["content"] == "hello"


def test_a_stream_comes_back() -> None:
    body, _ = used(Reply("hello", chunk=5), asks(stream=True))

    assert b'"content":"hello"' in body.replace(b" ", b"")
    assert body.rstrip().endswith(b"data: [DONE]")


def test_the_key_is_read_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(adapter: OpenAICompatAdapter) -> None:
        for key in ("first", " second\n"):
            monkeypatch.setenv("UP_KEY", key)
            await asks()(adapter)

    _, seen = used("hi", use, key="UP_KEY")

    assert [each.headers["authorization"] for each in seen] == ["Bearer first", "Bearer second"]


def test_without_a_key_there_is_no_authorization(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UP_KEY", raising=False)

    _, (seen,) = used("hi", asks(), key="UP_KEY")

    assert "authorization" not in seen.headers


def test_headers_of_the_client_stay_with_other_dialects() -> None:
    _, (seen,) = used("hi", asks(headers={"anthropic-beta": "context-1m"}))

    assert "anthropic-beta" not in seen.headers


def test_a_broken_connection_is_an_upstream_error() -> None:
    with pytest.raises(UpstreamError) as caught:
        used(Close(), asks())

    assert caught.value.kind == "transport"


def models(body: Any, status: int = 200) -> list[Mapping[str, Any]]:
    """What the adapter makes of a server's list of models."""
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json=body))
    made = OpenAICompat().make_adapter(Provider("up", base_url="http://up/v1", model="m"), transport)
    assert made is not None
    return list(asyncio.run(made.models()))


def test_models_are_asked_for_with_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UP_KEY", "secret")

    _, (seen,) = used("hi", OpenAICompatAdapter.models, key="UP_KEY")

    assert (seen.method, seen.path) == ("GET", "/v1/models")
    assert seen.headers["authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("entry", "window"),
    [
        pytest.param({}, None, id="not-told"),
        pytest.param({"max_model_len": 32_768}, 32_768, id="vllm"),
        pytest.param({"meta": {"n_ctx": 4096, "n_ctx_train": 131_072}}, 4096, id="llama-swap"),
        pytest.param({"meta": None}, None, id="meta-is-null"),
        pytest.param({"loaded_context_length": 8192, "max_context_length": 131_072}, 8192, id="lm-studio"),
        pytest.param({"context_length": 200_000}, 200_000, id="openrouter"),
        pytest.param({"context_window": 131_072}, 131_072, id="groq"),
        pytest.param({"max_context_length": 65_536}, 65_536, id="mistral"),
        pytest.param({"context_length": 0, "context_window": 8192}, 8192, id="zero-is-not-told"),
        pytest.param({"context_length": "many"}, None, id="not-a-number"),
        pytest.param({"context_length": True}, None, id="not-a-number-either"),
    ],
)
def test_the_context_window_is_read_where(entry: dict[str, Any], window: int | None) -> None:
    told = {} if window is None else {"context_window": window}

    assert models({"object": "list", "data": [{"id": "m", **entry}]}) == [{"id": "m", **told}]


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        pytest.param([{"id": "a"}], ["a"], id="bare-list"),
        pytest.param({"data": [{"id": "a"}, {"name": "b"}, "c", {"id": 4}]}, ["a"], id="entries-without-id"),
        pytest.param({"data": None}, [], id="null"),
        pytest.param({"models": []}, [], id="another-shape"),
        pytest.param("none", [], id="a-string"),
    ],
)
def test_a_list_of_models_may_be_odd(body: Any, ids: list[str]) -> None:
    assert [model["id"] for model in models(body)] == ids


def test_a_server_without_a_list_of_models_is_an_upstream_error() -> None:
    with pytest.raises(UpstreamError) as caught:
        models({"error": "no"}, status=404)

    assert (caught.value.kind, caught.value.status) == ("status", 404)


def test_tokens_are_not_counted() -> None:
    async def use(adapter: OpenAICompatAdapter) -> int | None:
        provider = Provider("up", base_url="http://up/v1", model="m")
        call = Call(provider, "r", Dialect.CHAT, Operation.GENERATE, b"{}", False, Limits())
        return await adapter.count_tokens(call)

    assert used("hi", use) == (None, [])
