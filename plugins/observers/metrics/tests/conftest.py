"""A router that has served a little of everything, over real HTTP, and what its metrics say of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from attrs import frozen
from coderouter_observer_metrics import Metrics
from prometheus_client.parser import text_string_to_metric_families

from coderouter_core.api import (
    Attempt,
    Event,
    Profile,
    Provider,
    Refusal,
    Rejection,
    Request,
    Usage,
    hookimpl,
)
from coderouter_core.testing import (
    CutAfter,
    ProviderError,
    Reply,
    Script,
    ServedRouter,
    StallAfter,
    make_router,
)

CACHED = Usage(input=100, cache_read=2048, cache_write_5m=64, output=40, reported=True)
PRICES = {"cost": {"input_tokens_per_million": 3.0, "output_tokens_per_million": 15.0}}


class Strict:
    """A guard that declines what says so, and leaves the provider ``never`` out."""

    @hookimpl
    def review_request(self, request: Request) -> Refusal | None:
        return Refusal("not this") if "decline me" in request.latest_user_text else None

    @hookimpl
    def filter_chain(self, chain: Sequence[Provider], profile: Profile) -> Iterable[Rejection]:
        return [Rejection(provider, "never") for provider in chain if provider.name == "never"]


@frozen(eq=False)
class Served:
    """What was told and tried, and what the metrics said when it was over."""

    events: Sequence[Event]
    attempts: Sequence[Attempt]
    rows: Sequence[Any]
    document: Any
    text: str

    def value(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def told(self, name: str) -> list[Event]:
        return [event for event in self.events if event.name == name]


def routed() -> ServedRouter:
    thought = Reply("first", usage=Usage(input=17, output=23, reasoning=11, reported=True))
    one = [thought, ProviderError("CUDA out of memory"), "streamed", CutAfter(6), StallAfter(6), "last"]
    return make_router(
        Metrics(),
        ("strict", Strict()),
        Script(one=one, never="x", two=Script.messages(Reply("cached", usage=CACHED))),
        providers={"two": PRICES, "one": PRICES},
    )


def traffic(router: ServedRouter) -> None:
    router.ask("well")
    router.ask("falls over", dialect="chat")
    router.ask("streamed", dialect="chat", stream=True)
    router.ask("breaks", stream=True)
    body = {
        "model": "any",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "left"}],
        "stream": True,
    }
    with router.client.stream("POST", "/v1/messages", json=body) as response:
        next(response.iter_bytes())
    assert router.wait_event("client-disconnected")
    router.ask("decline me")
    router.ask("whose?", headers={"x-coderouter-profile": "nobody"})
    router.client.post("/v1/chat/completions", content=b"{no json")
    router.ask("well again", stream=True)


def settle(router: ServedRouter) -> None:
    """Wait until the metrics know of the end of every request."""
    for _ in range(500):
        ended = sum(event.name == "request-finished" for event in router.events)
        if ended == sum(event.name == "request-received" for event in router.events):
            return
        router.client.get("/livez")
    raise AssertionError("a request has not ended")


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    with routed() as router:
        traffic(router)
        settle(router)
        document = router.client.get("/metrics.json").json()
        text = router.client.get("/metrics").text
        yield Served(router.events, router.attempts, router.core.ledger.attempts(), document, text)
