"""What a collector gets of requests that went well and not so well."""

from __future__ import annotations

from typing import Any

import pytest
from coderouter_observer_otel import OtelObserver
from coderouter_observer_otel.names import CURRENT, HOSTS, LATEST, provider_name
from coderouter_observer_otel.record import MOST_REQUESTS, Begun

from coderouter_core.api import ConfigError, Event, Level, Provider, Usage
from coderouter_core.testing import (
    CutAfter,
    ProviderError,
    Reply,
    Script,
    ServedRouter,
    conformance,
    make_router,
)

#: The fixture's; see conftest.py.
Collector = Any
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
USAGE = Usage(input=70, cache_read=40, output=9, reported=True)


def attributes(of: Any) -> dict[str, Any]:
    """The attributes of a span, a point, an event or a resource."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in of.attributes}


def routed(collector: Collector, script: Script, **otel: Any) -> ServedRouter:
    return make_router(OtelObserver(), script, otel={"endpoint": collector.url, **otel})


def tokens(points: list[Any], name: str, value: str) -> float:
    """The sum of a histogram's points that have this attribute."""
    return sum(float(point.sum) for point in points if attributes(point).get(name) == value)


def test_it_conforms() -> None:
    conformance(OtelObserver())


def test_nothing_is_exported_without_an_endpoint(collector: Collector) -> None:
    with make_router(OtelObserver(), Script(local="hi")) as router:
        router.ask()

    assert (collector.spans, collector.points) == ([], {})


def test_a_request_is_a_span_and_its_attempt_one_below(collector: Collector) -> None:
    with routed(collector, Script(local="hi")) as router:
        router.ask()

    request, attempt = collector.span("POST /v1/messages"), collector.span("chat local-model")
    assert (attempt.trace_id, attempt.parent_span_id) == (request.trace_id, request.span_id)


def test_a_failover_is_two_attempts_the_first_one_failed(collector: Collector) -> None:
    with routed(collector, Script(local=ProviderError("no", status=529), cloud="hi")) as router:
        router.ask()

    tried = [span for span in collector.spans if span.name.startswith("chat")]
    told = [(attributes(span)["coderouter.provider"], attributes(span).get("error.type")) for span in tried]
    assert told == [("local", "529"), ("cloud", None)]


def test_a_broken_stream_is_an_error(collector: Collector) -> None:
    with routed(collector, Script(local=CutAfter(4))) as router:
        router.ask(stream=True)

    request = collector.span("POST /v1/messages")
    assert (request.status.code, attributes(request)["error.type"]) == (2, "broken")


def test_a_refused_request_is_a_span_without_attempts(collector: Collector) -> None:
    with routed(collector, Script(local="hi")) as router:
        router.client.post("/v1/messages", content=b"{")

    assert [span.name for span in collector.spans] == ["POST /v1/messages"]


def test_the_clients_span_is_the_parent(collector: Collector) -> None:
    with routed(collector, Script(local="hi")) as router:
        router.ask(headers={"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"})

    request = collector.span("POST /v1/messages")
    assert (request.trace_id.hex(), request.parent_span_id.hex(), request.trace_state) == (
        TRACE,
        PARENT,
        "vendor=1",
    )


@pytest.mark.parametrize("given", ["nonsense", f"00-{'0' * 32}-{PARENT}-01", f"ff-{TRACE}-{PARENT}-01"])
def test_a_parent_that_is_none_is_not_believed(collector: Collector, given: str) -> None:
    with routed(collector, Script(local="hi")) as router:
        router.ask(headers={"traceparent": given})

    assert collector.span("POST /v1/messages").parent_span_id == b""


def test_an_unsampled_parent_makes_no_spans(collector: Collector) -> None:
    with routed(collector, Script(local="hi")) as router:
        router.ask(headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})

    assert (collector.spans, bool(collector.points)) == ([], True)


def test_an_upstream_is_given_the_span_of_its_attempt(collector: Collector) -> None:
    with routed(collector, Script(local="hi")) as router:
        router.ask(headers={"tracestate": "vendor=1", "traceparent": f"00-{TRACE}-{PARENT}-01"})
        [call] = router.upstreams["local"].calls

    span = collector.span("chat local-model").span_id.hex()
    assert (call.headers["traceparent"], call.headers["tracestate"]) == (
        f"00-{TRACE}-{span}-01",
        "vendor=1",
    )


def test_without_an_endpoint_an_upstream_gets_no_context(collector: Collector) -> None:
    with make_router(OtelObserver(), Script(local="hi")) as router:
        router.ask(headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
        [call] = router.upstreams["local"].calls

    assert "traceparent" not in call.headers


def test_tokens_are_those_of_the_ledger(collector: Collector) -> None:
    script = Script(
        local=[CutAfter(4), ProviderError("no", status=500), "three", "four"],
        cloud=Reply("two", usage=USAGE),
    )
    with routed(collector, script) as router:
        for at in range(4):
            router.ask(stream=at % 2 == 0)
        usages = [attempt.usage for attempt in router.attempts]

    points = collector.points["gen_ai.client.token.usage"]
    told = [tokens(points, "gen_ai.token.type", kind) for kind in ("input", "output")]
    assert told == [sum(usage.prompt for usage in usages), sum(usage.output for usage in usages)]


def test_tokens_of_the_next_version_are_counters(collector: Collector) -> None:
    with routed(collector, Script(local=Reply("two", usage=USAGE)), semconv="latest") as router:
        router.ask()

    points = collector.points["gen_ai.client.inference.input_tokens_by_cache"]
    told = {attributes(point)["gen_ai.token.cache"]: int(point.as_int or point.as_double) for point in points}
    assert (told, "gen_ai.client.token.usage" in collector.points) == (
        {"none": 70, "read": 40, "creation": 0},
        False,
    )


def test_the_environment_asks_for_the_next_version(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http, gen_ai_latest_experimental")
    with routed(collector, Script(local="hi")) as router:
        router.ask()

    assert "gen_ai.client.inference.tokens" in collector.points


@pytest.mark.parametrize(
    "name",
    [
        "gen_ai.client.operation.duration",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.server.request.duration",
        "gen_ai.server.time_to_first_token",
        "coderouter.overhead",
    ],
)
def test_durations_are_counted_once_a_request(collector: Collector, name: str) -> None:
    with routed(collector, Script(local=["one", "two"])) as router:
        router.ask()
        router.ask(stream=True)

    assert sum(point.count for point in collector.points[name]) == 2


def test_no_label_of_a_metric_comes_from_a_client(collector: Collector) -> None:
    secret = "a-model-that-nobody-configured"
    with routed(collector, Script(local="hi")) as router:
        router.ask(model=secret, headers={"x-session-id": secret})

    labels = {str(attributes(point)) for points in collector.points.values() for point in points}
    assert not any(secret in label for label in labels)


def test_a_prompt_and_an_upstreams_words_are_in_no_span(collector: Collector) -> None:
    secret = "hunter2-is-the-word"
    script = Script(local=ProviderError(f"I was asked {secret}", status=500), cloud=secret)
    with routed(collector, script) as router:
        router.ask(secret)

    assert not any(secret.encode() in span.SerializeToString() for span in collector.spans)


def test_a_span_tells_what_was_decided(collector: Collector) -> None:
    script = Script(local="hi", cloud="hi")
    with make_router(
        OtelObserver(), script, providers={"local": {"paid": True}}, otel={"endpoint": collector.url}
    ) as router:
        router.ask()

    [note] = collector.span("POST /v1/messages").events
    assert (note.name, attributes(note)["provider"]) == ("skip-paid-provider", "local")


def test_a_session_is_a_conversation(collector: Collector) -> None:
    with routed(collector, Script(local="hi")) as router:
        router.ask(headers={"x-session-id": "s-1"})

    told = {attributes(span).get("gen_ai.conversation.id") for span in collector.spans}
    assert told == {"s-1"}


def test_the_service_has_its_name(collector: Collector) -> None:
    with routed(collector, Script(local="hi"), service_name="house-router") as router:
        router.ask()

    assert attributes(collector.resources[0])["service.name"] == "house-router"


def test_headers_for_the_collector_come_from_a_variable(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_HEADERS", "X-Tenant=blue, x-key = k1")
    with routed(collector, Script(local="hi"), headers_env="MY_HEADERS") as router:
        router.ask()

    assert (collector.headers["x-tenant"], collector.headers["x-key"]) == ("blue", "k1")


def test_the_environments_endpoint_wins(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    with make_router(OtelObserver(), Script(local="hi"), otel={"endpoint": "http://127.0.0.1:9"}) as router:
        router.ask()

    assert len(collector.spans) == 2


@pytest.mark.parametrize(
    ("variable", "value"), [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")]
)
def test_the_environment_switches_traces_off(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with routed(collector, Script(local="hi")) as router:
        router.ask()

    assert collector.spans == []


@pytest.mark.parametrize(
    "endpoint", ["localhost:4318", "ftp://here", "http://user:secret@here"], ids=["bare", "ftp", "userinfo"]
)
def test_an_endpoint_that_is_none_is_told(endpoint: str) -> None:
    with pytest.raises(ConfigError, match=r"otel\.endpoint") as raised:
        make_router(OtelObserver(), Script(local="hi"), otel={"endpoint": endpoint})

    assert "secret" not in str(raised.value)


def test_a_collector_that_refuses_is_told_once(collector: Collector) -> None:
    collector.status = 400
    with routed(collector, Script(local=["one", "two"]), interval_s=1) as router:
        router.ask()
        assert router.wait_event("otel-export-failed", 20)
        router.ask()
        with collector.came:
            collector.came.wait(5)
        told = [event.fields["signal"] for event in router.events if event.name == "otel-export-failed"]

    assert sorted(set(told)) == sorted(told)


def test_a_collector_that_is_away_harms_no_traffic(collector: Collector) -> None:
    collector.close()
    with routed(collector, Script(local=["one", "two"])) as router:
        answers = [router.ask().text for _ in range(2)]

    assert answers == ["one", "two"]


def test_what_is_noted_of_requests_is_bounded() -> None:
    observer = OtelObserver()
    observer._export = Samples()  # type: ignore[assignment]
    fields = {"traceparent": None, "tracestate": None}
    for at in range(MOST_REQUESTS + 50):
        observer.observe_event(Event("request-received", Level.DEBUG, 0.0, f"r{at}", fields))

    assert len(observer._pending) == MOST_REQUESTS


class Samples:
    traces = None

    def begin(self, *_: Any) -> Begun:
        return Begun(1, 0, True)


def test_hosts_have_the_conventions_names() -> None:
    told = [
        provider_name(Provider("p", base_url=url, kind="openai-compat"))
        for url in ("https://api.anthropic.com", "https://eu.api.openai.com/v1", "http://127.0.0.1:11434/v1")
    ]

    assert told == ["anthropic", "openai", "openai_compat"]


def test_no_name_is_meant_twice() -> None:
    for table in (CURRENT, LATEST):
        said = [getattr(table, name) for name in table.__slots__ if getattr(table, name, None)]
        assert len(said) == len(set(said))
    assert len(HOSTS) > len(set(HOSTS.values()))
