"""A counter that has to load a vocabulary first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from coderouter_core.api import Dialect, Request
from coderouter_core.hooks.counting import Counter
from coderouter_core.model.tokens import Counting

BODY = {"system": "four", "messages": []}


class Characters:
    """Every character is a token; `loading` is what has to be waited for."""

    def __init__(self, loading: Callable[[], Awaitable[Any]]) -> None:
        self.load = loading

    def __call__(self, text: str) -> int:
        return len(text)


def counter(loading: Callable[[], Awaitable[Any]], limit_s: float = 10.0) -> tuple[Counter, list[Exception]]:
    """One that estimates every text at a hundred tokens, and what it was told of failures."""
    failures: list[Exception] = []
    return Counter(Characters(loading), lambda _: 100, failures.append, limit_s), failures


def asked(tokens: Counter) -> Request:
    request = Request("r", Dialect.MESSAGES, BODY, b"")
    request.count_with(Counting(tokens, tokenizer=tokens))
    return request


async def at_once() -> None:
    pass


def test_a_count_that_is_no_number_is_estimated_and_told() -> None:
    failures: list[Exception] = []
    tokens = Counter(lambda text: text, lambda _: 100, failures.append)  # type: ignore[arg-type, return-value]

    assert (tokens("four"), [str(each) for each in failures]) == (100, ["answered str, not int"])


def test_a_prompt_that_nobody_prepared_is_estimated_until_the_vocabulary_is_there() -> None:
    tokens, _ = counter(at_once)
    request = asked(tokens)

    assert (request.tokens, request.counted) == (100, False)


def test_a_prompt_that_was_prepared_is_counted() -> None:
    tokens, _ = counter(at_once)
    request = asked(tokens)

    asyncio.run(request.prepare(("tokens",)))

    assert (request.tokens, request.counted) == (len("four\n"), True)


def test_what_was_estimated_stays_an_estimate_when_the_vocabulary_comes() -> None:
    tokens, _ = counter(at_once)
    request = asked(tokens)
    estimated = request.tokens

    asyncio.run(tokens.load())

    assert (request.tokens, request.counted) == (estimated, False)


def test_other_facts_do_not_wait_for_the_vocabulary() -> None:
    tokens, _ = counter(at_once)

    asyncio.run(asked(tokens).prepare(("code_fence_ratio",)))

    assert not tokens.exact


def test_a_client_that_leaves_does_not_end_the_loading_for_others() -> None:
    async def one_leaves() -> int:
        may_end = asyncio.Event()
        tokens, _ = counter(may_end.wait)
        leaving, staying = (asyncio.create_task(tokens.load()) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
        may_end.set()
        await staying
        return tokens("four")

    assert asyncio.run(one_leaves()) == 4


def test_nobody_waits_longer_than_the_limit_for_a_vocabulary() -> None:
    tokens, failures = counter(asyncio.Event().wait, limit_s=0.0)

    asyncio.run(tokens.load())

    assert (tokens("four"), [type(each) for each in failures]) == (100, [TimeoutError])


def test_a_vocabulary_that_could_not_be_loaded_is_not_tried_again() -> None:
    tries: list[None] = []

    async def fails() -> None:
        tries.append(None)
        raise MemoryError

    async def twice() -> None:
        tokens, _ = counter(fails)
        await tokens.load()
        await tokens.load()

    asyncio.run(twice())

    assert len(tries) == 1


def test_a_plain_function_is_ready_at_once() -> None:
    assert Counter(len, lambda _: 100, pytest.fail)("four") == 4
