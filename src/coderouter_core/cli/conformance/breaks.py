"""Checks of what a client sees when the upstream fails, and what the upstream sees when the client leaves."""

from __future__ import annotations

from coderouter_core.cli.conformance.answers import FINISHED
from coderouter_core.cli.conformance.check import Skipped, dialect_check, expect
from coderouter_core.cli.conformance.gateway import Gateway
from coderouter_core.cli.conformance.heard import Heard, Said
from coderouter_core.cli.conformance.mistakes import expect_error
from coderouter_core.cli.conformance.streams import grammatical
from coderouter_core.model import Dialect
from coderouter_core.testing import (
    CutAfter,
    EmptyStream,
    ErrorAfter,
    ErrorFirst,
    GarbageAfter,
    Hang,
    Html,
    ProviderError,
    Quirk,
    Reply,
    Step,
)

FALLING_OVER = "Anthropic API, errors in streams; gateways in the wild"
TRUNCATED = "OpenAI API, finish reasons; gateways in the wild"
LONG = Reply("one two three four five six seven eight nine ten eleven twelve.", chunk=6)
#: Seconds within which an upstream must learn that nobody reads any more.
LEAVE_S = 5.0
TOO_LONG = "prompt is too long: 250000 tokens > 200000 maximum"


def _failed_before(gateway: Gateway, dialect: Dialect, step: Step) -> None:
    """The upstream fails before it said anything: another one answers, or the client is told of an error."""
    for streamed in (False, True):
        gateway.play(step)
        heard = gateway.ask(dialect, stream=streamed)
        if heard.status != 200:
            expect_error(heard, *range(400, 600))
            continue
        said = heard.said
        answered = bool(said.text and said.error is None)
        expect(
            answered or said.error is not None, f"an empty answer with status 200, stopped for {said.stop!r}"
        )


@dialect_check(
    "error-first",
    "An error after status 200, before any content, is no answer.",
    source=FALLING_OVER,
    scripted=True,
)
def error_first(gateway: Gateway, dialect: Dialect) -> None:
    _failed_before(gateway, dialect, ErrorFirst())


@dialect_check(
    "error-recovered",
    "An upstream that fails once before any content, and is asked again, answers cleanly.",
    source=FALLING_OVER,
    scripted=True,
)
def error_recovered(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play([ErrorFirst(), LONG])
    heard = gateway.ask(dialect, stream=True)
    if heard.status != 200 or heard.said.error is not None:
        raise Skipped("the gateway asks nobody else; give the profile a second provider")
    expect(heard.said.text == LONG.text, f"it says {heard.said.text!r}")
    if dialect is not Dialect.RESPONSES:
        grammatical(dialect, heard.raw)


@dialect_check("html", "A page of HTML with status 200 is no answer.", source=FALLING_OVER, scripted=True)
def html(gateway: Gateway, dialect: Dialect) -> None:
    _failed_before(gateway, dialect, Html())


@dialect_check(
    "empty",
    "A stream that ends without a word and without a stop reason is no answer.",
    source=TRUNCATED,
    scripted=True,
)
def empty(gateway: Gateway, dialect: Dialect) -> None:
    _failed_before(gateway, dialect, EmptyStream())


def _broke(gateway: Gateway, dialect: Dialect, step: Step) -> None:
    """The upstream breaks after content: the stream says so in its dialect, or goes on to the proper end.

    A gateway may also have held everything back, or have lost it to the reset; then it answers with an error.
    """
    gateway.play(step)
    heard = gateway.ask(dialect, stream=True)
    if heard.status != 200:
        expect_error(heard, *range(400, 600))
        return
    said = heard.said
    if said.error is None:
        expect(_went_on(said), f"it ends as if all was said, with {said.stop or 'no stop reason'!r}")
        return
    expect(said.text, "nothing of the answer came before the error")
    expect(said.stop not in FINISHED[dialect], f"it stopped for {said.stop!r}, and then told of an error")
    if dialect is not Dialect.RESPONSES:
        grammatical(dialect, heard.raw)


def _went_on(said: Said) -> bool:
    return bool(said.stop) and said.text.endswith(LONG.text[-12:])


@dialect_check(
    "cut",
    "A connection that breaks after content is an error event, never a normal end.",
    source=TRUNCATED,
    scripted=True,
)
def cut(gateway: Gateway, dialect: Dialect) -> None:
    _broke(gateway, dialect, CutAfter(6, rst=True, reply=LONG))


@dialect_check(
    "truncated",
    "A body that ends properly, but without a stop reason, is an error event.",
    source=TRUNCATED,
    scripted=True,
)
def truncated(gateway: Gateway, dialect: Dialect) -> None:
    _broke(gateway, dialect, CutAfter(6, reply=LONG))


@dialect_check(
    "no-terminator",
    "A stream without stop reason and without end mark is an error event, though all text came.",
    source=TRUNCATED,
    scripted=True,
)
def no_terminator(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(Reply(LONG.text, quirks=[Quirk.NO_FINISH, Quirk.NO_DONE, Quirk.NO_USAGE]))
    said = gateway.answer(dialect, stream=True).said
    expect(said.error is not None, f"it ends as if all was said, with {said.stop!r}")


@dialect_check(
    "error-later",
    "An error event after content reaches the client as its dialect's error event.",
    source=FALLING_OVER,
    scripted=True,
)
def error_later(gateway: Gateway, dialect: Dialect) -> None:
    _broke(gateway, dialect, ErrorAfter(6, reply=LONG))


@dialect_check(
    "garbage-later",
    "A frame that is not JSON, after content, is an error event.",
    source=FALLING_OVER,
    scripted=True,
)
def garbage_later(gateway: Gateway, dialect: Dialect) -> None:
    _broke(gateway, dialect, GarbageAfter(6, reply=LONG))


@dialect_check(
    "limited-later",
    "A rate limit in the middle of a stream ends it with an error, in bounded time.",
    source="gateways in the wild",
    scripted=True,
)
def limited_later(gateway: Gateway, dialect: Dialect) -> None:
    _broke(gateway, dialect, ErrorAfter(6, kind="rate_limit_error", message="slow down", reply=LONG))


@dialect_check(
    "left-early",
    "A client that leaves before the first content ends the upstream's work.",
    source="gateways in the wild",
    scripted=True,
)
def left_early(gateway: Gateway, dialect: Dialect) -> None:
    gateway.ask(dialect)  # Skips where there is no such route.
    upstream = gateway.behind
    gateway.play(Hang(30))
    before = len(upstream.calls)
    gateway.hang_up(dialect, lambda: upstream.wait_calls(before + 1, _patience(gateway)))
    _sees_it_leave(gateway, before)


@dialect_check(
    "left",
    "A client that leaves in the middle of a stream ends the upstream's work.",
    source="gateways in the wild",
    scripted=True,
)
def left(gateway: Gateway, dialect: Dialect) -> None:
    gateway.ask(dialect)  # Skips where there is no such route.
    before = len(gateway.behind.calls)
    gateway.play(Reply(LONG.text * 40, chunk=6, delay_s=0.05))
    with gateway.left(dialect) as response:
        expect(response.status_code == 200, f"answered {response.status_code}")
        next(response.iter_raw(), b"")
    _sees_it_leave(gateway, before)


def _sees_it_leave(gateway: Gateway, before: int) -> None:
    calls = gateway.behind.calls[before:]
    expect(calls, "the upstream was not asked")
    limit_s = _patience(gateway)
    expect(calls[-1].wait_gone(limit_s), f"the upstream was still read from {limit_s:g} s later")


def _patience(gateway: Gateway) -> float:
    return min(LEAVE_S, gateway.timeout_s)


@dialect_check(
    "words",
    "The upstream's words for a prompt that is too long reach the client, who acts on them.",
    source="Claude Code, LLM gateway protocol",
    scripted=True,
)
def words(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(ProviderError(TOO_LONG, status=400))
    error = expect_error(gateway.ask(dialect), 400, 413)
    expect("prompt is too long" in error["message"], f"it says {error['message']!r}")


@dialect_check(
    "limited",
    "A rate limit is a 429, with the upstream's retry-after.",
    source="Anthropic API, rate limits",
    scripted=True,
)
def limited(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(ProviderError("slow down", status=429, headers={"retry-after": "2"}))
    heard: Heard = gateway.ask(dialect)
    expect_error(heard, 429)
    expect(heard.headers.get("retry-after"), "it has no retry-after")
