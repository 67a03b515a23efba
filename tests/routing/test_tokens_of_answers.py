"""Counts of tokens over the whole way: rules, count_tokens, and what upstreams report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from coderouter_core.api import Usage, hookimpl
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
