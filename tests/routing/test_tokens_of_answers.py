"""Counts of tokens over the whole way: rules, count_tokens, and what upstreams report."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from attrs import frozen

from coderouter_core.api import Option, Request, Scope, Usage, hookimpl
from coderouter_core.testing import Reply, Script, ServedRouter, make_router

LONG = "the quick brown fox jumps over the lazy dog, and so it goes on. " * 50
#: What `LONG` alone is by estimate, and three quarters more.
REPORTED = 1_400


def counted(router: ServedRouter, **body: Any) -> int:
    asked = {"model": "any", "messages": [{"role": "user", "content": LONG}], **body}
    return int(router.client.post("/v1/messages/count_tokens", json=asked).json()["input_tokens"])


@pytest.mark.parametrize("dialect", ["messages", "chat"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_what_upstreams_report_corrects_later_counts(dialect: str, stream: bool) -> None:
    usage = Usage(input=REPORTED, output=5, reported=True)
    router = make_router(Script(local=Reply("hi", usage=usage)))
    before = counted(router)
    for _ in range(4):
        router.ask(LONG, dialect=dialect, stream=stream, stream_options={"include_usage": True})

    after = counted(router)

    assert (before < 900, after) == (True, pytest.approx(REPORTED, rel=0.05))


class Counter:
    """Every character is a token."""

    @hookimpl
    def token_counter(self) -> Callable[[str], int]:
        return len


class Broken:
    @hookimpl
    def token_counter(self) -> Callable[[str], int]:
        def count(text: str) -> int:
            raise ValueError(len(text))

        return count


def test_a_plugins_counter_takes_the_place_of_the_estimate() -> None:
    assert counted(make_router(Counter(), Script(local="hi"))) == pytest.approx(len(LONG), abs=10)


def test_where_a_counter_fails_the_estimate_serves() -> None:
    assert counted(make_router(Broken(), Script(local="hi"))) == pytest.approx(750, rel=0.15)


def test_a_counter_that_fails_is_told() -> None:
    router = make_router(Broken(), Script(local="hi"))
    counted(router)

    assert [event.fields["hook"] for event in router.events if event.name == "plugin-failed"] == [
        "token_counter"
    ]


class Vocabulary:
    """Every character is a token, once it is loaded. Loading goes on when the test lets it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.loads = 0
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self._error = error

    @hookimpl
    def token_counter(self) -> Vocabulary:
        return self

    async def load(self) -> None:
        self.loads += 1
        self.begun.set()
        await asyncio.to_thread(self.may_end.wait, 10)
        if self._error is not None:
            raise self._error

    def __call__(self, text: str) -> int:
        return len(text)


@frozen
class Long:
    long_min: int


class LongMatcher:
    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.RULE, Long, facts=("tokens",))]

    @hookimpl
    def match_rule(self, condition: Any, request: Request) -> bool | None:
        return request.tokens >= condition.long_min if isinstance(condition, Long) else None


def by_length(vocabulary: Vocabulary, **auto_router: Any) -> ServedRouter:
    """The rule chooses ``long`` from a thousand tokens on."""
    return make_router(
        vocabulary,
        LongMatcher(),
        Script(long="long", other="other"),
        profiles=[{"name": name, "providers": [name]} for name in ("long", "other")],
        default_profile="auto",
        auto_router={
            "rules": [{"if": {"long_min": 1_000}, "route_to": "long"}],
            "default_rule_profile": "other",
            **auto_router,
        },
    )


def test_no_vocabulary_is_loaded_while_nobody_needs_a_count() -> None:
    vocabulary = Vocabulary()
    router = make_router(
        vocabulary, Script(local=Reply("hi", usage=Usage(input=REPORTED, output=5, reported=True)))
    )

    for _ in range(4):
        router.ask(LONG)

    assert vocabulary.loads == 0


def test_what_was_learned_of_estimates_holds_until_counts_teach() -> None:
    vocabulary = Vocabulary()
    vocabulary.may_end.set()
    usage = Usage(input=REPORTED, output=5, reported=True)
    router = make_router(vocabulary, Script(local=Reply("hi", usage=usage)))
    for _ in range(4):
        router.ask(LONG)
    first = counted(router)
    for _ in range(4):
        router.ask(LONG)

    later = counted(router)

    # Reported are 1,400, which is twice the estimate, and less than half of the characters.
    assert (first > len(LONG), later) == (True, pytest.approx(REPORTED, rel=0.05))


def test_the_first_count_waits_for_the_vocabulary() -> None:
    vocabulary = Vocabulary()
    router = make_router(vocabulary, Script(local="hi"))
    with ThreadPoolExecutor() as threads:
        asked = threads.submit(counted, router)
        began = vocabulary.begun.wait(10)

        vocabulary.may_end.set()

        assert (began, asked.result()) == (True, pytest.approx(len(LONG), abs=10))


def test_others_are_answered_while_a_vocabulary_is_loaded() -> None:
    vocabulary = Vocabulary()
    router = make_router(vocabulary, Script(local="hi"))
    with ThreadPoolExecutor() as threads:
        asked = threads.submit(counted, router)
        vocabulary.begun.wait(10)

        answered = router.ask("hi").status

        assert (answered, asked.done()) == (200, False)
        vocabulary.may_end.set()


def test_a_vocabulary_is_loaded_once_whoever_waits_for_it() -> None:
    vocabulary = Vocabulary()
    router = make_router(vocabulary, Script(local="hi"))
    with ThreadPoolExecutor() as threads:
        asked = [threads.submit(counted, router) for _ in range(4)]
        vocabulary.begun.wait(10)
        vocabulary.may_end.set()
        counts = {each.result() for each in asked}

    assert (vocabulary.loads, len(counts)) == (1, 1)


def test_a_vocabulary_that_cannot_be_loaded_leaves_the_estimate_and_is_told() -> None:
    vocabulary = Vocabulary(OSError("no such wheel"))
    vocabulary.may_end.set()
    router = make_router(vocabulary, Script(local="hi"))

    counts = [counted(router), counted(router)]

    told = [event.fields["hook"] for event in router.events if event.name == "plugin-failed"]
    assert (counts, told) == ([pytest.approx(750, rel=0.15)] * 2, ["token_counter"])


def test_a_vocabulary_that_a_rule_needs_is_loaded_at_start() -> None:
    vocabulary = Vocabulary()
    vocabulary.may_end.set()
    router = by_length(vocabulary)

    begun = vocabulary.begun.wait(10)

    assert (begun, len(router.attempts)) == (True, 0)


def test_no_vocabulary_is_loaded_for_rules_that_are_switched_off() -> None:
    vocabulary = Vocabulary()
    router = by_length(vocabulary, disabled=True)

    router.ask(LONG)

    assert vocabulary.loads == 0


def test_a_rule_judges_the_first_prompt_by_the_vocabulary() -> None:
    vocabulary = Vocabulary()
    router = by_length(vocabulary)
    with ThreadPoolExecutor() as threads:
        asked = threads.submit(router.ask, LONG)
        vocabulary.begun.wait(10)

        vocabulary.may_end.set()

        # It has 3,200 characters, and by the estimate fewer tokens than the rule wants.
        assert asked.result().provider == "long"
