"""What every ledger does, with a file and without."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

import pytest

from coderouter_core.ledger import MemoryLedger, SqliteLedger
from coderouter_core.model import Attempt, Cost, Dialect, Outcome, Profile, Provider, Usage
from coderouter_core.testing import FakeClock

T = TypeVar("T")
Kind = Callable[[Path, FakeClock], MemoryLedger | SqliteLedger]
Story = Callable[[MemoryLedger | SqliteLedger], Awaitable[T]]

both = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(lambda folder, clock: MemoryLedger(clock), id="memory"),
        pytest.param(lambda folder, clock: SqliteLedger(folder / "ledger.db", clock, print), id="sqlite"),
    ],
)


def attempt(name: str, at: float = 0.0, **fields: Any) -> Attempt:
    provider = Provider("local", model="qwen3")
    return Attempt(
        name, f"req_{name}", Profile("main", ("local",)), provider, 1, Dialect.CHAT, True, at, **fields
    )


def with_open(ledger: MemoryLedger | SqliteLedger, story: Story[T]) -> T:
    async def told() -> T:
        async with aclosing(ledger):
            await ledger.open()
            return await story(ledger)

    return asyncio.run(told())


@both
def test_a_counter_nobody_added_to_is_zero(kind: Kind, tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: MemoryLedger | SqliteLedger) -> float:
        return ledger.total("spent")

    assert with_open(kind(tmp_path, clock), story) == 0.0


@both
def test_what_was_added_counts_at_once(kind: Kind, tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: MemoryLedger | SqliteLedger) -> float:
        ledger.add("spent", 1.5)
        ledger.add("other", 8)
        ledger.add("spent", 0.25)
        return ledger.total("spent")

    assert with_open(kind(tmp_path, clock), story) == 1.75


@both
@pytest.mark.parametrize("amount", [float("nan"), float("inf")])
def test_what_is_no_amount_is_not_counted(
    kind: Kind, amount: float, tmp_path: Path, clock: FakeClock
) -> None:
    async def story(ledger: MemoryLedger | SqliteLedger) -> float:
        ledger.add("spent", 2)
        ledger.add("spent", amount)
        return ledger.total("spent")

    assert with_open(kind(tmp_path, clock), story) == 2.0


@both
def test_a_mark_lasts_its_seconds(kind: Kind, tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: MemoryLedger | SqliteLedger) -> list[float]:
        ledger.mark("resting", 60)
        seen = [ledger.marked("resting")]
        for seconds in (59, 1, 1):
            clock.advance(seconds)
            seen.append(ledger.marked("resting"))
        return seen

    assert with_open(kind(tmp_path, clock), story) == [60.0, 1.0, 0.0, 0.0]


@both
def test_marking_again_never_shortens(kind: Kind, tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: MemoryLedger | SqliteLedger) -> list[float]:
        ledger.mark("resting", 60)
        ledger.mark("resting", 10)
        before = ledger.marked("resting")
        ledger.mark("resting", 90)
        return [before, ledger.marked("resting")]

    assert with_open(kind(tmp_path, clock), story) == [60.0, 90.0]


@both
def test_two_hundred_at_once_pass_the_cap_by_one_reservation_at_most(
    kind: Kind, tmp_path: Path, clock: FakeClock
) -> None:
    async def story(ledger: MemoryLedger | SqliteLedger) -> int:
        ledger.add("spent", 95)
        tokens = await asyncio.gather(*(ledger.reserve("spent", 0.75, 100) for _ in range(200)))
        return sum(token is not None for token in tokens)

    assert with_open(kind(tmp_path, clock), story) == 7


@both
def test_a_release_makes_room_once(kind: Kind, tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: MemoryLedger | SqliteLedger) -> list[bool]:
        first = await ledger.reserve("spent", 10, 20)
        await ledger.reserve("spent", 10, 20)
        full = await ledger.reserve("spent", 10, 20)
        ledger.release(first or "")
        ledger.release(first or "")
        again = await ledger.reserve("spent", 10, 20)
        return [token is not None for token in (first, full, again, await ledger.reserve("spent", 10, 20))]

    assert with_open(kind(tmp_path, clock), story) == [True, False, True, False]


@both
def test_what_was_spent_leaves_less_to_reserve(kind: Kind, tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: MemoryLedger | SqliteLedger) -> str | None:
        token = await ledger.reserve("spent", 1, 20)
        ledger.add("spent", 20)
        ledger.release(token or "")
        return await ledger.reserve("spent", 1, 20)

    assert with_open(kind(tmp_path, clock), story) is None


@both
@pytest.mark.parametrize("amount", [-50.0, float("nan")])
def test_a_hold_never_makes_room_for_others(
    kind: Kind, amount: float, tmp_path: Path, clock: FakeClock
) -> None:
    async def story(ledger: MemoryLedger | SqliteLedger) -> str | None:
        ledger.add("spent", 19)
        await ledger.reserve("spent", amount, 20)
        await ledger.reserve("spent", 1, 20)
        return await ledger.reserve("spent", 1, 20)

    assert with_open(kind(tmp_path, clock), story) is None


@both
def test_a_settled_attempt_replaces_its_start(kind: Kind, tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: MemoryLedger | SqliteLedger) -> list[object]:
        ledger.start(attempt("a"))
        ledger.settle(attempt("a", outcome=Outcome.OK))
        return [row["outcome"] for row in ledger.attempts()]

    assert with_open(kind(tmp_path, clock), story) == ["ok"]


@both
def test_attempts_are_plain_values(kind: Kind, tmp_path: Path, clock: FakeClock) -> None:
    usage = Usage(
        input=10, cache_read=4, cache_write_5m=3, cache_write_1h=2, output=7, reasoning=5, reported=True
    )

    async def story(ledger: MemoryLedger | SqliteLedger) -> dict[str, object]:
        ledger.settle(
            attempt(
                "a", at=1e9, model="opus", session_id="s", client_key="ada", outcome=Outcome.FAILED, status=429,
                error_kind="status", error_text="slow down", seconds=1.5, first_token_s=0.5, usage=usage,
                cost=Cost(0.25, savings_usd=0.125, estimated=True),
            )
        )  # fmt: skip
        return dict(ledger.attempts()[0]) | {"owner": "…"}

    assert with_open(kind(tmp_path, clock), story) == {
        "id": "a", "request_id": "req_a", "session_id": "s", "client_key": "ada", "profile": "main", "provider": "local",
        "number": 1, "dialect": "chat", "stream": True, "model": "opus", "provider_model": "qwen3", "started_at": 1e9,
        "outcome": "failed", "status": 429, "error_kind": "status", "error_text": "slow down", "seconds": 1.5,
        "first_token_s": 0.5, "input_tokens": 10, "cache_read_tokens": 4, "cache_write_5m_tokens": 3,
        "cache_write_1h_tokens": 2, "output_tokens": 7, "reasoning_tokens": 5, "usage_reported": True, "estimated": True,
        "cost_usd": 0.25, "savings_usd": 0.125, "owner": "…",
    }  # fmt: skip


@both
@pytest.mark.parametrize(
    ("cost", "usd"),
    [
        pytest.param(None, None, id="not-computed"),
        pytest.param(Cost(usd=None), None, id="unknown"),
        pytest.param(Cost(usd=0.0), 0.0, id="free"),
    ],
)
def test_an_unknown_cost_is_not_zero(
    kind: Kind, cost: Cost | None, usd: float | None, tmp_path: Path, clock: FakeClock
) -> None:
    async def story(ledger: MemoryLedger | SqliteLedger) -> object:
        ledger.settle(attempt("a", cost=cost))
        return ledger.attempts()[0]["cost_usd"]

    assert with_open(kind(tmp_path, clock), story) == usd


@both
def test_attempts_come_newest_first(kind: Kind, tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: MemoryLedger | SqliteLedger) -> list[object]:
        for name, at in (("a", 2.0), ("b", 3.0), ("c", 1.0)):
            ledger.start(attempt(name, at))
        return [row["id"] for row in ledger.attempts(limit=2)]

    assert with_open(kind(tmp_path, clock), story) == ["b", "a"]


@both
def test_attempts_of_one_request(kind: Kind, tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: MemoryLedger | SqliteLedger) -> list[object]:
        ledger.start(attempt("a"))
        ledger.start(attempt("b"))
        return [row["id"] for row in ledger.attempts("req_a")]

    assert with_open(kind(tmp_path, clock), story) == ["a"]


@both
def test_an_error_text_is_cut(kind: Kind, tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: MemoryLedger | SqliteLedger) -> int:
        ledger.settle(attempt("a", error_text="é" * 2000))
        return len(ledger.attempts()[0]["error_text"])

    assert with_open(kind(tmp_path, clock), story) == 200


@both
def test_odd_values_of_an_upstream_are_recorded(kind: Kind, tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: MemoryLedger | SqliteLedger) -> list[object]:
        ledger.settle(attempt("a", error_text="half \ud800 and \x00", usage=Usage(input=10**30, output=-4)))
        await ledger.reserve("any", 1, 2)
        row = ledger.attempts()[0]
        return [row["error_text"], row["input_tokens"], row["output_tokens"], ledger.health()["ok"]]

    assert with_open(kind(tmp_path, clock), story) == ["half ? and \x00", 2**63 - 1, 0, True]


@both
def test_traces_come_newest_first(kind: Kind, tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: MemoryLedger | SqliteLedger) -> list[object]:
        ledger.trace("req_a", {"chain": ["local"]})
        clock.advance(1)
        ledger.trace("req_b", {"chain": []})
        ledger.trace("req_a", {"chain": ["cloud"]})
        return [(trace["at"], trace["facts"]) for trace in ledger.traces("req_a")]

    at = clock.utc().timestamp()
    assert with_open(kind(tmp_path, clock), story) == [
        (at + 1, {"chain": ["cloud"]}),
        (at, {"chain": ["local"]}),
    ]


@both
@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        pytest.param({"place": Path("/x"), 1: 2}, {"place": "/x", "1": 2}, id="objects"),
        pytest.param({"half": "\ud800"}, {"half": "?"}, id="lone-surrogate"),
        pytest.param({"text": "x" * 70_000}, {"too_long_bytes": 70_011}, id="too-long"),
        pytest.param({"no": {("a", "b"): 1}}, {"unreadable": "TypeError"}, id="no-form-in-json"),
    ],
)
def test_a_trace_takes_whatever_facts_hold(
    kind: Kind, facts: dict[str, object], shown: dict[str, object], tmp_path: Path, clock: FakeClock
) -> None:
    async def story(ledger: MemoryLedger | SqliteLedger) -> object:
        ledger.trace("req_a", facts)
        return ledger.traces()[0]["facts"]

    assert with_open(kind(tmp_path, clock), story) == shown


@both
@pytest.mark.parametrize(
    ("by", "since", "found"),
    [
        pytest.param("day", 0.0, {"1970-01-01": (1, 0.5), "1970-01-02": (2, 0.75)}, id="by-day"),
        pytest.param("day", 86_400.0, {"1970-01-02": (2, 0.75)}, id="since"),
        pytest.param("provider", 0.0, {"local": (3, 1.25)}, id="by-provider"),
    ],
)
def test_sums_are_of_what_was_settled(
    kind: Kind,
    by: str,
    since: float,
    found: dict[str, tuple[int, float]],
    tmp_path: Path,
    clock: FakeClock,
) -> None:
    async def story(ledger: MemoryLedger | SqliteLedger) -> None:
        for name, at, usd in (("a", 10.0, 0.5), ("b", 90_000.0, 0.25), ("c", 90_001.0, 0.5)):
            ledger.settle(attempt(name, at, outcome=Outcome.OK, cost=Cost(usd)))

    ledger = kind(tmp_path, clock)
    with_open(ledger, story)

    sums = ledger.sums(by, since)
    assert {name: (each["requests"], each["cost_usd"]) for name, each in sums.items()} == found


@both
def test_days_of_sums_are_those_of_the_zone(kind: Kind, tmp_path: Path, clock: FakeClock) -> None:
    async def story(ledger: MemoryLedger | SqliteLedger) -> None:
        ledger.settle(attempt("a", 60_000.0, outcome=Outcome.OK))

    ledger = kind(tmp_path, clock)
    with_open(ledger, story)

    assert list(ledger.sums("day", zone=dt.timezone(dt.timedelta(hours=9)))) == ["1970-01-02"]
