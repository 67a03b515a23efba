"""Waits and their deadlines."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from coderouter_core.transport.waiting import Waiting

T = TypeVar("T")


def waited(use: Callable[[Waiting, asyncio.AbstractEventLoop], Awaitable[T]]) -> T:
    async def run() -> T:
        loop = asyncio.get_running_loop()
        return await use(Waiting(loop), loop)

    return asyncio.run(run())


def test_a_wait_that_is_woken_is_true() -> None:
    async def use(waiting: Waiting, loop: asyncio.AbstractEventLoop) -> bool:
        loop.call_soon(waiting.wake)
        return await waiting.until(loop.time() + 5)

    assert waited(use)


def test_a_wait_that_is_not_woken_in_time_is_false() -> None:
    async def use(waiting: Waiting, loop: asyncio.AbstractEventLoop) -> bool:
        return await waiting.until(loop.time() + 0.01)

    assert not waited(use)


def test_a_later_deadline_holds_although_the_timer_was_set_for_an_earlier_one() -> None:
    async def use(waiting: Waiting, loop: asyncio.AbstractEventLoop) -> list[bool]:
        loop.call_soon(waiting.wake)
        first = await waiting.until(loop.time() + 0.01)
        async with asyncio.timeout(5):
            return [first, await waiting.until(loop.time() + 0.03)]

    assert waited(use) == [True, False]


def test_an_earlier_deadline_holds_although_the_timer_was_set_for_a_later_one() -> None:
    async def use(waiting: Waiting, loop: asyncio.AbstractEventLoop) -> list[bool]:
        loop.call_soon(waiting.wake)
        first = await waiting.until(loop.time() + 60)
        async with asyncio.timeout(5):
            return [first, await waiting.until(loop.time() + 0.01)]

    assert waited(use) == [True, False]


def test_a_wait_without_deadline_is_not_ended_by_an_old_timer() -> None:
    async def use(waiting: Waiting, loop: asyncio.AbstractEventLoop) -> list[bool]:
        loop.call_soon(waiting.wake)
        first = await waiting.until(loop.time() + 0.01)
        loop.call_later(0.03, waiting.wake)
        return [first, await waiting.until(None)]

    assert waited(use) == [True, True]


def test_a_wait_that_was_woken_does_not_touch_the_one_after_it() -> None:
    async def use(waiting: Waiting, loop: asyncio.AbstractEventLoop) -> bool:
        gate = loop.create_future()

        async def next_wait() -> bool:
            await gate
            return await waiting.until(None)

        first, second = loop.create_task(waiting.until(None)), loop.create_task(next_wait())
        await asyncio.sleep(0)
        gate.set_result(None)
        waiting.wake()  # the first goes on only after the second has begun
        await first
        waiting.wake()
        async with asyncio.timeout(5):
            return await second

    assert waited(use)


def test_waking_when_nobody_waits_is_nothing() -> None:
    async def use(waiting: Waiting, loop: asyncio.AbstractEventLoop) -> bool:
        waiting.wake()
        return await waiting.until(loop.time() + 0.01)

    assert not waited(use)
