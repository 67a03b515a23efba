"""Calls to servers with an Anthropic endpoint."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import httpx
import pytest
from coderouter_adapter_anthropic import Anthropic, AnthropicAdapter, AnthropicKeys

from coderouter_core.api import Call, ConfigError, Dialect, Limits, Operation, Provider, UpstreamError
from coderouter_core.testing import Close, Raw, Received, Reply, Steps, Upstream, conformance

T = TypeVar("T")
Use = Callable[[AnthropicAdapter], Awaitable[T]]


def provider(base_url: str = "http://up", kind: str = "anthropic", **how: Any) -> Provider:
    return Provider("up", kind=kind, base_url=base_url, model="m", **how)


def adapter(provider: Provider) -> AnthropicAdapter:
    made = Anthropic().make_adapter(provider, httpx.AsyncHTTPTransport())
    assert made is not None
    return made


def used(script: Steps, use: Use[T], path: str = "", **how: Any) -> tuple[T, list[Received]]:
    """What `use` makes of an adapter, and the requests that the server saw."""

    async def run(url: str) -> T:
        made = adapter(provider(url, **how))
        await made.start()
        try:
            return await use(made)
        finally:
            await made.aclose()

    with Upstream(script) as upstream:
        return asyncio.run(run(upstream.url + path)), [*upstream.calls, *upstream.others]


def a_call(body: Any = None, headers: Mapping[str, str] | None = None, *, stream: bool = False) -> Call:
    raw = json.dumps(body or {"model": "m", "messages": [], "stream": stream}).encode()
    return Call(provider(), "r", Dialect.MESSAGES, Operation.GENERATE, raw, stream, Limits(), headers or {})


def asks(headers: Mapping[str, str] | None = None, *, stream: bool = False) -> Use[bytes]:
    async def use(adapter: AnthropicAdapter) -> bytes:
        answer = await adapter.open(a_call(headers=headers, stream=stream))
        try:
            return b"".join([chunk async for chunk in answer.chunks])
        finally:
            await answer.aclose()

    return use


def test_the_plugin_conforms() -> None:
    conformance(Anthropic())


def test_providers_of_other_kinds_are_left_to_others() -> None:
    other = provider(kind="openai-compat")

    assert Anthropic().make_adapter(other, httpx.AsyncHTTPTransport()) is None


def test_a_base_that_is_no_address_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match="base_url"):
        adapter(provider("localhost:8080"))


@pytest.mark.parametrize(
    ("base", "path"),
    [
        pytest.param("", "/v1/messages", id="bare"),
        pytest.param("/", "/v1/messages", id="slash"),
        pytest.param("/v1", "/v1/messages", id="with-v1"),
        pytest.param("/v1/", "/v1/messages", id="with-v1-and-slash"),
        pytest.param("/anthropic", "/anthropic/v1/messages", id="path"),
        pytest.param("/anthropic/v1", "/anthropic/v1/messages", id="path-with-v1"),
        pytest.param("/v1?api-version=2", "/v1/messages?api-version=2", id="query"),
        pytest.param("/v1#top", "/v1/messages", id="fragment"),
    ],
)
def test_messages_are_found_below_the_base(base: str, path: str) -> None:
    _, (seen,) = used("hi", asks(), path=base)

    assert (seen.method, seen.path) == ("POST", path)


def test_the_body_arrives_as_it_is() -> None:
    _, (seen,) = used("hi", asks())

    assert seen.raw == b'{"model": "m", "messages": [], "stream": false}'


def test_a_whole_answer_comes_back() -> None:
    body, _ = used("hello", asks())

    assert json.loads(body)["content"] == [{"type": "text", "text": "hello"}]


def test_a_stream_comes_back() -> None:
    body, _ = used(Reply("hello"), asks(stream=True))

    assert body.startswith(b"event: message_start\n")
    assert b"event: message_stop\n" in body


def test_the_key_is_read_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(adapter: AnthropicAdapter) -> None:
        for key in ("first", " second\n"):
            monkeypatch.setenv("UP_KEY", key)
            await asks()(adapter)

    _, seen = used("hi", use, api_key_env="UP_KEY")

    assert [each.headers["x-api-key"] for each in seen] == ["first", "second"]


def test_the_key_is_never_a_bearer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UP_KEY", "secret")

    _, (seen,) = used("hi", asks(), api_key_env="UP_KEY")

    assert "authorization" not in seen.headers


def test_without_a_key_there_is_no_header_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UP_KEY", raising=False)

    _, (seen,) = used("hi", asks(), api_key_env="UP_KEY")

    assert "x-api-key" not in seen.headers


@pytest.mark.parametrize(
    ("client", "extra_body", "version"),
    [
        pytest.param({}, {}, "2023-06-01", id="nobody-says"),
        pytest.param({}, {"anthropic_version": "2024-01-01"}, "2024-01-01", id="the-file-says"),
        pytest.param({"anthropic-version": "2025-01-01"}, {}, "2025-01-01", id="the-client-says"),
        pytest.param(
            {"anthropic-version": "2025-01-01"},
            {"anthropic_version": "2024-01-01"},
            "2025-01-01",
            id="both-say",
        ),
    ],
)
def test_the_version_is_what(client: dict[str, str], extra_body: dict[str, Any], version: str) -> None:
    _, (seen,) = used("hi", asks(client), extra_body=extra_body)

    assert seen.headers["anthropic-version"] == version


def test_anthropic_headers_of_the_client_travel_word_for_word() -> None:
    client = {"anthropic-beta": "a-2025-01-01,  b", "anthropic-x-new": "1"}

    _, (seen,) = used("hi", asks(client))

    assert {name: seen.headers[name] for name in client} == client


def test_other_headers_of_the_client_stay_here() -> None:
    _, (seen,) = used("hi", asks({"x-session-id": "s", "x-api-key": "of-the-client"}))

    assert {"x-session-id", "x-api-key"} & set(seen.headers) == set()


def test_a_broken_connection_is_an_upstream_error() -> None:
    with pytest.raises(UpstreamError) as caught:
        used(Close(), asks())

    assert caught.value.kind == "transport"


def counts(body: Any = None, headers: Mapping[str, str] | None = None) -> Use[int | None]:
    async def use(adapter: AnthropicAdapter) -> int | None:
        return await adapter.count_tokens(a_call(body, headers))

    return use


NATIVE: dict[str, Any] = {"options": {AnthropicKeys: AnthropicKeys(count_tokens=True)}}


def test_tokens_are_counted_by_a_server_that_can() -> None:
    count, (seen,) = used("hi", counts(), **NATIVE)

    assert (seen.method, seen.path) == ("POST", "/v1/messages/count_tokens")
    assert type(count) is int


def test_a_server_that_is_not_said_to_count_is_not_asked() -> None:
    assert used("hi", counts()) == (None, [])


def test_counting_takes_the_headers_of_the_client() -> None:
    _, (seen,) = used("hi", counts(headers={"anthropic-beta": "b"}), **NATIVE)

    assert seen.headers["anthropic-beta"] == "b"


def test_counting_leaves_out_what_only_generating_takes() -> None:
    kept = {"model": "m", "messages": [{"role": "user", "content": "h\u00e4"}], "tools": [], "unknown": 1}
    body = {**kept, "max_tokens": 5, "stream": True, "temperature": 1, "metadata": {}, "stop_sequences": []}

    _, (seen,) = used("hi", counts(body), **NATIVE)

    assert seen.body == kept


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(404, {"type": "error"}, id="not-found"),
        pytest.param(200, {"tokens": 5}, id="another-shape"),
        pytest.param(200, {"input_tokens": "5"}, id="not-a-number"),
        pytest.param(200, [5], id="a-list"),
    ],
)
def test_a_count_that_does_not_come_is_none(status: int, body: Any) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json=body))
    made = Anthropic().make_adapter(provider(**NATIVE), transport)
    assert made is not None

    assert asyncio.run(made.count_tokens(a_call())) is None


def models(body: Any) -> list[Mapping[str, Any]]:
    """What the adapter makes of a server's list of models."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=body))
    made = Anthropic().make_adapter(provider(), transport)
    assert made is not None
    listed: list[Mapping[str, Any]] = [*asyncio.run(made.models())]
    return listed


def test_models_are_asked_for_all_at_once() -> None:
    listed, (seen,) = used("hi", AnthropicAdapter.models)

    assert listed == [{"id": "scripted"}]
    assert (seen.method, seen.path) == ("GET", "/v1/models?limit=1000")
    assert seen.headers["anthropic-version"] == "2023-06-01"


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        pytest.param({"max_input_tokens": 200_000}, {"context_window": 200_000}, id="told"),
        pytest.param({"max_input_tokens": None}, {}, id="null"),
        pytest.param({}, {}, id="not-told"),
    ],
)
def test_the_context_window_is_read_where_it_is_told(entry: dict[str, Any], told: dict[str, Any]) -> None:
    assert models({"data": [{"type": "model", "id": "m", **entry}]}) == [{"id": "m", **told}]


@pytest.mark.parametrize("body", [[], {"data": None}, {"data": [{"name": "x"}, 4]}, "none"])
def test_a_list_of_models_may_be_odd(body: Any) -> None:
    assert models(body) == []


def test_nothing_is_told_of_load() -> None:
    async def use(adapter: AnthropicAdapter) -> Mapping[str, Any]:
        return await adapter.vitals()

    assert used(Raw(500), use) == ({}, [])
