"""Answers of plugins that are not what their hook asks for: who is named, and what goes on without them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from attrs import frozen

from coderouter_core.api import (
    Cost,
    Demotion,
    Dialect,
    Drop,
    Instruction,
    Profile,
    Provider,
    Refusal,
    Rejection,
    Request,
    Reservation,
    StreamEvent,
    Usage,
    hookimpl,
)
from coderouter_core.errors import ConfigError, PluginError
from coderouter_core.events import Event, Events
from coderouter_core.hooks import Hooks
from coderouter_core.model import Attempt, Outcome
from coderouter_core.plugins import register
from coderouter_core.testing import CutAfter, Reply, Script, make_router

LOCAL = Provider("local")
MAIN = Profile("main", ("local",))
REQUEST = Request("req_1", Dialect.CHAT, {"messages": []}, b"{}")


@frozen
class Colour:
    colour: str


class Says:
    """Gives `answer` to whatever it is asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    @hookimpl
    def match_rule(self, condition: Any) -> Any:
        return self.answer

    @hookimpl
    def review_request(self, request: Request) -> Any:
        return self.answer

    @hookimpl
    def filter_chain(self, request: Request) -> Any:
        return self.answer

    @hookimpl
    def reorder_chain(self, request: Request) -> Any:
        return self.answer

    @hookimpl
    def review_attempt(self, request: Request) -> Any:
        return self.answer

    @hookimpl
    def stream_filter(self, request: Request) -> Any:
        return self.answer

    @hookimpl
    def compute_cost(self, usage: Usage) -> Any:
        return self.answer

    @hookimpl
    def trace_context(self, request: Request) -> Any:
        return self.answer


def hooks_of(plugin: Any) -> tuple[Hooks, list[Event]]:
    events, seen = Events(), []
    events.sinks.append(seen.append)
    return Hooks(register({"bad": plugin}), events), seen


@pytest.mark.parametrize("answer", [5, "no", [Rejection], ["local"]], ids=repr)
@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda hooks: hooks.review_request(REQUEST, MAIN), id="review_request"),
        pytest.param(lambda hooks: hooks.filter_chain((LOCAL,), REQUEST, MAIN), id="filter_chain"),
        pytest.param(lambda hooks: hooks.review_attempt(LOCAL, REQUEST, MAIN), id="review_attempt"),
        pytest.param(lambda hooks: hooks.stream_filters(LOCAL, REQUEST), id="stream_filter"),
    ],
)
def test_a_judgement_that_cannot_be_read_is_not_taken_for_none(
    ask: Callable[[Hooks], Any], answer: Any
) -> None:
    hooks, _ = hooks_of(Says(answer))

    with pytest.raises(PluginError, match="plugin 'bad' raised in"):
        ask(hooks)


def test_a_plugin_error_says_what_was_answered_in_place_of_what() -> None:
    hooks, _ = hooks_of(Says([Demotion(LOCAL, 1, "slow")]))

    with pytest.raises(PluginError, match="answered Demotion, not Rejection or Drop or Reservation"):
        hooks.review_attempt(LOCAL, REQUEST, MAIN)


@pytest.mark.parametrize("answer", [5, "no", ["local"], [Rejection(LOCAL, "no")]], ids=str)
def test_demotions_that_are_none_are_missing(answer: Any) -> None:
    hooks, seen = hooks_of(Says(answer))

    assert (hooks.reorder_chain((LOCAL,), REQUEST, MAIN), [event.name for event in seen]) == (
        [],
        ["plugin-failed"],
    )


@pytest.mark.parametrize("answer", ["no", 1, object()], ids=["text", "number", "object"])
def test_a_rule_does_not_hold_by_an_answer_that_is_no_truth(answer: Any) -> None:
    hooks, seen = hooks_of(Says(answer))

    assert (hooks.match_rule(Colour("red"), REQUEST), [event.name for event in seen]) == (
        False,
        ["plugin-failed"],
    )


@pytest.mark.parametrize(
    "answer",
    [0.5, "1", Cost("1"), Cost(-1.0), Cost(float("nan")), Cost(float("inf")), Cost(1.0, float("nan"))],  # type: ignore[arg-type]
    ids=repr,
)
def test_a_cost_that_is_no_amount_of_money_is_unknown(answer: Any) -> None:
    hooks, seen = hooks_of(Says(answer))

    assert (hooks.compute_cost(LOCAL, Usage(input=5)), [event.name for event in seen]) == (
        Cost(usd=None),
        ["plugin-failed"],
    )


@pytest.mark.parametrize("answer", ["traceparent", 5, {"traceparent": b"00"}], ids=repr)
def test_trace_headers_that_are_none_do_not_travel(answer: Any) -> None:
    hooks, _ = hooks_of(Says(answer))
    attempt = Attempt("1", "req_1", MAIN, LOCAL, 1, Dialect.CHAT, False, 0.0)

    assert hooks.trace_context(attempt, REQUEST) == {}


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Rejection("local", "no"), id="rejection-of-a-name"),  # type: ignore[arg-type]
        pytest.param(lambda: Rejection(LOCAL, None), id="rejection-without-reason"),  # type: ignore[arg-type]
        pytest.param(lambda: Rejection(LOCAL, "no", status=0), id="rejection-with-no-status"),
        pytest.param(lambda: Demotion(LOCAL, "1", "slow"), id="weight-of-text"),  # type: ignore[arg-type]
        pytest.param(lambda: Demotion(LOCAL, float("nan"), "slow"), id="weight-of-nothing"),  # type: ignore[arg-type]
        pytest.param(lambda: Refusal("no", status="x"), id="refusal-with-no-status"),  # type: ignore[arg-type]
        pytest.param(lambda: Drop(LOCAL, 5, "no"), id="drop-of-a-number"),  # type: ignore[arg-type]
        pytest.param(lambda: Reservation(LOCAL, "c", "1", 2.0, Rejection(LOCAL, "no")), id="amount-of-text"),  # type: ignore[arg-type]
        pytest.param(lambda: Reservation(LOCAL, "c", 1.0, 2.0, None), id="reservation-without-rejection"),  # type: ignore[arg-type]
        pytest.param(lambda: Instruction(5, "no"), id="instruction-of-a-number"),  # type: ignore[arg-type]
    ],
)
def test_a_verdict_that_says_nothing_cannot_be_made(make: Callable[[], Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        make()


def test_a_hook_that_is_async_is_an_error_at_start() -> None:
    class Awaits:
        @hookimpl
        async def filter_chain(self, request: Request) -> None: ...

    with pytest.raises(ConfigError, match="plugin 'late': filter_chain: hooks are plain functions"):
        register({"late": Awaits()})


class Filters:
    """Gives a filter that fails at `at`: at a glance, at once, at the stop, or when it is flushed."""

    def __init__(self, at: str) -> None:
        self.at = at

    @hookimpl
    def stream_filter(self) -> Any:
        return FailingFilter(self.at)


class FailingFilter:
    stage = 10

    def __init__(self, at: str) -> None:
        self.at = at

    def passes(self, text: str) -> bool:
        if self.at == "glance":
            raise RuntimeError("what the user wrote")
        return False

    def feed(self, event: StreamEvent) -> Iterable[StreamEvent]:
        if self.at == "type":
            return ["text"]  # type: ignore[list-item]
        if self.at == "once" or (self.at == "stop" and event.kind == "stop"):
            raise RuntimeError("what the user wrote")
        return [event]

    def flush(self) -> Iterable[StreamEvent]:
        if self.at == "flush":
            raise RuntimeError("what the user wrote")
        return []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("at", ["once", "type"])
def test_no_provider_is_blamed_for_a_filter_that_fails(at: str, stream: bool) -> None:
    with make_router(("bad", Filters(at)), Script(local="hello", cloud="hello")) as router:
        asked = router.ask(stream=stream)

    assert asked.error is not None
    assert (asked.status, [each.error_kind for each in asked.attempts], asked.error["message"]) == (
        500,
        ["plugin"],
        "plugin 'bad' failed in stream_filter; its judgement cannot be done without",
    )


@pytest.mark.parametrize("at", ["stop", "flush"])
@pytest.mark.parametrize("dialect", ["messages", "chat", "responses"])
def test_a_filter_that_fails_in_mid_stream_ends_it_with_an_error_that_names_it(dialect: str, at: str) -> None:
    with make_router(("bad", Filters(at)), Script(local="hello")) as router:
        asked = router.ask(stream=True, dialect=dialect)

    told = [event.fields["plugin"] for event in asked.events if event.name == "plugin-failed"]
    assert asked.error is not None
    assert (asked.text, told, asked.error["message"]) == (
        "hello",
        ["bad"],
        "plugin 'bad' failed in stream_filter; its judgement cannot be done without",
    )


@pytest.mark.parametrize("at", ["stop", "flush"])
def test_a_filter_that_fails_when_only_the_end_of_the_stream_was_lost_is_named(at: str) -> None:
    finished = CutAfter(3, rst=True, reply=Reply("hello"))
    with make_router(("bad", Filters(at)), Script(local=Script.chat(finished))) as router:
        asked = router.ask(stream=True, dialect="chat")

    told = [event.fields["plugin"] for event in asked.events if event.name == "plugin-failed"]
    assert (asked.text, told, [attempt.outcome for attempt in asked.attempts]) == (
        "hello",
        ["bad"],
        [Outcome.BROKEN],
    )


def test_no_provider_is_blamed_for_a_filter_that_fails_at_a_glance() -> None:
    with make_router(("bad", Filters("glance")), Script(local=Script.chat("hello"))) as router:
        asked = router.ask(dialect="chat", stream=False)

    assert asked.error is not None
    assert (asked.status, asked.error["message"]) == (
        500,
        "plugin 'bad' failed in stream_filter; its judgement cannot be done without",
    )


def test_an_answer_that_a_filter_lost_was_billed() -> None:
    priced = {"local": {"cost": {"input_tokens_per_million": 1, "output_tokens_per_million": 1}}}
    with make_router(("bad", Filters("once")), Script(local=CutAfter(9)), providers=priced) as router:
        [attempt] = router.ask(stream=True).attempts

    assert attempt.cost is not None
    assert attempt.cost.usd


def test_an_answer_is_given_whatever_its_cost_is_said_to_be() -> None:
    class Costs:
        @hookimpl
        def compute_cost(self) -> Any:
            return 0.5

    with make_router(Costs(), Script(local="hello")) as router:
        asked = router.ask(stream=True)

    assert (asked.text, [attempt.cost for attempt in asked.attempts]) == ("hello", [Cost(usd=None)])


class BreaksAtStart:
    """Does something wrong in one of the hooks that are asked at start."""

    def __init__(self, hook: str, answer: Any) -> None:
        self.hook, self.answer = hook, answer

    def _of(self, hook: str) -> Any:
        if hook != self.hook:
            return None
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    @hookimpl
    def declare_events(self) -> Any:
        return self._of("declare_events")

    @hookimpl
    def configure(self) -> Any:
        return self._of("configure")

    @hookimpl
    def make_adapter(self) -> Any:
        return self._of("make_adapter")

    @hookimpl
    def service(self) -> Any:
        return self._of("service")

    @hookimpl
    def routes(self) -> Any:
        return self._of("routes")

    @hookimpl
    def open_paths(self) -> Any:
        return self._of("open_paths")

    @hookimpl
    def token_counter(self) -> Any:
        return self._of("token_counter")


@pytest.mark.parametrize("answer", [RuntimeError("broken"), 7], ids=["raises", "number"])
@pytest.mark.parametrize("hook", ["declare_events", "make_adapter", "service", "routes", "open_paths"])
def test_a_plugin_that_ends_the_start_is_named(hook: str, answer: Any) -> None:
    with pytest.raises(ConfigError, match=f"plugin 'bad' failed in {hook} .*CODEROUTER_DISABLE=bad"):
        make_router(("bad", BreaksAtStart(hook, answer)), Script(local="hello"))


@pytest.mark.parametrize("hook", ["configure", "token_counter"])
def test_a_plugin_that_raises_at_start_is_named(hook: str) -> None:
    with pytest.raises(ConfigError, match=f"plugin 'bad' failed in {hook} .*RuntimeError.*broken"):
        make_router(("bad", BreaksAtStart(hook, RuntimeError("broken"))), Script(local="hello"))
