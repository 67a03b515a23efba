"""Checks of what a gateway says to requests that are wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coderouter_core.cli.conformance.check import (
    ANTHROPIC_AND_CHAT,
    Skipped,
    dialect_check,
    expect,
)
from coderouter_core.cli.conformance.gateway import PATHS, Gateway
from coderouter_core.cli.conformance.heard import Heard
from coderouter_core.model import Dialect

ERRORS = "Anthropic API, errors; OpenAI API, error codes"


def expect_error(heard: Heard, *statuses: int) -> Mapping[str, Any]:
    """The error object of an answer that must be one, with one of `statuses` or any 4xx, in its dialect's shape."""
    fits = heard.status in statuses if statuses else 400 <= heard.status < 500
    expect(fits, f"answered {heard.status}: {heard.words}")
    error = heard.body.get("error")
    expect(isinstance(error, dict), f"the body has no error object: {heard.words}")
    expect(isinstance(error.get("message"), str) and error["message"], "the error has no message")
    expect(isinstance(error.get("type"), str) and error["type"], "the error has no type")
    if heard.dialect is Dialect.MESSAGES:
        expect(heard.body.get("type") == "error", 'the body lacks "type": "error"')
    found: Mapping[str, Any] = error
    return found


def _post(gateway: Gateway, dialect: Dialect, body: Any) -> Heard:
    heard = gateway.post(dialect, PATHS[dialect], body)
    if dialect is Dialect.RESPONSES and heard.status in (404, 405, 501):
        raise Skipped(f"the gateway has no {PATHS[dialect]} (it answered {heard.status})")
    return heard


@dialect_check("malformed", "A body that is not JSON is a 400 in the dialect's error shape.", source=ERRORS)
def malformed(gateway: Gateway, dialect: Dialect) -> None:
    error = expect_error(_post(gateway, dialect, b'{"model": "m", '), 400)
    expect(error["type"] == "invalid_request_error", f"its type is {error['type']!r}")


@dialect_check("not-an-object", "A body that is JSON but no object is a 400.", source=ERRORS)
def not_an_object(gateway: Gateway, dialect: Dialect) -> None:
    expect_error(_post(gateway, dialect, b"[1]"), 400, 422)


@dialect_check("no-turns", "A request without messages, or without input, is a 400.", source=ERRORS)
def no_turns(gateway: Gateway, dialect: Dialect) -> None:
    body = gateway.question(dialect, messages=None, input=None)
    expect_error(_post(gateway, dialect, body), 400, 422)


@dialect_check(
    "no-max-tokens",
    "A request without max_tokens is a 400.",
    source="Anthropic API, messages",
    dialects=(Dialect.MESSAGES,),
)
def no_max_tokens(gateway: Gateway, dialect: Dialect) -> None:
    expect_error(_post(gateway, dialect, gateway.question(dialect, max_tokens=None)), 400, 422)


@dialect_check(
    "bad-role", "A turn of a role that does not exist is a 400.", source=ERRORS, dialects=ANTHROPIC_AND_CHAT
)
def bad_role(gateway: Gateway, dialect: Dialect) -> None:
    body = gateway.question(dialect, messages=[{"role": "nobody", "content": "hi"}])
    expect_error(_post(gateway, dialect, body), 400, 422)


@dialect_check(
    "wrong-method", "GET where only POST is meant is a 405 or 404, with a JSON error.", source=ERRORS
)
def wrong_method(gateway: Gateway, dialect: Dialect) -> None:
    heard = gateway.send("GET", PATHS[dialect], b"", {}, dialect)
    if dialect is Dialect.RESPONSES and heard.status in (404, 501):
        raise Skipped(f"the gateway has no {PATHS[dialect]} (it answered {heard.status})")
    expect(heard.status in (401, 404, 405), f"answered {heard.status}")
    expect(isinstance(heard.body, dict), f"answered with {heard.words}")


@dialect_check(
    "unknown-model",
    "A model that nobody knows is answered by another, or refused with 4xx; it is no server error.",
    source=ERRORS,
)
def unknown_model(gateway: Gateway, dialect: Dialect) -> None:
    _answered_or_refused(gateway.ask(dialect, model="no-such-model-anywhere"))


@dialect_check(
    "unknown-profile",
    "A profile that does not exist, in x-coderouter-profile, is refused with 4xx or not looked at.",
    source="coderouter, http reference",
)
def unknown_profile(gateway: Gateway, dialect: Dialect) -> None:
    headers = {"x-coderouter-profile": "no-such-profile-anywhere"}
    heard = gateway.post(dialect, PATHS[dialect], gateway.question(dialect), headers)
    if dialect is Dialect.RESPONSES and heard.status in (404, 405, 501):
        raise Skipped(f"the gateway has no {PATHS[dialect]} (it answered {heard.status})")
    _answered_or_refused(heard)


def _answered_or_refused(heard: Heard) -> None:
    if heard.status != 200:
        expect_error(heard)


@dialect_check(
    "open-fields",
    "Fields, headers, betas and a query string that the gateway does not know do not stop a request.",
    source="Claude Code, LLM gateway protocol",
)
def open_fields(gateway: Gateway, dialect: Dialect) -> None:
    body = gateway.question(dialect, conformance_probe={"unknown": True}, metadata={"user_id": "probe"})
    headers = {"anthropic-beta": "conformance-2020-01-01", "x-claude-code-session-id": "probe"}
    heard = gateway.post(dialect, f"{PATHS[dialect]}?beta=true", body, headers)
    if dialect is Dialect.RESPONSES and heard.status in (404, 405, 501):
        raise Skipped(f"the gateway has no {PATHS[dialect]} (it answered {heard.status})")
    if gateway.upstream is None and heard.status == 400 and "conformance" in heard.words:
        raise Skipped(f"refused, maybe by the provider behind: {heard.words}")
    expect(heard.status == 200, f"answered {heard.status}: {heard.words}")


@dialect_check(
    "previous-response",
    "A previous_response_id that the gateway does not have is refused with 4xx, not answered without its conversation.",
    source="OpenAI API, responses",
    dialects=(Dialect.RESPONSES,),
)
def previous_response(gateway: Gateway, dialect: Dialect) -> None:
    gateway.ask(dialect)  # Skips where there is no such route.
    body = gateway.question(dialect, previous_response_id="resp_no_such_response")
    heard = gateway.post(dialect, PATHS[dialect], body)
    expect(heard.status != 200, "answered as if it knew the response, without its conversation")
    expect_error(heard)
