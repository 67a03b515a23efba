"""Many requests at once, and months that come and go by any clock."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from coderouter_guard_budget import BudgetGuard
from hypothesis import given, settings
from hypothesis import strategies as st

from coderouter_core.api import (
    Attempt,
    Cost,
    Dialect,
    Operation,
    Outcome,
    Request,
    Reservation,
    Spender,
    Usage,
    month_of,
    spending,
)
from coderouter_core.testing import FakeClock, Reply, Script, ServedRouter, make_router

CAP = 100.0
#: Input costs nothing, and a token of output a cent: an answer of 75 tokens, which is held before, costs 0.75.
CENTS = {"input_tokens_per_million": 0, "output_tokens_per_million": 10_000, "monthly_budget_usd": CAP}
SLOW = Reply("hello", usage=Usage(input=10, output=75, reported=True), head_delay_s=0.3)


async def ask_at_once(url: str, times: int, *, stream: bool) -> Counter[int]:
    """The statuses of so many requests that are made together."""
    body = {
        "model": "any",
        "max_tokens": 75,
        "stream": stream,
        "messages": [{"role": "user", "content": "hi"}],
    }
    limits = httpx.Limits(max_connections=times)
    async with httpx.AsyncClient(base_url=url, timeout=30, limits=limits, trust_env=False) as client:
        asked = (client.post("/v1/messages", json=body) for _ in range(times))
        return Counter([answer.status_code for answer in await asyncio.gather(*asked)])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("url", ["memory:", "sqlite:{}/ledger.db"], ids=["memory", "sqlite"])
def test_two_hundred_at_once_pass_a_cap_by_one_reservation_at_most(
    url: str, stream: bool, tmp_path: Path
) -> None:
    clock = FakeClock()
    counter = spending(Spender.PROVIDER, "cloud", month_of(clock.utc()))
    with make_router(
        BudgetGuard(),
        Script(cloud=SLOW),
        clock=clock,
        providers={"cloud": {"cost": CENTS}},
        ledger={"url": url.format(tmp_path)},
    ) as router:
        router.core.ledger.add(counter, 0.95 * CAP)
        statuses = asyncio.run(ask_at_once(router.url, 200, stream=stream))
        spent = router.core.ledger.total(counter)

    assert (dict(statuses), round(spent, 9)) == ({200: 7, 402: 193}, 100.25)


def test_what_a_failed_attempt_held_is_free_for_the_next() -> None:
    with make_router(
        BudgetGuard(),
        Script(cloud=[Reply("", usage=(0, 0)), SLOW]),
        providers={"cloud": {"cost": {**CENTS, "monthly_budget_usd": 0.5}}},
    ) as router:
        statuses = [router.ask(max_tokens=75).status for _ in range(2)]

    assert statuses[1] == 200


async def embed_at_once(url: str, times: int) -> Counter[int]:
    body = {"model": "any", "input": "hi"}
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
        asked = (client.post("/v1/embeddings", json=body) for _ in range(times))
        return Counter([answer.status_code for answer in await asyncio.gather(*asked)])


def test_nothing_is_held_for_the_output_of_embeddings() -> None:
    with make_router(
        BudgetGuard(),
        Script(cloud=SLOW),
        providers={"cloud": {"cost": {**CENTS, "monthly_budget_usd": 0.01}}},
    ) as router:
        statuses = asyncio.run(embed_at_once(router.url, 5))

    assert statuses == {200: 5}


@pytest.mark.parametrize(
    ("asked", "answers"),
    [
        pytest.param({"prompt": "a", "n": 3}, 3, id="choices"),
        pytest.param({"prompt": "a", "n": 2, "best_of": 5}, 5, id="best-of"),
        pytest.param({"prompt": ["a", "b"], "n": 3}, 6, id="prompts"),
        pytest.param({"prompt": [11, 12, 13]}, 1, id="tokens-of-one-prompt"),
        pytest.param({"prompt": [[11], [12, 13]]}, 2, id="tokens-of-two-prompts"),
    ],
)
def test_every_completion_that_is_asked_for_is_held(asked: dict[str, Any], answers: int) -> None:
    with make_router(BudgetGuard(), Script(cloud="x"), providers={"cloud": {"cost": CENTS}}) as router:
        core = router.core
        request = Request(
            "req", Dialect.CHAT, {**asked, "max_tokens": 50}, b"{}", operation=Operation.COMPLETE
        )
        [said] = core.hooks.review_attempt(core.providers["cloud"], request, core.config.profiles[0])

    assert isinstance(said.verdict, Reservation)
    assert said.verdict.amount == pytest.approx(0.5 * answers)


class AnyClock:
    """A clock that may be set to any time, as operators and time servers do."""

    def __init__(self) -> None:
        self.at = dt.datetime(2026, 1, 31, 23, 59, tzinfo=dt.UTC)

    def monotonic(self) -> float:
        return 1000.0

    def utc(self) -> dt.datetime:
        return self.at


@pytest.fixture(scope="module")
def turned() -> Iterator[tuple[ServedRouter, AnyClock, defaultdict[str, float], Iterator[int]]]:
    """A router whose clock can be set, what was spent in which month so far, and numbers for attempts."""
    clock = AnyClock()
    with make_router(
        BudgetGuard(), Script(cloud="x"), clock=clock, providers={"cloud": {"cost": CENTS}}
    ) as router:
        yield router, clock, defaultdict(float), itertools.count()


NOVEMBER, MARCH = (
    int(dt.datetime(*first, 1, tzinfo=dt.UTC).timestamp()) for first in ((2025, 11), (2026, 3))
)
times = st.integers(NOVEMBER, MARCH).map(lambda at: dt.datetime.fromtimestamp(at, dt.UTC))


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.tuples(times, times, st.floats(0.5, 60)), min_size=1, max_size=8))
def test_every_month_has_its_own_budget_however_the_clock_jumps(
    steps: list[tuple[dt.datetime, dt.datetime, float]],
    turned: tuple[ServedRouter, AnyClock, defaultdict[str, float], Iterator[int]],
) -> None:
    router, clock, expected, numbers = turned
    core = router.core
    cloud, profile = core.providers["cloud"], core.config.profiles[0]
    request = Request("req", Dialect.CHAT, {"messages": []}, b"{}")
    for begin, end, usd in steps:
        clock.at = begin
        month = f"{begin:%Y-%m}"

        rejected = bool(core.hooks.filter_chain([cloud], request, profile))

        assert rejected == (expected[month] >= CAP)
        if not rejected:
            began = Attempt(
                f"{next(numbers)}", "req", profile, cloud, 1, Dialect.CHAT, False, begin.timestamp(),
                outcome=Outcome.OK, cost=Cost(usd),
            )  # fmt: skip
            clock.at = end
            core.ledger.settle(began)
            core.hooks.observe_attempt(began)
            expected[month] += usd
