"""From the first content on: what passes, and how a stream that breaks is ended."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from coderouter_core.model import Outcome
from coderouter_core.testing import (
    CutAfter,
    ErrorAfter,
    GarbageAfter,
    Hang,
    ProviderError,
    Reply,
    Script,
    ServedRouter,
    StallAfter,
    Step,
    make_router,
)

WIRES = [
    pytest.param("messages", Script.messages, id="messages-to-messages"),
    pytest.param("messages", Script.chat, id="messages-to-chat"),
    pytest.param("chat", Script.chat, id="chat-to-chat"),
    pytest.param("chat", Script.messages, id="chat-to-messages"),
]
BREAKS = [
    pytest.param(CutAfter(6), id="ends-early"),
    pytest.param(CutAfter(6, rst=True), id="reset"),
    pytest.param(ErrorAfter(6), id="error-event"),
    pytest.param(GarbageAfter(6), id="garbage"),
    pytest.param(StallAfter(6), id="silence"),
]


@pytest.mark.parametrize("failure", BREAKS)
@pytest.mark.parametrize(("dialect", "wire"), WIRES)
def test_a_stream_that_breaks_ends_with_an_error_event(dialect: str, wire: Any, failure: Step) -> None:
    router = make_router(Script(only=wire(failure), other="hello"), providers={"only": {"timeout_s": 1}})

    asked = router.ask(dialect=dialect, stream=True)

    assert (asked.status, bool(asked.text), asked.error is not None) == (200, True, True)


@pytest.mark.parametrize("failure", BREAKS)
@pytest.mark.parametrize(("dialect", "wire"), WIRES)
def test_a_stream_that_breaks_never_pretends_to_have_ended(dialect: str, wire: Any, failure: Step) -> None:
    router = make_router(Script(only=wire(failure)), providers={"only": {"timeout_s": 1}})

    raw = router.ask(dialect=dialect, stream=True).raw

    assert not [word for word in (b"end_turn", b"message_stop", b'"finish_reason":"stop"') if word in raw]


def test_a_broken_chat_stream_closes_with_done() -> None:
    router = make_router(Script(only=CutAfter(6)))

    assert router.ask(dialect="chat", stream=True).raw.endswith(b"data: [DONE]\n\n")


def test_a_broken_attempt_is_recorded_as_broken() -> None:
    router = make_router(Script(only=CutAfter(6)))

    (attempt,) = router.ask(stream=True).attempts

    assert (attempt.outcome, attempt.error_kind) == (Outcome.BROKEN, "stream")


def test_the_kind_of_an_error_after_content_is_kept() -> None:
    router = make_router(Script(only=Script.messages(ErrorAfter(6, kind="overloaded_error", message="busy"))))

    error = router.ask(stream=True).error

    assert error is not None
    assert (error["type"], error["message"]) == ("overloaded_error", "busy")


@pytest.mark.parametrize(("dialect", "wire"), [WIRES[0], WIRES[2]])
def test_same_dialect_streams_arrive_byte_for_byte(dialect: str, wire: Any) -> None:
    reply = Reply("Grüße 🎉 und mehr", usage=(101, 57))
    asked_for_usage = {"stream_options": {"include_usage": True}} if dialect == "chat" else {}
    router = make_router(Script(only=wire(reply)))
    upstream = router.upstreams["only"]
    path = "/v1/messages" if dialect == "messages" else "/v1/chat/completions"

    through = router.ask(dialect=dialect, stream=True, **asked_for_usage).raw
    upstream.calls.clear()
    body = {
        "model": "only-model",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        **asked_for_usage,
    }
    direct = httpx.post(upstream.url + path, json=body).content

    assert _without_ids(through) == _without_ids(direct)


def _without_ids(raw: bytes) -> list[bytes]:
    import re

    return re.sub(rb'"(id|created)": ?("[^"]*"|\d+)', b"", raw).split(b"\n")


@pytest.mark.parametrize(("dialect", "wire"), WIRES)
def test_text_usage_and_end_arrive(dialect: str, wire: Any) -> None:
    router = make_router(Script(only=wire(Reply("abcdefgh" * 20, usage=(101, 57)))))

    asked = router.ask(dialect=dialect, stream=True)

    (attempt,) = asked.attempts
    assert (asked.text, asked.error, attempt.usage.prompt, attempt.usage.output) == (
        "abcdefgh" * 20,
        None,
        101,
        57,
    )


def test_usage_that_the_client_did_not_ask_for_is_kept_from_it() -> None:
    router = make_router(Script(only=Reply("hello", usage=(101, 57))))

    asked = router.ask(dialect="chat", stream=True)

    assert ([event for event in asked.body if not event["choices"]], asked.attempts[0].usage.output) == (
        [],
        57,
    )


def open_stream(router: ServedRouter, dialect: str = "messages", **body: Any) -> Any:
    path = "/v1/messages" if dialect == "messages" else "/v1/chat/completions"
    whole = {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        **body,
    }
    return router.client.stream("POST", path, json=whole)


@pytest.mark.parametrize(
    ("dialect", "ping"),
    [
        pytest.param("messages", b'event: ping\ndata: {"type":"ping"}\n\n', id="messages"),
        pytest.param("chat", b": ping\n\n", id="chat"),
    ],
)
def test_a_slow_provider_is_covered_by_pings(dialect: str, ping: bytes) -> None:
    router = make_router(Script(only=Reply("late", first_delay_s=0.8)), ping_after_s=0.2)

    raw = router.ask(dialect=dialect, stream=True).raw

    assert (raw.startswith(ping), raw.count(ping) >= 2) == (True, True)


def test_a_stream_opened_by_a_ping_can_still_fall_over() -> None:
    router = make_router(
        Script(slow=Hang(), fast="hello"), providers={"slow": {"timeout_s": 1}}, ping_after_s=0.2
    )

    asked = router.ask(stream=True)

    assert (asked.text, asked.provider, asked.raw[:12]) == ("hello", None, b"event: ping\n")


def test_a_failure_after_a_ping_is_an_error_event() -> None:
    late = ProviderError("broken", status=500)
    router = make_router(Script(a=Hang(), b=late), providers={"a": {"timeout_s": 1}}, ping_after_s=0.2)

    asked = router.ask(stream=True)

    assert (asked.status, (asked.error or {}).get("type")) == (200, "api_error")


def test_an_answer_that_is_not_streamed_never_opens_early() -> None:
    router = make_router(
        Script(a=Hang(), b=ProviderError("no", status=503)),
        providers={"a": {"timeout_s": 1}},
        ping_after_s=0.2,
    )

    assert router.ask().status == 503


def test_status_and_headers_wait_for_the_first_content() -> None:
    router = make_router(Script(only=Reply("late", head_delay_s=0.5)))
    began = time.monotonic()

    with open_stream(router) as response:
        waited = time.monotonic() - began

    assert (response.headers["x-coderouter-provider"], waited > 0.4) == ("only", True)


def leave_soon(url: str, body: dict[str, Any]) -> None:
    """Ask, and hang up: while waiting, or a moment after the first bytes."""
    with httpx.Client(timeout=0.5) as client, client.stream("POST", url, json=body) as response:
        began = time.monotonic()
        for _ in response.iter_bytes():
            if time.monotonic() - began > 0.3:
                raise httpx.ReadTimeout("the user pressed escape")


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(
    "reply", [Reply("late", first_delay_s=20), Reply("x" * 4000, delay_s=0.02)], ids=["waiting", "talking"]
)
def test_a_client_that_leaves_cancels_the_upstream(stream: bool, reply: Reply) -> None:
    router = make_router(Script(only=reply))
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "stream": stream}

    with pytest.raises(httpx.TimeoutException):
        leave_soon(f"{router.url}/v1/messages", body)
    assert router.wait_event("client-disconnected")
    assert router.wait_event("request-finished")

    (call,) = router.upstreams["only"].calls
    assert (call.wait_gone(2.0), router.attempts[-1].outcome) == (True, Outcome.CANCELLED)


def test_a_cancelled_attempt_is_billed_for_what_it_read() -> None:
    router = make_router(
        Script(only=Script.messages(Reply("x" * 4000, delay_s=0.02, usage=(101, 57)))),
        providers={"only": {"cost": {"input_tokens_per_million": 3, "output_tokens_per_million": 15}}},
    )

    with open_stream(router) as response:
        next(response.iter_bytes())
    assert router.wait_event("request-finished")

    (attempt,) = router.attempts
    assert (attempt.usage.input, attempt.cost is not None and attempt.cost.usd is not None) == (101, True)


def test_an_upstream_that_streams_unasked_is_folded() -> None:
    from coderouter_core.testing import Raw

    frames = (
        b'data: {"id":"c","object":"chat.completion.chunk","model":"q","choices":[{"index":0,"delta":{"role":"assistant","content":"hel"}}]}\n\n'
        b'data: {"id":"c","object":"chat.completion.chunk","model":"q","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}\n\n'
        b"data: [DONE]\n\n"
    )
    router = make_router(Script(only=Raw(200, {"content-type": "text/event-stream"}, frames)))

    assert router.ask(dialect="chat", stream=False).text == "hello"


def test_an_upstream_that_does_not_stream_is_streamed() -> None:
    from coderouter_core.testing import Raw

    body = b'{"id":"c","object":"chat.completion","model":"q","created":1,"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}'
    router = make_router(Script(only=Raw(200, {"content-type": "application/json"}, body)))

    asked = router.ask(dialect="messages", stream=True)

    assert (asked.text, asked.body[-1]["type"]) == ("hello", "message_stop")
