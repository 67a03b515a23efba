"""What is told of prompt caches."""

from __future__ import annotations

from typing import Any

import pytest

from coderouter_core.events import Event
from coderouter_core.model import CacheOutcome, Usage, cache_outcome
from coderouter_core.testing import Asked, CutAfter, ProviderError, Reply, Script, Step, make_router

PRICES = {"input_tokens_per_million": 3.0, "output_tokens_per_million": 15.0}
READ = Reply("hello", usage=Usage(100, cache_read=2048, output=20, reported=True))


def told(asked: Asked) -> list[Event]:
    return [event for event in asked.events if event.name == "cache-observed"]


@pytest.mark.parametrize(
    ("usage", "outcome"),
    [
        pytest.param(Usage(), CacheOutcome.UNKNOWN, id="nothing-said"),
        pytest.param(Usage(reported=True), CacheOutcome.UNKNOWN, id="nothing-counted"),
        pytest.param(Usage(input=9), CacheOutcome.UNKNOWN, id="estimated"),
        pytest.param(Usage(input=9, reported=True), CacheOutcome.NONE, id="input"),
        pytest.param(Usage(output=9, reported=True), CacheOutcome.NONE, id="output"),
        pytest.param(Usage(cache_write_5m=9, reported=True), CacheOutcome.CREATION, id="write"),
        pytest.param(Usage(cache_write_1h=9, reported=True), CacheOutcome.CREATION, id="write-for-an-hour"),
        pytest.param(Usage(cache_read=1, cache_write_5m=9, reported=True), CacheOutcome.HIT, id="both"),
    ],
)
def test_the_outcome(usage: Usage, outcome: CacheOutcome) -> None:
    assert cache_outcome(usage) is outcome


@pytest.mark.parametrize("client", ["messages", "chat"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("wire", [Script.messages, Script.chat], ids=["messages-wire", "chat-wire"])
def test_every_answer_tells_of_its_cache(wire: Any, stream: bool, client: str) -> None:
    with make_router(Script(cloud=wire(READ)), providers={"cloud": {"cost": PRICES}}) as router:
        (event,) = told(router.ask(dialect=client, stream=stream))

    assert event.fields == {
        "provider": "cloud",
        "profile": "default",
        "request_had_cache_control": False,
        "outcome": "cache_hit",
        "cache_read_input_tokens": 2048,
        "cache_creation_input_tokens": 0,
        "input_tokens": 100,
        "output_tokens": 20,
        "streaming": stream,
        "cost_usd": pytest.approx(0.0012144, abs=1e-9),
        "cost_savings_usd": pytest.approx(0.0055296, abs=1e-9),
        "priced": True,
        "estimated": False,
    }


@pytest.mark.parametrize(
    ("text", "had"),
    [
        pytest.param(
            {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}, True, id="asked-for"
        ),
        pytest.param({"type": "text", "text": '"cache_control"'}, False, id="only-spoken-of"),
    ],
)
def test_whether_the_client_wanted_a_cache(text: dict[str, Any], had: bool) -> None:
    with make_router(Script(cloud=Script.messages(READ))) as router:
        (event,) = told(router.ask([{"role": "user", "content": [text]}]))

    assert event.fields["request_had_cache_control"] is had


@pytest.mark.parametrize(
    ("step", "outcomes"),
    [
        pytest.param(CutAfter(6, reply=READ), ["cache_hit"], id="cut"),
        pytest.param(ProviderError("no", 500), [], id="refused"),
    ],
)
def test_only_what_was_answered_is_told_of(step: Step, outcomes: list[str]) -> None:
    with make_router(Script(cloud=Script.messages(step))) as router:
        events = told(router.ask(stream=True))

    assert [event.fields["outcome"] for event in events] == outcomes


def test_an_unknown_price_is_said_to_be_unknown() -> None:
    with make_router(Script(cloud=READ)) as router:
        (event,) = told(router.ask())

    assert (event.fields["cost_usd"], event.fields["priced"]) == (0.0, False)
