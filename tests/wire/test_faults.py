"""Whatever an upstream answers with an error status becomes a fault."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coderouter_core.model import Dialect, Fault
from coderouter_core.wire import codec

ANTHROPIC = (
    b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}'
)
OPENAI = b'{"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}'


def fault(body: Any, status: int = 500, dialect: Dialect = Dialect.CHAT, **headers: str) -> Fault:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return codec(dialect).fault(
        status, {name.replace("_", "-"): value for name, value in headers.items()}, raw
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(OPENAI, "slow down", id="openai"),
        pytest.param(ANTHROPIC, "Overloaded", id="anthropic"),
        pytest.param({"error": "model 'x' not found"}, "model 'x' not found", id="ollama"),
        pytest.param(
            {"object": "error", "message": "bad", "type": "BadRequestError", "code": 400}, "bad", id="vllm"
        ),
        pytest.param({"detail": "Not Found"}, "Not Found", id="fastapi"),
        pytest.param(
            {"detail": [{"loc": ["body", "messages", 0], "msg": "field required", "type": "missing"}]},
            "body.messages.0: field required",
            id="fastapi-list",
        ),
        pytest.param(
            [{"error": {"code": 404, "message": "gone", "status": "NOT_FOUND"}}], "gone", id="gemini-list"
        ),
        pytest.param({"error": {"code": "invalid-argument", "error": "odd"}}, "odd", id="nested-string"),
        pytest.param({"errors": ["one", {"message": "two"}]}, "one; two", id="errors"),
        pytest.param({"message": "top"}, "top", id="top-level"),
        pytest.param({"title": "Bad", "status": 400}, "Bad", id="problem-json"),
        pytest.param(b"upstream connect error", "upstream connect error", id="text"),
        pytest.param(b'"just a string"', "just a string", id="json-string"),
        pytest.param(b"", "answered 500 with an empty body", id="empty"),
        pytest.param({}, "answered 500 without saying why", id="empty-object"),
        pytest.param([], "answered 500 without saying why", id="empty-list"),
        pytest.param(b"<!DOCTYPE html><html>secret page</html>", "answered 500 with HTML", id="html"),
        pytest.param(b"<html>", "answered 500 with HTML", id="short-html"),
        pytest.param(b"\xff\xfe\x00", "answered 500 with 3 bytes that are not text", id="binary"),
        pytest.param(b"a\x00b", "answered 500 with 3 bytes that are not text", id="control-characters"),
        pytest.param(b"[" * 2000, "[" * 2000, id="broken-json"),
    ],
)
def test_the_words_of_any_error_are_found(body: Any, message: str) -> None:
    assert fault(body).message == message


def test_a_page_is_known_by_its_content_type_too() -> None:
    assert fault(b"Sign in", 502, content_type="text/html; charset=utf-8").message == "answered 502 with HTML"


def test_a_long_message_is_cut() -> None:
    assert len(fault({"error": {"message": "x" * 9000}}).message) == 2000


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "detail", "message", "code", "type", "status", "msg", "loc", "n_ctx"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.binary(max_size=100) | JSON_VALUES.map(orjson.dumps), st.sampled_from(["chat", "messages"]))
def test_no_bytes_at_all_make_it_fail(body: bytes, dialect: str) -> None:
    assert fault(body, dialect=Dialect(dialect)).message


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (408, "timeout_error"),
        (409, "conflict_error"),
        (413, "request_too_large"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ],
)
def test_the_kind_follows_the_status(status: int, kind: str) -> None:
    found = fault({"error": {"message": "no", "type": "whatever"}}, status)

    assert (found.status, found.kind) == (status, kind)


def test_a_500_that_calls_itself_overloaded_is_overloaded() -> None:
    assert fault(ANTHROPIC, 500).kind == "overloaded_error"


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        pytest.param({"type": "overloaded_error"}, 529, "overloaded_error", id="type"),
        pytest.param({"type": "rate_limit_error"}, 429, "rate_limit_error", id="rate"),
        pytest.param({"type": "api_error"}, 500, "api_error", id="api"),
        pytest.param({"code": 429}, 429, "rate_limit_error", id="number"),
        pytest.param({"code": "503"}, 503, "overloaded_error", id="number-as-text"),
        pytest.param({"code": "insufficient_quota"}, 429, "rate_limit_error", id="quota"),
        pytest.param({"type": "unavailable_error"}, 503, "overloaded_error", id="llama.cpp-loading"),
        pytest.param({}, 500, "api_error", id="nothing"),
    ],
)
def test_an_error_inside_a_200_says_its_own_status(error: dict[str, Any], status: int, kind: str) -> None:
    found = fault({"error": {"message": "no", **error}}, 200)

    assert (found.status, found.kind) == (status, kind)


@pytest.mark.parametrize(
    ("code", "kept"),
    [("insufficient_quota", "insufficient_quota"), (400, None), ("400", None), (None, None)],
    ids=str,
)
def test_a_code_is_kept_where_it_is_a_word(code: Any, kept: str | None) -> None:
    assert fault({"error": {"message": "no", "code": code}}, 429).code == kept


def test_the_context_window_of_llama_cpp_is_kept() -> None:
    body = {
        "error": {
            "code": 400,
            "message": "request (9010 tokens) exceeds the available context size (4096 tokens)",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": 9010,
            "n_ctx": 4096,
        }
    }

    assert fault(body, 400).extra == {"n_ctx": 4096, "n_prompt_tokens": 9010}


@pytest.mark.parametrize(
    ("body", "dialect", "kept"),
    [
        pytest.param(OPENAI, Dialect.CHAT, True, id="openai-from-chat"),
        pytest.param(ANTHROPIC, Dialect.MESSAGES, True, id="anthropic-from-messages"),
        pytest.param(OPENAI, Dialect.MESSAGES, False, id="openai-from-messages"),
        pytest.param(ANTHROPIC, Dialect.CHAT, False, id="anthropic-from-chat"),
        pytest.param(b'{"detail":"no"}', Dialect.CHAT, False, id="neither"),
    ],
)
def test_a_well_formed_error_of_its_dialect_is_kept_as_it_came(
    body: bytes, dialect: Dialect, kept: bool
) -> None:
    found = fault(body, 429, dialect)

    assert (found.body, found.dialect) == ((body, dialect.value) if kept else (None, None))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"retry_after": "7"}, 7.0, id="seconds"),
        pytest.param({"retry_after": "1.5"}, 1.5, id="fraction"),
        pytest.param({"retry_after_ms": "250", "retry_after": "7"}, 0.25, id="milliseconds-first"),
        pytest.param(
            {"retry_after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"},
            30.0,
            id="date",
        ),
        pytest.param(
            {"retry_after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:28:30 GMT"},
            0.0,
            id="past-date",
        ),
        pytest.param({"retry_after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None, id="date-without-a-clock"),
        pytest.param({"retry_after": "-3"}, 0.0, id="negative"),
        pytest.param({"retry_after": "soon"}, None, id="nonsense"),
        pytest.param({"retry_after": "inf"}, None, id="infinite"),
        pytest.param({}, None, id="missing"),
    ],
)
def test_how_long_to_wait(headers: dict[str, Any], seconds: float | None) -> None:
    assert fault(OPENAI, 429, **headers).retry_after_s == seconds


def test_a_date_is_measured_from_now_where_the_answer_has_no_date() -> None:
    headers = {"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}

    assert codec(Dialect.CHAT).fault(429, headers, OPENAI, now=20.0).retry_after_s == 40.0


def test_a_compressed_body_is_not_taken_for_text() -> None:
    assert "not text" in fault(gzip.compress(OPENAI)).message
