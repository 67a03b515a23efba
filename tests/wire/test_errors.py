"""Errors as clients of each dialect read them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from coderouter_core.model import Dialect, Fault
from coderouter_core.wire import codec
from coderouter_core.wire.sse import Framer, fields

DIALECTS = pytest.mark.parametrize("dialect", [Dialect.MESSAGES, Dialect.CHAT])
LOOP = Fault(400, "invalid_request_error", "stopped", code="tool_loop", extra={"tool_loop": {"repeats": 3}})


def body(dialect: Dialect, fault: Fault) -> Any:
    return orjson.loads(codec(dialect).error_body(fault, "req_1"))


def frames(dialect: Dialect, fault: Fault) -> list[tuple[str, bytes]]:
    return [fields(frame) for frame in Framer().feed(codec(dialect).error_frames(fault, "req_1"))]


def test_an_error_for_anthropic_clients() -> None:
    assert body(Dialect.MESSAGES, LOOP) == {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "stopped", "tool_loop": {"repeats": 3}},
        "request_id": "req_1",
    }


def test_an_error_for_openai_clients() -> None:
    assert body(Dialect.CHAT, LOOP)["error"] == {
        "message": "stopped",
        "type": "invalid_request_error",
        "param": None,
        "code": "tool_loop",
        "tool_loop": {"repeats": 3},
    }


@pytest.mark.parametrize(
    ("kind", "shown", "code"),
    [
        ("authentication_error", "authentication_error", None),
        ("permission_error", "permission_error", None),
        ("not_found_error", "not_found_error", None),
        ("rate_limit_error", "rate_limit_error", "rate_limit_exceeded"),
        ("billing_error", "insufficient_quota", "insufficient_quota"),
        ("request_too_large", "invalid_request_error", None),
        ("api_error", "server_error", None),
        ("overloaded_error", "server_error", "overloaded"),
        ("timeout_error", "server_error", "timeout"),
    ],
)
def test_kinds_have_their_names_for_openai_clients(kind: str, shown: str, code: str | None) -> None:
    error = body(Dialect.CHAT, Fault(500, kind, "no"))["error"]

    assert (error["type"], error["code"]) == (shown, code)


@pytest.mark.parametrize(
    ("dialect", "raw"),
    [
        (Dialect.MESSAGES, b'{"type":"error", "error":{"type":"x","message":"own words"}}'),
        (Dialect.CHAT, b'{"error": {"message":"own words"}}'),
    ],
)
def test_the_upstreams_own_body_is_relayed_in_its_own_dialect(dialect: Dialect, raw: bytes) -> None:
    fault = codec(dialect).fault(418, {}, raw)

    assert codec(dialect).error_body(fault, "req_1") == raw


def test_the_upstreams_body_is_written_anew_for_another_dialect() -> None:
    fault = codec(Dialect.MESSAGES).fault(
        429, {}, b'{"type":"error","error":{"type":"x","message":"own words"}}'
    )

    assert body(Dialect.CHAT, fault)["error"]["message"] == "own words"


def test_error_frames_for_anthropic_clients() -> None:
    [(event, data)] = frames(Dialect.MESSAGES, LOOP)

    assert (event, orjson.loads(data)) == ("error", body(Dialect.MESSAGES, LOOP))


def test_error_frames_for_openai_clients_end_with_done() -> None:
    [(_, data), last] = frames(Dialect.CHAT, LOOP)

    assert (orjson.loads(data), last) == (body(Dialect.CHAT, LOOP), ("", b"[DONE]"))


@DIALECTS
def test_a_body_of_several_lines_becomes_one_data_line(dialect: Dialect) -> None:
    raw = b'{\n  "type": "error",\n  "error": {"type": "x",\r\n "message": "no"}\n}'
    fault = Fault(500, "api_error", "no", body=raw, dialect=dialect.value)

    assert orjson.loads(frames(dialect, fault)[0][1])["error"]["message"] == "no"


@DIALECTS
def test_a_ping_is_one_frame_that_says_nothing(dialect: Dialect) -> None:
    [event] = codec(dialect).reader().read(codec(dialect).ping)

    assert event.kind == "ping"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param(Fault(502, "api_error", "cut off"), "cut off; try again later", id="upstream-broke"),
        pytest.param(
            Fault(504, "timeout_error", "silent"), "silent; try again later", id="upstream-fell-silent"
        ),
        pytest.param(LOOP, "stopped", id="clients-own"),
        pytest.param(Fault(529, "overloaded_error", "overloaded"), "overloaded", id="kind-says-it"),
    ],
)
def test_a_broken_stream_tells_anthropic_clients_whether_to_try_again(fault: Fault, words: str) -> None:
    ((_, data),) = frames(Dialect.MESSAGES, fault)

    assert orjson.loads(data)["error"]["message"] == words
