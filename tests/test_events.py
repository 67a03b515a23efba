"""What the router tells of requests: that each came, how it ended, what it cost; and with which fields."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Any

import pytest

from coderouter_core.api import Event, EventSpec, Level, Profile, Refusal, Request, Router, hookimpl
from coderouter_core.events import CORE_EVENTS, Events
from coderouter_core.testing import (
    CutAfter,
    EmptyStream,
    ProviderError,
    Reply,
    Script,
    ServedRouter,
    StallAfter,
    make_router,
)

PRICES = {"input_tokens_per_million": 3.0, "output_tokens_per_million": 15.0}
QUESTION = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
SPOKEN = [
    pytest.param("messages", False, id="messages"),
    pytest.param("messages", True, id="messages-stream"),
    pytest.param("chat", False, id="chat"),
    pytest.param("chat", True, id="chat-stream"),
]


class Refuses:
    @hookimpl
    def review_request(self, request: Request, profile: Profile) -> Refusal:
        return Refusal("no")


class Raises:
    @hookimpl
    def review_request(self, request: Request, profile: Profile) -> Refusal:
        raise RuntimeError("secret words")


class Declares:
    """Emits its event when a request is reviewed, with other fields than it declared."""

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    @hookimpl
    def declare_events(self) -> list[EventSpec]:
        return [EventSpec("own-event", Level.INFO, ("one", "two"), "something")]

    @hookimpl
    def configure(self, router: Router) -> None:
        self._router = router

    @hookimpl
    def review_request(self) -> None:
        self._router.emit("own-event", **self._fields)


def pairs(router: ServedRouter) -> list[tuple[str, str]]:
    """Of each request: its first and its last event."""
    ids = dict.fromkeys(event.request_id for event in router.events if event.request_id)
    own = [[event for event in router.events if event.request_id == identity] for identity in ids]
    for events in own:
        names = [event.name for event in events]
        assert (names.count("request-received"), names.count("request-finished")) == (1, 1)
    return [(events[0].name, events[-1].name) for events in own]


def finished(events: Sequence[Event]) -> dict[str, Any]:
    [event] = [event for event in events if event.name == "request-finished"]
    return dict(event.fields)


def send(router: ServedRouter, head: str, body: bytes) -> socket.socket:
    host, port = router.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.sendall(head.format(host=f"{host}:{port}").encode() + b"\r\n\r\n" + body)
    return connection


# ---- one pair for every request


@pytest.mark.parametrize(("dialect", "stream"), SPOKEN)
@pytest.mark.parametrize(
    ("local", "outcome", "status"),
    [
        pytest.param("hello", "ok", 200, id="ok"),
        pytest.param(ProviderError("broken", status=500), "failed", 500, id="failed"),
        pytest.param(EmptyStream(), "failed", 502, id="empty"),
    ],
)
def test_a_request_is_told_of_once_when_it_came_and_once_when_it_ended(
    local: Any, outcome: str, status: int, dialect: str, stream: bool
) -> None:
    with make_router(Script(local=local)) as router:
        asked = router.ask(dialect=dialect, stream=stream)
        told = finished(asked.events)

        assert pairs(router) == [("request-received", "request-finished")]
        assert (told["outcome"], told["status"], told["dialect"], told["stream"]) == (
            outcome,
            status,
            dialect,
            stream,
        )


@pytest.mark.parametrize("dialect", ["messages", "chat"])
def test_a_stream_that_broke_is_told_as_broken(dialect: str) -> None:
    with make_router(Script(local=CutAfter(6))) as router:
        assert finished(router.ask(stream=True, dialect=dialect).events)["outcome"] == "broken"


@pytest.mark.parametrize(
    ("plugin", "outcome", "status"),
    [
        pytest.param(Refuses(), "refused", 400, id="refusal"),
        pytest.param(Raises(), "failed", 500, id="raised"),
    ],
)
def test_a_request_that_reached_nobody_is_told_of(plugin: Any, outcome: str, status: int) -> None:
    with make_router(plugin, Script(local="hello")) as router:
        told = finished(router.ask().events)

        assert pairs(router) == [("request-received", "request-finished")]
        assert (told["outcome"], told["status"], told["attempts"], told["provider"]) == (
            outcome,
            status,
            0,
            None,
        )


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        pytest.param("/v1/messages", b"{", {}, 400, id="not-json"),
        pytest.param("/v1/messages", b'{"model": 1}', {}, 400, id="not-a-request"),
        pytest.param("/v1/chat/completions", b"[1]", {}, 400, id="not-an-object"),
        pytest.param("/v1/messages", b" " * 3_000, {}, 413, id="too-large"),
        pytest.param("/v1/messages", b"{}", {"host": "evil.example"}, 403, id="wrong-host"),
        pytest.param(
            "/v1/messages",
            json.dumps(QUESTION).encode(),
            {"via": ", ".join(["1.1 coderouter"] * 4)},
            508,
            id="loop",
        ),
        pytest.param("/v1/messages/count_tokens", b"{", {}, 400, id="count-not-json"),
    ],
)
def test_a_request_that_never_became_one_is_told_of(
    path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    with make_router(Script(local="hello"), max_body_bytes=2_000) as router:
        answer = router.client.post(path, content=body, headers=headers)
        assert router.wait_event("request-finished")
        told = finished(router.events)

        assert pairs(router) == [("request-received", "request-finished")]
        assert (answer.status_code, told["status"], told["outcome"]) == (status, status, "refused")


def test_a_request_without_a_key_is_told_of() -> None:
    key = {"name": "ci", "sha256": "0" * 64}
    with make_router(Script(local="hello"), auth={"keys": [key]}) as router:
        answer = router.client.post("/v1/messages", json=QUESTION)
        assert router.wait_event("request-finished")
        [received, ended] = [event for event in router.events if event.request_id]

        assert (received.request_id, ended.fields["status"]) == (answer.headers["x-request-id"], 401)


def test_a_body_that_grows_too_large_while_it_is_read_is_told_of() -> None:
    with make_router(Script(local="hello"), max_body_bytes=2_000) as router:
        answer = router.client.post("/v1/messages", content=iter([b" " * 1_500] * 2))
        assert router.wait_event("request-finished")

        assert (answer.status_code, finished(router.events)["outcome"]) == (413, "refused")


def test_a_client_that_leaves_while_its_request_is_read_is_told_of() -> None:
    with make_router(Script(local="hello")) as router:
        head = "POST /v1/messages HTTP/1.1\r\nhost: {host}\r\ncontent-length: 500"
        send(router, head, b"{").close()
        assert router.wait_event("request-finished")
        names = [event.name for event in router.events if event.request_id]

        assert names == ["request-received", "client-disconnected", "request-finished"]
        assert (finished(router.events)["outcome"], finished(router.events)["status"]) == ("cancelled", 499)


def test_a_client_that_leaves_while_it_waits_is_told_of() -> None:
    with make_router(Script(local=Reply("late", first_delay_s=30))) as router:
        body = json.dumps(QUESTION).encode()
        head = f"POST /v1/messages HTTP/1.1\r\nhost: {{host}}\r\ncontent-length: {len(body)}"
        connection = send(router, head, body)
        assert router.upstreams["local"].wait_calls(1)
        connection.close()
        assert router.wait_event("request-finished")

        assert pairs(router) == [("request-received", "request-finished")]
        assert finished(router.events)["outcome"] == "cancelled"


@pytest.mark.parametrize("reading", [True, False], ids=["while-it-is-read", "while-it-waits"])
def test_a_request_that_the_router_ends_with_itself_is_told_of(reading: bool) -> None:
    router = make_router(Script(local=StallAfter(0)), drain_timeout_s=0.05)
    body = json.dumps(QUESTION).encode()
    head = f"POST /v1/messages HTTP/1.1\r\nhost: {{host}}\r\ncontent-length: {len(body) + reading}"
    connection = send(router, head, body)
    assert router.upstreams["local"].wait_calls(1) if not reading else router.core.in_flight or True
    if reading:
        answer = router.client.get("/livez")  # the other connection's head was read before this one's
        assert answer.status_code == 200
    router.close()
    connection.close()

    assert pairs(router) == [("request-received", "request-finished")]
    assert (finished(router.events)["status"], finished(router.events)["outcome"]) == (503, "failed")


def test_counting_tokens_is_told_as_an_operation_of_its_own() -> None:
    with make_router(Script(local="hello")) as router:
        router.client.post("/v1/messages/count_tokens", json=QUESTION)
        assert router.wait_event("request-finished")

        told = finished(router.events)
        assert (told["operation"], told["outcome"], told["profile"], told["attempts"]) == (
            "count",
            "ok",
            "default",
            0,
        )


# ---- what it cost


@pytest.mark.parametrize(("dialect", "stream"), SPOKEN)
@pytest.mark.parametrize(
    "first",
    [
        pytest.param("hello", id="ok"),
        pytest.param(EmptyStream(), id="billed-and-empty"),
        pytest.param(CutAfter(2), id="cut-before-content"),
        pytest.param(ProviderError("no", status=503), id="refused"),
    ],
)
def test_the_totals_of_a_request_are_the_sums_of_its_attempts_in_the_ledger(
    first: Any, dialect: str, stream: bool
) -> None:
    cost = {"cost": PRICES}
    with make_router(
        Script(local=first, cloud=Script.messages("second")), providers={"local": cost, "cloud": cost}
    ) as router:
        asked = router.ask(dialect=dialect, stream=stream)
        rows = router.core.ledger.attempts(asked.headers["x-request-id"])
    told = finished(asked.events)

    def summed(*columns: str) -> Any:
        return sum(row[column] or 0 for row in rows for column in columns)

    assert told["attempts"] == len(rows)
    assert (told["cost_usd"], told["savings_usd"]) == (
        pytest.approx(summed("cost_usd"), abs=1e-9),
        pytest.approx(summed("savings_usd"), abs=1e-9),
    )
    assert {name: value for name, value in told.items() if name.endswith("_tokens")} == {
        "input_tokens": summed("input_tokens"),
        "output_tokens": summed("output_tokens"),
        "cache_read_tokens": summed("cache_read_tokens"),
        "cache_write_tokens": summed("cache_write_5m_tokens", "cache_write_1h_tokens"),
        "reasoning_tokens": summed("reasoning_tokens"),
    }


def test_an_unknown_price_is_told_as_no_price() -> None:
    with make_router(Script(local="hello")) as router:
        told = finished(router.ask().events)

    assert (told["priced"], told["cost_usd"]) == (False, 0.0)


# ---- sessions


def test_every_event_of_a_request_has_the_session_that_its_client_named() -> None:
    with make_router(Script(local=ProviderError("no"), cloud="hello")) as router:
        asked = router.ask(headers={"x-session-id": "s-7"})

    assert {event.session_id for event in asked.events} == {"s-7"}


def test_a_session_is_not_that_of_the_request_before() -> None:
    with make_router(Script(local="hello")) as router:
        router.ask(headers={"x-session-id": "s-7"})

        assert {event.session_id for event in router.ask().events} == {None}


# ---- the catalogue


def test_a_field_that_the_catalogue_does_not_list_is_noticed() -> None:
    with make_router(Declares(one=1, two=2, three=3), Script(local="hello")) as router:
        with pytest.raises(
            AssertionError, match="own-event: emitted with three, which its spec does not list"
        ):
            router.ask()
        router.core.events.mistakes.clear()


def test_a_field_that_is_missing_is_noticed() -> None:
    with make_router(Declares(one=1), Script(local="hello")) as router:
        with pytest.raises(AssertionError, match="own-event: emitted without two"):
            router.ask()
        router.core.events.mistakes.clear()


def test_a_served_router_does_not_look_at_fields() -> None:
    events = Events()
    events.emit("adapter-note", unlisted=1)

    assert events.mistakes == []


def test_names_of_events_are_unique() -> None:
    names = [spec.name for spec in CORE_EVENTS]

    assert len(names) == len(set(names))


def test_an_open_stream_that_ends_with_an_error_is_told_of() -> None:
    with make_router(Script(local=CutAfter(6))) as router:
        asked = router.ask(stream=True)

    [told] = [event for event in asked.events if event.name == "sse-midstream-error"]
    assert (told.level, told.fields["provider"], bool(told.fields["original"])) == (
        Level.WARNING,
        "local",
        True,
    )


def test_the_version_of_the_clients_dialect_is_told_for_debugging() -> None:
    with make_router(Script(local="hello")) as router:
        asked = router.ask(headers={"anthropic-version": "2023-06-01"})

    [told] = [event for event in asked.events if event.name == "anthropic-version-header"]
    assert (told.level, told.fields["value"]) == (Level.DEBUG, "2023-06-01")


def test_a_profile_for_claude_code_with_models_that_do_not_cope_is_told_of_at_start() -> None:
    [adapter] = entry_points(group="coderouter.plugins", name="openai-compat")
    profiles = [{"name": name, "providers": ["local", "cloud"]} for name in ("claude-code-fast", "other")]
    with make_router(
        ("openai-compat", adapter.load()()),
        Script(local="hello", cloud="hello"),
        providers={"local": {"model": "llama-3.3-70b-instruct", "kind": "openai_compat"}},
        profiles=profiles,
        default_profile="other",
    ) as router:
        [told] = [event for event in router.events if event.name.startswith("chain-claude-code")]

    assert (told.fields["profile"], told.fields["degraded_models"]) == (
        "claude-code-fast",
        ["llama-3.3-70b-instruct"],
    )
