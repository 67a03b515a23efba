"""``/v1/embeddings``, asked by the official SDK, through the same engine as everything else."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from coderouter_core.model import Dialect, Operation, Request
from coderouter_core.testing import Html, ProviderError, Raw, Reply, Script, ServedRouter, make_router

PRICED = {"cost": {"input_tokens_per_million": 2.0, "output_tokens_per_million": 4.0}}


def client(router: ServedRouter) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{router.url}/v1", api_key="client", max_retries=0, timeout=15)


def embed(router: ServedRouter, given: Any = "hi", **more: Any) -> openai.types.CreateEmbeddingResponse:
    return client(router).embeddings.create(model="any", input=given, encoding_format="float", **more)


def test_each_text_gets_its_vector() -> None:
    router = make_router(Script(only="ok"))

    answer = embed(router, ["a", "bbb"])

    assert [vector.embedding[0] for vector in answer.data] == [1.0, 3.0]


@pytest.mark.parametrize("given", ["text", ["one", "two"], [1, 2, 3], [[1, 2], [3]]])
def test_every_kind_of_input_reaches_the_provider(given: Any) -> None:
    router = make_router(Script(only="ok"))

    embed(router, given, dimensions=8)

    assert router.upstreams["only"].calls[0].body == {
        "model": "only-model",
        "input": given,
        "encoding_format": "float",
        "dimensions": 8,
    }


STREAM = b'data: {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]}\n\n'
FAILURES = [
    pytest.param(ProviderError("no", status=500), id="500"),
    pytest.param(ProviderError("not supported", status=501), id="501"),
    pytest.param(Html(), id="html"),
    pytest.param(Raw(200, {"content-type": "application/json"}, b'{"data": []}'), id="no-vectors"),
    pytest.param(Raw(200, {"content-type": "application/json"}, b'{"hello": 1}'), id="another-json"),
    pytest.param(
        Raw(200, {"content-type": "application/json"}, b'{"error": {"message": "x"}}'), id="error-200"
    ),
    pytest.param(Raw(200, {"content-type": "text/event-stream"}, STREAM), id="streamed"),
]


@pytest.mark.parametrize("failure", FAILURES)
def test_the_next_provider_embeds(failure: Any) -> None:
    router = make_router(Script(first=failure, second="ok"))

    assert embed(router).model == "second-model"


def test_what_was_embedded_is_paid_as_input() -> None:
    router = make_router(Script(only=Reply(usage=(500_000, 7))), providers={"only": PRICED})

    embed(router)

    (attempt,) = router.attempts
    assert (
        attempt.operation,
        attempt.usage.input,
        attempt.usage.output,
        attempt.cost and attempt.cost.usd,
    ) == (
        Operation.EMBED,
        500_000,
        0,
        1.0,
    )


def test_a_provider_without_embeddings_is_left_out_with_a_reason() -> None:
    router = make_router(Script(native=Script.messages("x"), other="ok"))

    answer = embed(router)

    (event,) = [event for event in router.events if event.name == "skip-unsupported-operation"]
    assert (answer.model, event.fields["provider"], event.fields["operation"]) == (
        "other-model",
        "native",
        "embed",
    )


def test_nobody_with_embeddings_is_a_501_that_no_client_repeats() -> None:
    router = make_router(Script(native=Script.messages("x")))

    response = router.client.post("/v1/embeddings", json={"model": "any", "input": "hi"})

    assert (
        response.status_code,
        response.headers["x-should-retry"],
        "native: skipped, providers of kind 'scripted-messages' have no embeddings"
        in response.json()["error"]["message"],
    ) == (501, "false", True)


def test_paid_providers_stay_behind_their_gate() -> None:
    router = make_router(Script(paid="ok", free="ok"), providers={"paid": {"paid": True}})

    assert embed(router).model == "free-model"


def test_a_profile_can_be_asked_for() -> None:
    router = make_router(
        Script(one="ok", two="ok"),
        profiles=[{"name": "default", "providers": ["one"]}, {"name": "vectors", "providers": ["two"]}],
    )

    answer = client(router).embeddings.create(model="vectors", input="hi")

    assert answer.model == "two-model"


def test_system_prompts_are_for_conversations() -> None:
    router = make_router(Script(only="ok"), providers={"only": {"append_system_prompt": "Be brief."}})

    embed(router)

    assert router.upstreams["only"].calls[0].body.keys() == {"model", "input", "encoding_format"}


def test_headers_tell_who_answered() -> None:
    router = make_router(Script(first=ProviderError("no"), second="ok"))

    headers = router.client.post("/v1/embeddings", json={"model": "any", "input": "hi"}).headers

    assert (headers["x-coderouter-provider"], headers["x-coderouter-attempts"]) == ("second", "2")


def test_the_way_of_the_request_is_kept() -> None:
    router = make_router(Script(first=ProviderError("no"), second="ok"))

    embed(router)
    router.wait_event("request-finished")

    facts = router.client.get("/explain/last").json()["facts"]
    assert (facts["operation"], [each["provider"] for each in facts["attempts"]]) == (
        "embed",
        ["first", "second"],
    )


def test_a_server_that_tells_only_the_total_is_understood() -> None:
    body = b'{"data": [{"index": 0, "embedding": [1.0]}], "usage": {"total_tokens": 8}}'
    router = make_router(Script(only=Raw(200, {"content-type": "application/json"}, body)))

    embed(router)

    assert (router.attempts[0].usage.input, router.attempts[0].estimated) == (8, False)


def test_stream_means_nothing_here() -> None:
    body = b'{"object": "list", "data": [{"index": 0, "embedding": [1.0]}]}'
    router = make_router(Script(only=Raw(200, {"content-type": "application/json"}, body)))

    response = router.client.post("/v1/embeddings", json={"model": "any", "input": "hi", "stream": True})

    assert (response.headers["content-type"], response.content) == ("application/json", body)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "input: must be a string, a list of strings, or token numbers; it is missing"),
        ({"input": 5}, "input: must be a string, a list of strings, or token numbers, not a number"),
        ({"input": []}, "input: must hold at least one text"),
        ({"input": [{"a": 1}]}, "input.0: must be a string or token numbers, not an object"),
    ],
)
def test_a_wrong_body_is_told_in_openais_shape(body: dict[str, Any], says: str) -> None:
    router = make_router(Script(only="ok"))

    response = router.client.post("/v1/embeddings", json={"model": "any", **body})

    error = response.json()["error"]
    assert (response.status_code, error["type"], error["message"]) == (400, "invalid_request_error", says)


def request(given: Any) -> Request:
    return Request("r", Dialect.CHAT, {"input": given}, b"", operation=Operation.EMBED)


def test_the_texts_are_what_the_user_wrote() -> None:
    assert request(["one", "two"]).latest_user_text == "one\ntwo"


@pytest.mark.parametrize(("given", "tokens"), [([1, 2, 3], 3), ([[1, 2], [3]], 3)])
def test_token_numbers_are_counted(given: Any, tokens: int) -> None:
    assert request(given).tokens == tokens
