"""What is held for an attempt that never begins."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from coderouter_core.api import Provider, Rejection, Reservation, hookimpl
from coderouter_core.ledger import MemoryLedger
from coderouter_core.testing import FakeClock, Script, make_router


class HoldsTwice:
    """Wants two counters for an attempt, each of which has room for one."""

    @hookimpl
    def review_attempt(self, provider: Provider) -> Iterator[Reservation]:
        for counter in ("first", "second"):
            yield Reservation(provider, counter, 1.0, 1.0, Rejection(provider, f"{counter} is held"))


class SlowSecond(MemoryLedger):
    """Takes its time over the second counter, as a store may that others use."""

    async def reserve(self, counter: str, amount: float, cap: float) -> str | None:
        if counter == "second":
            await asyncio.sleep(60)
        return await super().reserve(counter, amount, cap)


def room(ledger: MemoryLedger, counter: str) -> bool:
    return asyncio.run(MemoryLedger.reserve(ledger, counter, 1.0, 1.0)) is not None


def test_a_client_that_leaves_between_two_reservations_holds_nothing(clock: FakeClock) -> None:
    ledger = SlowSecond(clock)
    body = {"model": "any", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    with make_router(HoldsTwice(), Script(cloud="hello"), ledger=ledger) as router:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{router.url}/v1/messages", json=body, timeout=0.3, trust_env=False)
        assert router.wait_event("request-finished")

    assert room(ledger, "first")


def test_what_was_held_of_one_counter_is_let_go_when_another_is_full(clock: FakeClock) -> None:
    ledger = MemoryLedger(clock)
    ledger.add("second", 1.0)
    with make_router(HoldsTwice(), Script(cloud="hello"), ledger=ledger) as router:
        asked = router.ask()

    assert (asked.reasons, room(ledger, "first")) == ({"cloud": "second is held"}, True)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_what_is_held_for_an_answer_is_let_go_at_its_end(stream: bool, clock: FakeClock) -> None:
    with make_router(HoldsTwice(), Script(cloud="hello"), clock=clock) as router:
        texts = [router.ask(stream=stream).text for _ in range(2)]

    assert texts == ["hello", "hello"]
