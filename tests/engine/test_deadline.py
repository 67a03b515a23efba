"""Waits that end in time, in a loop whose time passes only while everybody waits."""

from __future__ import annotations

import asyncio
import gc
import selectors
import weakref
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import pytest

from coderouter_core.engine.deadline import Deadline


class Skipping(selectors.DefaultSelector):
    """Lets the time go by in which there is nothing to do."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        assert ready or timeout is not None, "everybody waits, and nothing will come"
        self.now += 0.0 if ready else max(0.0, timeout or 0.0)
        return ready


class Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._skipping = Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.now


def run(main: Coroutine[Any, Any, float]) -> float:
    """Seconds from the beginning until the time that `main` returns."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        return round(runner.run(main) - Skipping.now, 3)


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def ended(*waits: tuple[float, float]) -> float:
    """When the last wait is over: each is (seconds to its deadline, seconds it takes), one after the other."""
    loop = asyncio.get_running_loop()
    deadline = Deadline(loop)
    try:
        for limit_s, seconds in waits:
            with deadline.at(loop.time() + limit_s):
                await asyncio.sleep(seconds)
    except TimeoutError:
        pass
    finally:
        deadline.close()
    return loop.time()


@pytest.mark.parametrize(
    ("waits", "at"),
    [
        pytest.param([(5, 9)], 5, id="too-long"),
        pytest.param([(5, 3)], 3, id="in-time"),
        pytest.param([(-5, 3)], 0, id="too-late-to-begin"),
        pytest.param([(5, 3), (5, 9)], 8, id="the-second-has-its-own-time"),
        pytest.param([(600, 3), (5, 9)], 8, id="the-second-ends-earlier"),
        pytest.param([(5, 1), (600, 20)], 21, id="the-second-ends-later"),
        pytest.param([(5, 4), (5, 4), (5, 4), (5, 9)], 17, id="many"),
    ],
)
def test_a_wait_ends_when_it_is_over_or_at_its_deadline(waits: list[tuple[float, float]], at: float) -> None:
    assert run(ended(*waits)) == at


def test_who_waits_for_nothing_is_left_alone() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        with Deadline(loop).at(loop.time() + 5):
            await asyncio.sleep(1)
        await asyncio.sleep(100)
        return loop.time()

    assert run(main()) == 101


@pytest.mark.parametrize("late", [0, 1], ids=["at-first", "after-another-wait-was-too-long"])
def test_who_is_cancelled_meanwhile_stays_cancelled(late: int) -> None:
    async def wait() -> None:
        loop = asyncio.get_running_loop()
        deadline = Deadline(loop)
        for _ in range(late):
            with suppress(TimeoutError), deadline.at(loop.time() + 0.5):
                await forever()
        with deadline.at(loop.time() + 5):
            await forever()

    async def main() -> float:
        task = asyncio.create_task(wait())
        await asyncio.sleep(1)
        task.cancel()
        await task
        return 0.0

    with pytest.raises(asyncio.CancelledError):
        run(main())


def test_who_is_cancelled_at_the_deadline_is_cancelled() -> None:
    async def wait() -> None:
        loop = asyncio.get_running_loop()
        with Deadline(loop).at(loop.time() + 5):
            await forever()

    async def main() -> float:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(wait())
        # It was set later, so it goes off behind the deadline's own timer, before the task has its turn.
        await asyncio.sleep(0)
        loop.call_at(loop.time() + 5, task.cancel)
        await task
        return 0.0

    with pytest.raises(asyncio.CancelledError):
        run(main())


def test_after_a_deadline_the_task_can_wait_again() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        deadline = Deadline(loop)
        for _ in range(3):
            with pytest.raises(TimeoutError), deadline.at(loop.time() + 5):
                await forever()
        await asyncio.sleep(1)
        return loop.time()

    assert run(main()) == 16


def test_a_closed_deadline_is_kept_by_nobody() -> None:
    class Watched(Deadline):
        """With room for a weak reference."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        deadline = Watched(loop)
        with deadline.at(loop.time() + 600):
            await asyncio.sleep(0)
        deadline.close()
        watched = weakref.ref(deadline)
        del deadline
        gc.collect()
        return loop.time() if watched() is None else 0.0

    assert run(main()) == 0
