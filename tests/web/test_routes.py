"""The routes that no model answers, and requests that never become one."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from coderouter_core.testing import FakeClock, Script, ServedRouter, make_router

TURNS = [{"role": "user", "content": "hi"}]
ANTHROPIC = {"anthropic-version": "2023-06-01"}


@pytest.fixture(scope="module")
def router() -> ServedRouter:
    return make_router(
        Script(local="hello", cloud=Script.messages("hello")),
        providers={"local": {"capabilities": {"max_context_tokens": 32768}}},
    )


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/api/hello", 200),
        ("HEAD", "/api/hello", 200),
        ("POST", "/api/event_logging/batch", 204),
        ("GET", "/healthz", 200),
        ("GET", "/livez", 200),
        ("GET", "/readyz", 200),
        ("GET", "/v1/models", 200),
        ("GET", "/v1/models?limit=1000", 200),
        ("GET", "/v1/models/local", 200),
        ("GET", "/v1/models/nobody", 404),
        ("GET", "/v1/messages", 405),
        ("GET", "/nowhere", 404),
    ],
)
def test_statuses(router: ServedRouter, method: str, path: str, status: int) -> None:
    assert router.client.request(method, path).status_code == status


def test_a_query_string_changes_nothing(router: ServedRouter) -> None:
    body = {"model": "m", "max_tokens": 9, "messages": TURNS}

    assert router.client.post("/v1/messages?beta=true", json=body).status_code == 200


def test_models_in_the_openai_shape(router: ServedRouter) -> None:
    listed = router.client.get("/v1/models").json()

    assert (listed["object"], [(model["id"], model["object"]) for model in listed["data"]]) == (
        "list",
        [("default", "model"), ("local", "model"), ("cloud", "model")],
    )


def test_models_in_the_anthropic_shape(router: ServedRouter) -> None:
    listed = router.client.get("/v1/models", headers=ANTHROPIC).json()

    assert (listed["data"][1], listed["first_id"], listed["last_id"], listed["has_more"]) == (
        {
            "type": "model",
            "id": "local",
            "display_name": "local-model (local)",
            "created_at": "1970-01-01T00:00:00Z",
            "max_input_tokens": 32768,
        },
        "default",
        "cloud",
        False,
    )


def test_a_model_that_is_not_there_is_told_by_its_name(router: ServedRouter) -> None:
    answer = router.client.get("/v1/models/nobody").json()

    assert answer["error"]["message"].startswith("no model is called 'nobody'")


def test_health_tells_of_providers(router: ServedRouter) -> None:
    health = router.client.get("/healthz").json()

    assert (health["status"], health["providers"], health["allow_paid"]) == ("ok", ["local", "cloud"], False)


def test_a_404_of_an_anthropic_route_is_anthropic_shaped(router: ServedRouter) -> None:
    body = router.client.get("/v1/messages/batches/none").json()

    assert (body["type"], body["error"]["type"]) == ("error", "not_found_error")


@pytest.mark.parametrize("path", ["/v1/responses/x", "/v1/chat/x", "/v1/completions/x", "/v1/embeddings/x"])
@pytest.mark.parametrize("headers", [{}, {"x-api-key": "k"}, ANTHROPIC], ids=["bare", "key", "version"])
def test_a_404_of_an_openai_route_is_openai_shaped(
    router: ServedRouter, path: str, headers: dict[str, str]
) -> None:
    body = router.client.get(path, headers=headers).json()

    assert ("type" in body, "param" in body["error"]) == (False, True)


def test_every_answer_has_an_id(router: ServedRouter) -> None:
    paths = ["/v1/messages/batches/none", "/nowhere"]
    ids = [router.client.get(path).headers.get("x-request-id", "") for path in paths]
    ids.append(router.client.post("/v1/messages", content=b"{").headers.get("x-request-id", ""))
    ids.append(router.client.get("/livez", headers={"host": "evil.example"}).headers.get("x-request-id", ""))

    assert all(identity.startswith("req_") for identity in ids)


BAD = [
    pytest.param(b"", "the body is not JSON", id="empty"),
    pytest.param(b"{nope", "the body is not JSON", id="not-json"),
    pytest.param(b"[1]", "the body must be a JSON object, not an array", id="array"),
    pytest.param(b'"x"', "the body must be a JSON object, not a string", id="string"),
    pytest.param(b"null", "the body must be a JSON object, not null", id="null"),
    pytest.param(b"{}", "messages", id="no-messages"),
    pytest.param(b'{"max_tokens":9,"messages":"x"}', "messages", id="messages-a-string"),
    pytest.param(b'{"max_tokens":9,"messages":[]}', "messages", id="no-turns"),
    pytest.param(
        b'{"max_tokens":9,"messages":[{"role":"bogus","content":"x"}]}', "messages.0.role", id="bogus-role"
    ),
    pytest.param(
        b'{"max_tokens":9,"stream":"yes","messages":[{"role":"user","content":"x"}]}',
        "stream",
        id="stream-a-string",
    ),
]


@pytest.mark.parametrize(("raw", "says"), BAD)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_a_request_that_is_none_is_a_400_that_says_where(
    router: ServedRouter, path: str, raw: bytes, says: str
) -> None:
    answer = router.client.post(path, content=raw)

    assert (answer.status_code, says in answer.json()["error"]["message"]) == (400, True)


def test_nothing_is_sent_upstream_for_it(router: ServedRouter) -> None:
    before = len(router.upstreams["local"].calls)

    router.client.post("/v1/messages", content=b"{nope")

    assert len(router.upstreams["local"].calls) == before


@pytest.mark.parametrize("name", ["nobody", "", 5])
def test_an_unknown_profile_is_a_400_that_no_retry_helps(router: ServedRouter, name: Any) -> None:
    answer = router.ask(profile=name)

    assert (answer.status, answer.headers["x-should-retry"]) == (400, "false")


def count(router: ServedRouter, **body: Any) -> int:
    answer = router.client.post("/v1/messages/count_tokens", json={"model": "m", "messages": TURNS, **body})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["input_tokens"])


SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "description": "where " * 40}}}
CALL = {
    "role": "assistant",
    "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {"city": "Oslo " * 40}}],
}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "rain " * 40}]}


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"messages": [{"role": "user", "content": "word " * 40}]}, id="text"),
        pytest.param({"system": "word " * 40}, id="system"),
        pytest.param({"tools": [{"name": "look", "input_schema": SCHEMA}]}, id="tools"),
        pytest.param({"messages": [*TURNS, CALL]}, id="tool-calls"),
        pytest.param({"messages": [*TURNS, CALL, RESULT]}, id="tool-results"),
    ],
)
def test_everything_in_the_prompt_counts(router: ServedRouter, more: dict[str, Any]) -> None:
    assert count(router, **more) >= count(router) + 38


def test_counting_asks_nobody(router: ServedRouter) -> None:
    before = sum(len(upstream.calls) + len(upstream.others) for upstream in router.upstreams.values())

    count(router)

    assert sum(len(upstream.calls) + len(upstream.others) for upstream in router.upstreams.values()) == before


def test_counting_needs_neither_max_tokens_nor_metadata(router: ServedRouter) -> None:
    assert count(router) > 0


def test_a_count_that_cannot_be_made_is_a_400(router: ServedRouter) -> None:
    assert router.client.post("/v1/messages/count_tokens", json={"messages": "x"}).status_code == 400


def test_routers_that_point_in_a_circle_are_told_so(router: ServedRouter) -> None:
    body = {"model": "m", "max_tokens": 9, "messages": TURNS}

    answer = router.client.post("/v1/messages", json=body, headers={"via": ", ".join(["1.1 coderouter"] * 4)})

    assert (answer.status_code, "point in a circle" in answer.json()["error"]["message"]) == (508, True)


def test_every_router_on_the_way_is_named_to_the_next() -> None:
    router = make_router(Script(only="hello"))

    router.ask(headers={"via": "1.1 proxy"})

    assert router.upstreams["only"].calls[0].headers["via"] == "1.1 proxy, 1.1 coderouter"


def test_a_schema_whose_type_is_a_list_of_types_is_counted(router: ServedRouter) -> None:
    schema = {"type": "object", "properties": {"a": {"type": ["string", "null"]}}}

    assert count(router, tools=[{"name": "f", "input_schema": schema}]) > count(router)


def test_a_slash_too_many_is_no_redirect(router: ServedRouter) -> None:
    assert router.client.post("/v1/messages/", json={}).status_code == 404


class OneWrongTime(FakeClock):
    """Raises once, when it is told to, and goes on as if nothing had been."""

    upset = False

    def utc(self) -> dt.datetime:
        if self.upset:
            self.upset = False
            raise RuntimeError("what time is it")
        return super().utc()


@pytest.mark.parametrize(
    ("dialect", "path"), [("messages", "/v1/messages"), ("chat", "/v1/chat/completions")]
)
def test_what_fails_around_an_answer_is_told_in_the_clients_dialect(dialect: str, path: str) -> None:
    clock = OneWrongTime()
    router = make_router(Script(only="hello"), clock=clock)
    clock.upset = True

    said = router.client.post(path, json={"model": "m", "max_tokens": 9, "messages": TURNS})

    assert (said.status_code, "type" in said.json()) == (500, dialect == "messages")


def test_what_fails_around_an_answer_is_told_to_the_log() -> None:
    clock = OneWrongTime()
    router = make_router(Script(only="hello"), clock=clock)
    clock.upset = True
    router.client.post("/v1/messages", json={"model": "m", "max_tokens": 9, "messages": TURNS})

    assert [event.fields["status"] for event in router.events if event.name == "request-finished"] == [500]
    assert "internal-error" in [event.name for event in router.events]
