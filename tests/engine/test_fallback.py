"""Before the first content: who is tried next, and what the client is told when nobody answers."""

from __future__ import annotations

from typing import Any

import pytest

from coderouter_core.model import Outcome
from coderouter_core.testing import (
    Close,
    CutAfter,
    DripHead,
    EmptyStream,
    ErrorFirst,
    GarbageAfter,
    Hang,
    Html,
    ProviderError,
    Raw,
    Refuse,
    Reply,
    Script,
    Step,
    make_router,
)

INGRESS = [
    pytest.param("messages", False, id="messages"),
    pytest.param("messages", True, id="messages-stream"),
    pytest.param("chat", False, id="chat"),
    pytest.param("chat", True, id="chat-stream"),
]
STATUSES = [301, *range(401, 406), *range(408, 411), 413, 418, 425, 429, *range(500, 505), 520, 529]
FAILURES = [
    *(pytest.param(ProviderError("no", status=status), id=str(status)) for status in STATUSES),
    pytest.param(ProviderError("this model does not support tools", status=400), id="400-of-the-provider"),
    pytest.param(ProviderError("Your credit balance is too low", status=400), id="400-no-credit"),
    pytest.param(ProviderError("Failed to parse grammar", status=400), id="400-no-grammar"),
    pytest.param(Refuse(), id="refused"),
    pytest.param(Close(), id="closed"),
    pytest.param(Close(rst=True), id="reset"),
    pytest.param(Html(), id="html"),
    pytest.param(Html(502), id="html-502"),
    pytest.param(Raw(200, {"content-type": "application/json"}, b'{"choices": [{"mess'), id="broken-json"),
    pytest.param(Raw(200, {"content-type": "application/json"}, b"[]"), id="json-list"),
    pytest.param(Raw(200, {"content-type": "application/json"}, b'{"hello": 1}'), id="another-json"),
    pytest.param(Raw(200, {"content-type": "text/event-stream"}, b""), id="empty-body"),
    pytest.param(Raw(200, {"content-type": "text/event-stream"}, b"data: [DONE]\n\n"), id="only-done"),
    pytest.param(EmptyStream(), id="empty-stream"),
    pytest.param(ErrorFirst(), id="error-first"),
    pytest.param(GarbageAfter(0), id="garbage-first"),
    pytest.param(Reply(""), id="nothing-said"),
]


@pytest.mark.parametrize("wire", [Script.chat, Script.messages], ids=["chat-upstream", "messages-upstream"])
@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize(("dialect", "stream"), INGRESS)
def test_the_next_provider_answers(dialect: str, stream: bool, failure: Step, wire: Any) -> None:
    router = make_router(Script(first=wire(failure), second=wire("hello")))

    asked = router.ask(dialect=dialect, stream=stream)

    assert (asked.status, asked.text, asked.provider) == (200, "hello", "second")


@pytest.mark.parametrize("failure", [Hang(), DripHead()], ids=["silent", "drips-its-head"])
@pytest.mark.parametrize(("dialect", "stream"), INGRESS)
def test_a_provider_that_is_too_slow_is_given_up(dialect: str, stream: bool, failure: Step) -> None:
    slow = {"timeout_s": 1}
    router = make_router(Script(first=failure, second="hello"), providers={"first": slow})

    asked = router.ask(dialect=dialect, stream=stream)

    assert (asked.text, asked.attempts[0].error_kind) == ("hello", "timeout")


def test_pings_of_an_upstream_are_no_content() -> None:
    pinging = Script.messages(Reply("late", head_delay_s=30, ping_s=0.1))
    router = make_router(Script(first=pinging, second="hello"), providers={"first": {"timeout_s": 1}})

    assert router.ask(stream=True).text == "hello"


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(("dialect", "stream"), INGRESS)
def test_a_request_that_is_wrong_itself_is_not_sent_to_others(
    dialect: str, stream: bool, status: int
) -> None:
    router = make_router(
        Script(first=ProviderError("temperature: must be below 2", status=status), second="hello")
    )

    asked = router.ask(dialect=dialect, stream=stream)

    assert (asked.status, len(router.upstreams["second"].calls)) == (status, 0)


def test_the_upstreams_words_reach_the_client() -> None:
    router = make_router(Script(only=ProviderError("temperature: must be below 2", status=400)))

    asked = router.ask(dialect="messages")

    assert asked.error is not None
    assert (asked.error["type"], asked.error["message"]) == (
        "invalid_request_error",
        "temperature: must be below 2",
    )


def test_an_error_of_the_same_dialect_is_relayed_as_it_came() -> None:
    body = b'{"type": "error",  "error": {"type": "invalid_request_error", "message": "odd", "x": 1}, "request_id": "r"}'
    router = make_router(Script(only=Script.messages(Raw(400, {"content-type": "application/json"}, body))))

    assert router.ask(dialect="messages").raw == body


TOO_LONG = ProviderError("prompt is too long: 9010 tokens > 4096 maximum", status=400)


@pytest.mark.parametrize(
    ("windows", "provider"),
    [
        pytest.param((4096, 32000), "second", id="larger"),
        pytest.param((4096, 4096), None, id="no-larger"),
        pytest.param((4096, None), None, id="unknown"),
    ],
)
@pytest.mark.parametrize(("dialect", "stream"), INGRESS)
def test_a_prompt_that_is_too_long_goes_to_a_larger_window_only(
    dialect: str, stream: bool, windows: tuple[int, int | None], provider: str | None
) -> None:
    router = make_router(
        Script(first=TOO_LONG, second="hello"),
        providers={
            name: {"capabilities": {"max_context_tokens": window}}
            for name, window in zip(("first", "second"), windows, strict=True)
            if window
        },
    )

    asked = router.ask(dialect=dialect, stream=stream)

    if provider:
        assert (asked.status, asked.provider) == (200, provider)
    else:
        assert (asked.status, len(router.upstreams["second"].calls)) == (400, 0)


def test_a_prompt_that_fits_nowhere_keeps_the_words_that_make_clients_compact() -> None:
    router = make_router(Script(first=TOO_LONG, second=ProviderError("busy", status=503)))

    asked = router.ask()

    assert asked.error is not None
    assert "prompt is too long: 9010 tokens > 4096 maximum" in asked.error["message"]


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        pytest.param(429, 500, 429, id="429-beats-500"),
        pytest.param(500, 429, 429, id="in-any-order"),
        pytest.param(401, 429, 429, id="429-beats-401"),
        pytest.param(401, 503, 401, id="401-beats-503"),
        pytest.param(404, 503, 404, id="404-beats-503"),
        pytest.param(403, 404, 403, id="403-beats-404"),
        pytest.param(413, 429, 413, id="413-beats-429"),
        pytest.param(500, 529, 529, id="the-last-5xx"),
    ],
)
def test_the_most_useful_error_wins(first: int, second: int, status: int) -> None:
    router = make_router(Script(a=ProviderError("a", status=first), b=ProviderError("b", status=second)))

    assert router.ask().status == status


def test_the_wait_that_an_upstream_asks_for_is_passed_on() -> None:
    router = make_router(Script(only=ProviderError("slow down", status=429, headers={"retry-after": "7"})))

    assert router.ask().headers["retry-after"] == "7"


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 529])
def test_no_upstream_error_forbids_a_retry(status: int) -> None:
    router = make_router(Script(only=ProviderError("no", status=status)))

    assert "x-should-retry" not in router.ask().headers


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", ["messages", "chat"])
def test_a_page_with_status_200_is_told_as_what_it_was(dialect: str, stream: bool) -> None:
    asked = make_router(Script(only=Html())).ask(dialect=dialect, stream=stream)

    assert asked.status == 502
    assert (asked.error or {})["message"].endswith("only: 200: answered 200 with HTML")


@pytest.mark.parametrize("status", [301, 304, 600, 999])
def test_a_status_that_is_no_error_of_http_reaches_clients_as_502(status: int) -> None:
    router = make_router(Script(only=Raw(status, {}, b"hi")))

    assert router.ask().status == 502


def test_when_nobody_can_be_reached_the_client_reads_who_was_asked() -> None:
    router = make_router(Script(a=Refuse(), b=ProviderError("broken", status=500)))

    message = (router.ask().error or {})["message"]

    assert message.startswith("no provider could answer 'default':\n  a: ")
    assert message.endswith("\n  b: 500: broken")


@pytest.mark.parametrize(
    "failure", [Refuse(), Close(), CutAfter(4, rst=True)], ids=["refused", "closed", "reset-midway"]
)
@pytest.mark.parametrize(("dialect", "stream"), INGRESS)
def test_an_upstreams_address_is_told_to_the_operator_and_not_to_clients(
    dialect: str, stream: bool, failure: Step
) -> None:
    router = make_router(Script(only=failure))
    place = router.upstreams["only"].url.removeprefix("http://")

    asked = router.ask(dialect=dialect, stream=stream)

    assert place not in f"{asked.raw!r} {asked.headers}"
    assert asked.error
    assert any(place in str(event.fields.get("error")) for event in asked.events)


def test_an_address_is_not_told_to_clients_with_the_answer_of_another_provider() -> None:
    router = make_router(Script(first=Refuse(), second="hello"))

    asked = router.ask()

    assert asked.headers["x-coderouter-fallback-reason"] == "first: connection refused by the provider"


def test_a_paid_provider_is_not_tried_while_paying_is_off() -> None:
    router = make_router(Script(cloud="hello"), providers={"cloud": {"paid": True}})

    asked = router.ask()

    assert (asked.status, asked.headers["x-should-retry"], "skip-paid-provider" in asked.event_names) == (
        402,
        "false",
        True,
    )


def test_a_paid_provider_is_tried_when_paying_is_on() -> None:
    router = make_router(
        Script(cloud="hello"), providers={"cloud": {"paid": True}}, environ={"ALLOW_PAID": "yes"}
    )

    assert router.ask().text == "hello"


def test_a_provider_whose_key_is_not_set_is_skipped() -> None:
    router = make_router(
        Script(cloud="paid for", local="hello"), providers={"cloud": {"api_key_env": "A_KEY_NOBODY_HAS"}}
    )

    asked = router.ask()

    assert (asked.provider, asked.reasons) == ("local", {"cloud": "skip-missing-key"})


def test_the_fallback_stands_in_the_headers() -> None:
    router = make_router(Script(a=ProviderError("overloaded", status=529), b="hello"))

    headers = router.ask().headers

    assert (headers["x-coderouter-attempts"], headers["x-coderouter-fallback-reason"]) == (
        "2",
        "a: 529: overloaded",
    )


def test_every_attempt_is_settled_once() -> None:
    router = make_router(Script(a=Refuse(), b=ErrorFirst(), c="hello"))

    asked = router.ask(stream=True)

    assert [(attempt.provider.name, attempt.outcome) for attempt in asked.attempts] == [
        ("a", Outcome.FAILED),
        ("b", Outcome.FAILED),
        ("c", Outcome.OK),
    ]


def test_the_ledger_has_every_attempt() -> None:
    router = make_router(Script(a=ProviderError("no", status=500), b="hello"))
    asked = router.ask()

    rows = router.core.ledger.attempts(asked.headers["x-request-id"])

    assert sorted((row["provider"], row["outcome"]) for row in rows) == [("a", "failed"), ("b", "ok")]


def test_a_key_quoted_by_an_upstream_reaches_neither_client_nor_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SCRIPTED_KEY", "sk-very-secret-key")
    router = make_router(
        Script(only=ProviderError("Incorrect API key provided: sk-very-secret-key", status=401)),
        providers={"only": {"api_key_env": "SCRIPTED_KEY"}},
    )

    asked = router.ask(dialect="chat")

    told = [
        asked.raw.decode(),
        str(asked.headers),
        repr([event.fields for event in asked.events]),
        repr(asked.attempts),
    ]
    assert not [text for text in told if "sk-very-secret-key" in text]


def test_an_empty_answer_can_be_accepted() -> None:
    router = make_router(Script(a=Reply(""), b="hello"), profile={"on_empty_answer": "accept"})

    asked = router.ask(stream=True)

    assert (asked.provider, asked.text) == ("a", "")


def test_a_refusal_is_an_answer() -> None:
    router = make_router(Script(a=Script.messages(Reply("", stop="refusal")), b="hello"))

    assert router.ask(stream=True).provider == "a"


def test_an_upstreams_words_stay_out_of_the_record_where_the_operator_wants_none() -> None:
    router = make_router(Script(only=ProviderError("canary", status=500)), log_upstream_errors="none")

    asked = router.ask()

    told = repr([event.fields for event in asked.events]) + repr(router.core.ledger.attempts())
    assert "canary" not in told
