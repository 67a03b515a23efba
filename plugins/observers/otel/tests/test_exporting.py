"""A collector that is away, slow, full or strict; and the variables that say where it is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from coderouter_observer_otel import OtelObserver

from coderouter_core.api import ConfigError
from coderouter_core.testing import Script, ServedRouter, make_router, self_signed

#: The fixture's; see conftest.py.
Collector = Any
#: Spans of a request with one attempt.
SPANS = 2


def attributes(of: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in of.attributes}


def routed(
    collector: Collector, answers: int = 1, observer: OtelObserver | None = None, **otel: Any
) -> ServedRouter:
    script = Script(local=["hi"] * answers)
    return make_router(observer or OtelObserver(), script, otel={"endpoint": collector.url} | otel)


def lost(router: ServedRouter) -> list[int]:
    """How many spans were lost, each time that it was told."""
    told = [event.fields for event in router.events if event.name == "otel-export-failed"]
    return [fields["dropped"] for fields in told if fields["signal"] == "traces"]


# ---- a collector that does not do as it should


def test_a_collector_that_never_answers_holds_up_no_request(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
    collector.open.clear()
    with routed(collector, 5, OtelObserver(last_export_s=0.01)) as router:
        answers = [router.ask().text for _ in range(5)]

    assert answers == ["hi"] * 5


def test_a_collector_that_never_answers_holds_up_no_end(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
    collector.open.clear()
    with routed(collector, observer=OtelObserver(last_export_s=0.01)) as router:
        router.ask()
        assert collector.wait_exports(1)

    assert lost(router) == [SPANS]


def test_what_waits_for_a_slow_collector_is_bounded(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
    collector.open.clear()
    with routed(collector, 10) as router:
        for _ in range(10):
            router.ask()
        collector.open.set()

    sent, waiting = 4, 4
    assert (len(collector.spans), lost(router)) == (sent + waiting, [10 * SPANS - sent - waiting])


def test_while_more_comes_only_whole_batches_are_sent(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    collector.open.clear()
    with routed(collector, 6) as router:
        for _ in range(5):
            router.ask()
        collector.open.set()
        assert collector.wait_exports(2)
        router.ask()

    assert (len(collector.paths), len(collector.spans)) == (3, 6 * SPANS)


def test_what_is_less_than_a_batch_waits_no_longer_than_was_asked(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    with routed(collector) as router:
        router.ask()
        assert collector.wait_exports(1)

    assert collector.paths[0] == "/v1/traces"


def test_an_answer_that_takes_too_long_is_a_failure(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "0.05")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
    collector.open.clear()
    with routed(collector, observer=OtelObserver(last_export_s=0.01)) as router:
        router.ask()
        assert router.wait_event("otel-export-failed", 10)

    assert lost(router) == [SPANS]


@pytest.mark.parametrize("status", [429, 502, 503, 504, pytest.param(0, id="no-answer")])
def test_what_was_refused_for_now_is_sent_again(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    collector.first = [status]
    with routed(collector) as router:
        router.ask()
        assert collector.wait_exports(1)

    assert (collector.paths, len(collector.spans), lost(router)) == (["/v1/traces"] * 2, SPANS, [])


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500, 302])
def test_what_was_refused_for_good_is_not_sent_again(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    collector.status = status
    with routed(collector) as router:
        router.ask()
        assert collector.wait_exports(1)

    assert (collector.paths, lost(router)) == (["/v1/traces"], [SPANS])


def test_a_collector_that_takes_again_is_told(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
    collector.first = [400]
    with routed(collector, 2) as router:
        router.ask()
        assert router.wait_event("otel-export-failed")
        router.ask()
        assert router.wait_event("otel-export-works")

    assert lost(router) == [SPANS]


def test_an_answer_without_an_end_is_not_read_to_it(collector: Collector) -> None:
    collector.endless = True
    with routed(collector) as router:
        router.ask()

    assert (len(collector.spans), lost(router)) == (SPANS, [])


# ---- where it is, and who we are


def test_each_signal_may_have_its_own_endpoint(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.url}/own/traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", f"{collector.url}/own/metrics")
    with make_router(OtelObserver(), Script(local="hi")) as router:
        router.ask()

    assert sorted(collector.paths) == ["/own/metrics", "/own/traces"]


def test_one_signal_alone_may_be_exported(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", f"{collector.url}/v1/metrics")
    with make_router(OtelObserver(), Script(local="hi")) as router:
        router.ask()
        [call] = router.upstreams["local"].calls

    assert (collector.paths, call.headers["traceparent"][-2:]) == (["/v1/metrics"], "00")


def test_another_exporter_than_otlp_is_not_ours(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    with routed(collector) as router:
        router.ask()

    assert collector.paths == ["/v1/metrics"]


def test_headers_of_the_environment_are_decoded(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic%20YTpi,x-tenant=blue=green, nonsense"
    )
    with routed(collector) as router:
        router.ask()

    assert (collector.headers["authorization"], collector.headers["x-tenant"]) == ("Basic YTpi", "blue=green")


def test_headers_of_a_signal_stand_in_for_those_of_all(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-all=1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-own=2")
    with routed(collector) as router:
        router.ask()

    assert (collector.headers.get("x-all"), collector.headers["x-own"]) == (None, "2")


def test_the_files_headers_do_not_go_to_the_environments_collector(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_HEADERS", "x-key=k1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    with routed(collector, headers_env="MY_HEADERS") as router:
        router.ask()

    assert "x-key" not in collector.headers


def test_an_export_may_be_compressed(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    with routed(collector) as router:
        router.ask()

    assert (collector.headers["content-encoding"], len(collector.spans)) == ("gzip", SPANS)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    return self_signed(tmp_path_factory.mktemp("tls"))


def test_a_collector_and_the_router_may_know_each_other_by_certificates(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    collector.secure(certificate, mutual=True)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(certificate))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", str(certificate))
    with routed(collector) as router:
        router.ask()

    assert len(collector.spans) == SPANS


@pytest.mark.parametrize("scheme", ["https", "HTTPS"])
def test_a_collector_that_nobody_vouches_for_gets_nothing(
    collector: Collector, certificate: Path, scheme: str
) -> None:
    collector.secure(certificate)
    with routed(collector, endpoint=collector.url.replace("https", scheme)) as router:
        router.ask()

    assert (collector.spans, lost(router)) == ([], [SPANS])


@pytest.mark.parametrize(
    ("variable", "value", "name"),
    [
        pytest.param("OTEL_SERVICE_NAME", "theirs", "theirs", id="name"),
        pytest.param("OTEL_RESOURCE_ATTRIBUTES", "service.name=theirs", "theirs", id="attribute"),
        pytest.param("OTEL_RESOURCE_ATTRIBUTES", "my.service.name=theirs", "ours", id="another-attribute"),
        pytest.param("OTEL_SERVICE_NAME", " ", "ours", id="blank"),
    ],
)
def test_the_environments_service_name_wins(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, name: str
) -> None:
    monkeypatch.setenv(variable, value)
    with routed(collector, service_name="ours") as router:
        router.ask()

    assert {attributes(resource)["service.name"] for resource in collector.resources} == {name}


def test_resource_attributes_of_the_environment_are_told(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=home,service.instance.id=one")
    with routed(collector) as router:
        router.ask()

    told = [attributes(resource) for resource in collector.resources]
    assert [(each["deployment.environment.name"], each["service.instance.id"]) for each in told] == [
        ("home", "one"),
        ("home", "one"),
    ]


def test_every_router_is_an_instance_of_its_own(collector: Collector) -> None:
    with routed(collector) as one, routed(collector) as other:
        one.ask()
        other.ask()

    told = {attributes(resource)["service.instance.id"] for resource in collector.resources}
    assert len(told) == 2


@pytest.mark.parametrize(
    ("sampler", "argument", "spans"),
    [("always_off", "", 0), ("traceidratio", "0", 0), ("parentbased_traceidratio", "1", SPANS)],
)
def test_the_environment_chooses_the_sampler(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, sampler: str, argument: str, spans: int
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", argument)
    with routed(collector) as router:
        router.ask()

    assert len(collector.spans) == spans


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_an_endpoint_of_the_environment_that_is_none_is_told(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "localhost:4318")
    with pytest.raises(ConfigError, match=variable):
        make_router(OtelObserver(), Script(local="hi"))


def test_a_certificate_that_is_not_there_is_told(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match="OTEL_EXPORTER_OTLP_CERTIFICATE: must name a file"):
        routed(collector)


def test_a_certificate_that_is_none_is_told(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "no.pem"
    path.write_text("nothing")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(path))
    with pytest.raises(ConfigError, match=r"no\.pem: must hold certificates"):
        routed(collector, endpoint="https://127.0.0.1:9")


def test_a_disabled_sdk_looks_at_no_variable(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "TRUE")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "nonsense")
    with routed(collector) as router:
        router.ask()
        [call] = router.upstreams["local"].calls

    assert (collector.paths, "traceparent" in call.headers) == ([], False)
