"""How the answers of plugins combine, and what one that raises does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from attrs import frozen

from coderouter_core.api import (
    Attempt,
    Config,
    Cost,
    Demotion,
    Dialect,
    Event,
    Instruction,
    Profile,
    Provider,
    Refusal,
    Rejection,
    Request,
    Usage,
    hookimpl,
)
from coderouter_core.errors import ConfigError, PluginError
from coderouter_core.events import Events
from coderouter_core.hooks import PATIENCE, Hooks
from coderouter_core.plugins import register

LOCAL, CLOUD = Provider("local"), Provider("cloud")
MAIN = Profile("main", ("local", "cloud"))
REQUEST = Request("req_1", Dialect.CHAT, {"messages": []}, b"{}")
SHUTDOWN = Event("coderouter-shutdown", "info", 0.0, None)


@frozen
class Colour:
    colour: str


def hooks_of(**plugins: Any) -> tuple[Hooks, list[Event]]:
    events, seen = Events(), []
    events.sinks.append(seen.append)
    hooks = Hooks(register(plugins), events)
    events.sinks.append(hooks.observe_event)
    return hooks, seen


class RejectsLocal:
    @hookimpl
    def filter_chain(self, chain: Sequence[Provider]) -> Iterator[Rejection]:
        for provider in chain:
            if provider.name == "local":
                yield Rejection(provider, "not today")


class Raises:
    @hookimpl
    def filter_chain(self, chain: Sequence[Provider]) -> Iterator[Rejection]:
        yield Rejection(chain[0], "said before it raised")
        raise RuntimeError("broken")

    @hookimpl
    def reorder_chain(self) -> Iterable[Demotion]:
        raise RuntimeError("broken")

    @hookimpl
    def match_rule(self) -> bool | None:
        raise RuntimeError("broken")

    @hookimpl
    def compute_cost(self) -> Cost | None:
        raise RuntimeError("broken")


class FailingObserver:
    def __init__(self) -> None:
        self.asked = 0

    @hookimpl
    def observe_event(self, event: Event) -> None:
        self.asked += 1
        raise RuntimeError("broken")


class Recorder:
    def __init__(self) -> None:
        self.events: list[str] = []

    @hookimpl
    def observe_event(self, event: Event) -> None:
        self.events.append(event.name)


def test_a_verdict_carries_the_plugin_that_gave_it() -> None:
    hooks, _ = hooks_of(first=RejectsLocal(), second=RejectsLocal())

    said = hooks.filter_chain((LOCAL, CLOUD), REQUEST, MAIN)

    assert [(each.plugin, each.verdict.provider) for each in said] == [("first", LOCAL), ("second", LOCAL)]


def test_a_generator_that_raises_half_way_is_a_plugin_error() -> None:
    hooks, _ = hooks_of(bad=Raises())

    with pytest.raises(PluginError, match="plugin 'bad' raised in filter_chain: RuntimeError: broken"):
        hooks.filter_chain((LOCAL,), REQUEST, MAIN)


def test_a_rule_whose_matcher_raises_does_not_hold() -> None:
    hooks, seen = hooks_of(bad=Raises())

    assert (hooks.match_rule(Colour("red"), REQUEST), [event.name for event in seen]) == (
        False,
        ["plugin-failed"],
    )


def test_the_demotions_of_a_plugin_that_raises_are_missing_and_others_stay() -> None:
    class Demotes:
        @hookimpl
        def reorder_chain(self, chain: Sequence[Provider]) -> Iterable[Demotion]:
            return [Demotion(chain[0], 1, "slow")]

    hooks, _ = hooks_of(bad=Raises(), good=Demotes())

    assert [each.plugin for each in hooks.reorder_chain((LOCAL, CLOUD), REQUEST, MAIN)] == ["good"]


def test_a_cost_plugin_that_raises_makes_the_price_unknown() -> None:
    hooks, _ = hooks_of(bad=Raises())

    assert hooks.compute_cost(LOCAL, Usage(input=5)) == Cost(usd=None)


def test_nobody_who_computes_a_cost_leaves_it_to_the_core() -> None:
    hooks, _ = hooks_of()

    assert hooks.compute_cost(LOCAL, Usage(input=5)) is None


def test_the_first_matcher_that_knows_a_condition_decides() -> None:
    class Knows:
        def __init__(self, answer: bool | None) -> None:
            self.answer = answer

        @hookimpl
        def match_rule(self, condition: Any) -> bool | None:
            return self.answer

    hooks, _ = hooks_of(a=Knows(None), b=Knows(True), c=Knows(False))

    assert hooks.match_rule(Colour("red"), REQUEST)


class Counts:
    """Has no idea of any condition, and counts how often it was asked; raises while it is `upset`."""

    def __init__(self, *, upset: bool = False) -> None:
        self.asked = 0
        self.upset = upset

    @hookimpl
    def match_rule(self) -> bool | None:
        self.asked += 1
        if self.upset:
            raise RuntimeError("broken")
        return None


def test_nobody_is_asked_again_about_a_condition_that_was_nobodys() -> None:
    counts = Counts()
    hooks, _ = hooks_of(counts=counts)

    for colour in ("red", "green", "blue"):
        hooks.match_rule(Colour(colour), REQUEST)

    assert counts.asked == 1


def test_a_matcher_that_raised_is_asked_again() -> None:
    counts = Counts(upset=True)
    hooks, _ = hooks_of(counts=counts)

    hooks.match_rule(Colour("red"), REQUEST)
    hooks.match_rule(Colour("red"), REQUEST)

    assert counts.asked == 2


def test_a_refusal_ends_the_review() -> None:
    class Refuses:
        @hookimpl
        def review_request(self) -> Refusal:
            return Refusal("no")

    class Instructs:
        @hookimpl
        def review_request(self) -> Instruction:
            return Instruction("be brief", "loop")

    hooks, _ = hooks_of(a=Instructs(), b=Refuses(), c=Instructs())

    assert [each.plugin for each in hooks.review_request(REQUEST, MAIN)] == ["a", "b"]


def test_an_observer_that_raises_does_not_silence_the_others() -> None:
    recorder = Recorder()
    hooks, _ = hooks_of(bad=FailingObserver(), good=recorder)

    hooks.observe_event(SHUTDOWN)

    assert "coderouter-shutdown" in recorder.events


def test_an_observer_that_keeps_raising_is_switched_off() -> None:
    bad = FailingObserver()
    hooks, _ = hooks_of(bad=bad)

    for _ in range(PATIENCE * 3):
        hooks.observe_event(SHUTDOWN)

    assert bad.asked == PATIENCE


def test_every_observer_sees_an_attempt() -> None:
    seen: list[str] = []

    class Sees:
        def __init__(self, name: str) -> None:
            self.name = name

        @hookimpl
        def observe_attempt(self, attempt: Attempt) -> None:
            seen.append(self.name)

    hooks, _ = hooks_of(a=Sees("a"), b=Sees("b"))
    hooks.observe_attempt(Attempt("1", "req_1", MAIN, LOCAL, 1, Dialect.CHAT, False, 0.0))

    assert seen == ["a", "b"]


def test_a_misspelt_argument_is_an_error_at_start() -> None:
    class Misspelt:
        @hookimpl
        def filter_chain(self, chian: Sequence[Provider]) -> None: ...

    with pytest.raises(ConfigError, match="'wrong' does not fit"):
        register({"wrong": Misspelt()})


def test_a_misspelt_hook_is_an_error_at_start() -> None:
    class Misspelt:
        @hookimpl
        def fliter_chain(self, chain: Sequence[Provider]) -> None: ...

    with pytest.raises(ConfigError, match="fliter_chain"):
        register({"wrong": Misspelt()})


def test_a_plugin_is_asked_for_the_hooks_it_implements() -> None:
    hooks, _ = hooks_of(recorder=Recorder(), rejects=RejectsLocal())

    assert (hooks.implemented_by("recorder"), hooks.implemented_by("rejects")) == (
        ["observe_event"],
        ["filter_chain"],
    )


class Complains:
    def __init__(self, problem: str) -> None:
        self._problem = problem

    @hookimpl
    def configure(self) -> None:
        raise ConfigError(self._problem)


def test_everything_that_plugins_find_wrong_is_told_at_once() -> None:
    hooks, _ = hooks_of(one=Complains("this"), two=Complains("that"))

    with pytest.raises(ConfigError) as raised:
        hooks.configure(Config(providers=(LOCAL,), profiles=(MAIN,)), object())  # type: ignore[arg-type]

    assert [problem.message for problem in raised.value.problems] == ["this", "that"]
