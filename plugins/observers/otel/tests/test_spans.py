"""Spans of requests that did not simply go well."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest
from coderouter_observer_otel import OtelObserver

from coderouter_core.testing import (
    ErrorAfter,
    ProviderError,
    Reply,
    Script,
    ServedRouter,
    StallAfter,
    make_router,
)

#: The fixture's; see conftest.py.
Collector = Any
BODY = {"model": "any", "messages": [{"role": "user", "content": "hi"}], "stream": True}


def attributes(of: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in of.attributes}


def routed(collector: Collector, script: Script, **otel: Any) -> ServedRouter:
    return make_router(OtelObserver(), script, otel={"endpoint": collector.url, **otel})


def leave(router: ServedRouter) -> None:
    """Ask for a stream, and hang up after its first byte."""
    connection = http.client.HTTPConnection(router.url.removeprefix("http://"), timeout=10)
    connection.request("POST", "/v1/chat/completions", json.dumps(BODY), {"content-type": "application/json"})
    connection.getresponse().read(1)
    connection.close()
    assert router.wait_event("request-finished")


def test_an_attempt_that_was_cancelled_has_a_span_that_is_no_error(collector: Collector) -> None:
    with routed(collector, Script(local=StallAfter(4, reply=Reply("one two three")))) as router:
        leave(router)

    span = collector.span("chat local-model")
    assert (attributes(span)["coderouter.outcome"], span.status.code) == ("cancelled", 0)


def test_a_request_whose_client_left_says_so(collector: Collector) -> None:
    with routed(collector, Script(local=StallAfter(4, reply=Reply("one two three")))) as router:
        leave(router)

    span = collector.span("POST /v1/chat/completions")
    assert (attributes(span)["coderouter.outcome"], [note.name for note in span.events]) == (
        "cancelled",
        ["client-disconnected"],
    )


def test_every_attempt_has_a_span(collector: Collector) -> None:
    down = ProviderError("no", status=500)
    script = Script(local=[down, ErrorAfter(3), down, "hi"], cloud=["hi", down])
    with routed(collector, script) as router:
        for at in range(4):
            router.ask(stream=at % 2 == 1)
        tried = [(attempt.provider.name, attempt.outcome.value) for attempt in router.attempts]

    spans = [attributes(span) for span in collector.spans if span.name.startswith("chat")]
    assert [(span["coderouter.provider"], span["coderouter.outcome"]) for span in spans] == tried


def test_a_span_lies_within_the_one_above(collector: Collector) -> None:
    with routed(collector, Script(local="hi")) as router:
        router.ask(stream=True)

    request, attempt = collector.span("POST /v1/messages"), collector.span("chat local-model")
    times = [
        request.start_time_unix_nano,
        attempt.start_time_unix_nano,
        attempt.end_time_unix_nano,
        request.end_time_unix_nano,
    ]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("prices", "told"), [({"input_tokens_per_million": 0, "output_tokens_per_million": 0}, 0.0), ({}, None)]
)
def test_an_unknown_price_is_not_free(
    collector: Collector, prices: dict[str, float], told: float | None
) -> None:
    with make_router(
        OtelObserver(),
        Script(local="hi"),
        otel={"endpoint": collector.url},
        providers={"local": {"cost": prices}},
    ) as router:
        router.ask()

    assert attributes(collector.span("chat local-model")).get("coderouter.cost_usd") == told


def test_a_request_costs_what_its_attempt_costs(collector: Collector) -> None:
    prices = {"cost": {"input_tokens_per_million": 3, "output_tokens_per_million": 15}}
    with make_router(
        OtelObserver(), Script(local="hi"), otel={"endpoint": collector.url}, providers={"local": prices}
    ) as router:
        router.ask()

    request, attempt = (attributes(span)["coderouter.cost_usd"] for span in collector.spans)
    assert 0 < request == pytest.approx(attempt)


def test_a_truth_and_a_number_stay_apart(collector: Collector) -> None:
    with routed(collector, Script(local=["one", "two"])) as router:
        router.ask()
        router.ask(stream=True)

    told = [attributes(span)["coderouter.stream"] for span in collector.spans if span.name.startswith("POST")]
    assert [(value, type(value)) for value in told] == [(False, bool), (True, bool)]


def test_requests_of_one_model_share_no_ids(collector: Collector) -> None:
    with routed(collector, Script(local=["hi"] * 3)) as router:
        for _ in range(3):
            router.ask()

    assert len({span.span_id for span in collector.spans}) == 6
    assert len({span.trace_id for span in collector.spans}) == 3
