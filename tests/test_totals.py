"""An hour of mixed traffic: wherever it is shown, it adds up to the same."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from attrs import field, frozen
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from coderouter_core.api import Attempt, Dialect, Event, Level, Usage, hookimpl
from coderouter_core.cli.stats.facts import read
from coderouter_core.log import LogWriter
from coderouter_core.log.mirror import Mirror
from coderouter_core.testing import (
    CutAfter,
    Depends,
    EmptyStream,
    ErrorAfter,
    FakeClock,
    Hang,
    ProviderError,
    Reply,
    Script,
    ServedRouter,
    StallAfter,
    ToolCall,
    make_router,
)
from coderouter_core.testing.served import PATHS, question

PLUGINS = (
    "adaptive", "backend-health", "budget", "dashboard", "memory-pressure", "metrics", "otel", "output-filters",
    "tool-loop", "tool-repair",
)  # fmt: skip
PATIENCE_S = 20.0
#: Seconds of the clock between two requests.
PAUSE_S = 30.0

CACHED = Usage(input=1009, cache_read=40_000, cache_write_5m=307, output=211, reasoning=50, reported=True)
WORDS = Reply("All good things come to those who wait, and some come sooner.", usage=CACHED)
STEPS: Mapping[str, Any] = {
    "ok": WORDS,
    "plain": Reply("so it is", usage=(17, 23)),
    "uncounted": Reply("nobody counted these words", quirks=["no-usage"]),
    "call": Reply(calls=[ToolCall("look", {"at": "it"})], usage=(31, 7)),
    "down": ProviderError("the boiler burst", status=503),
    "busy": ProviderError("later", status=429),
    "wrong": ProviderError("max_tokens: must be less", status=400),
    "memory": ProviderError("CUDA out of memory", status=500),
    "empty": EmptyStream(),
    "cut": CutAfter(5, reply=WORDS),
    "error": ErrorAfter(5, reply=WORDS),
    "hang": Hang(),
    "stall": StallAfter(5, reply=WORDS),
}
PRICES: Mapping[str, Mapping[str, float]] = {
    "main": {"input_tokens_per_million": 3, "output_tokens_per_million": 15},
    "native": {"input_tokens_per_million": 0.8, "output_tokens_per_million": 4},
    "capped": {"input_tokens_per_million": 900, "output_tokens_per_million": 900, "monthly_budget_usd": 0.05},
}
PROFILES = [
    {"name": "default", "providers": ["main", "native", "free"]},
    {"name": "other", "providers": ["native", "free"]},
    {"name": "last", "providers": ["free"]},
    {"name": "capped", "providers": ["capped"], "adaptive": True, "memory_pressure_action": "skip"},
    {"name": "careful", "providers": ["main"], "tool_loop_action": "break"},
]
#: What is asked (dialect, whether streamed), and what each provider does with it; else it answers.
KINDS = [(dialect, stream) for dialect in Dialect for stream in (True, False)]
STORIES = (
    "", "native=plain main=down", "main=busy native=down", "main=cut", "main=error native=uncounted", "main=uncounted",
    "main=empty", "main=down native=cut", "main=wrong", "main=call", "main=down native=busy free=down", "main=memory",
    "main=down native=busy free=cut",
)  # fmt: skip


# ---- the hour


class Told:
    """A plugin that lets the test wait for events, and for calls of upstreams."""

    def __init__(self) -> None:
        self._came = threading.Condition()
        self._counts: Counter[str] = Counter()

    @hookimpl
    def observe_event(self, event: Event) -> None:
        self.note(event.name)

    def note(self, name: str) -> None:
        with self._came:
            self._counts[name] += 1
            self._came.notify_all()

    def wait(self, name: str, count: int) -> None:
        """Until so many events of this name came."""
        with self._came:
            if not self._came.wait_for(lambda: self._counts[name] >= count, PATIENCE_S):
                raise AssertionError(f"{self._counts[name]} of {count} events {name} came")

    def count(self, name: str) -> int:
        with self._came:
            return self._counts[name]


class Traffic:
    """Asks, and counts what was asked."""

    def __init__(self, router: ServedRouter, clock: FakeClock, told: Told) -> None:
        self.asked = 0
        self._router = router
        self._clock = clock
        self._told = told
        self._place = urlsplit(router.url).netloc

    def post(self, path: str, body: Any, profile: str = "default") -> None:
        """Ask, and read the answer whatever it is."""
        headers = {"x-coderouter-profile": profile, "x-session-id": f"s{self.asked % 7}"}
        self._router.client.post(path, content=_encoded(body), headers=headers)
        self._ended()

    def leave(self, body: Mapping[str, Any], path: str, *, early: bool, calls: int = 1) -> None:
        """Ask, and hang up: after the first words, or `early`, when so many upstreams were called."""
        called = self._told.count("called")
        connection = http.client.HTTPConnection(self._place, timeout=PATIENCE_S)
        connection.request("POST", path, _encoded(body), {"content-type": "application/json"})
        if early:
            self._told.wait("called", called + calls)
        else:
            connection.getresponse().read(1)
        assert connection.sock is not None
        connection.close()
        self._ended()

    def _ended(self) -> None:
        self.asked += 1
        self._told.wait("request-finished", self.asked)
        self._clock.advance(PAUSE_S)


def _encoded(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def spend_an_hour(traffic: Traffic) -> None:
    for story in STORIES:
        for dialect, stream in KINDS:
            traffic.post(PATHS[dialect], question(story or "hello", dialect, stream), "default")
    for profile in ("other", "last"):
        for dialect, stream in KINDS:
            traffic.post(PATHS[dialect], question("hello", dialect, stream), profile)
    for stream in (True, False):
        # The second of each is over the budget.
        traffic.post(PATHS[Dialect.CHAT], question("hello", Dialect.CHAT, stream), "capped")
    for text in ("main=down", "hello", "main=plain native=plain"):
        traffic.post("/v1/embeddings", {"model": "any", "input": [text, "more"]})
        traffic.post("/v1/completions", {"model": "any", "prompt": text})
    for stream in (True, False):
        # Two answers are what the first of this profile cannot be asked for.
        traffic.post(PATHS[Dialect.CHAT], {**question("hello", Dialect.CHAT, stream), "n": 2}, "other")
    traffic.post("/v1/messages/count_tokens", question("hello", Dialect.MESSAGES, False))
    traffic.post(PATHS[Dialect.CHAT], b"{ this is no JSON")
    traffic.post(
        PATHS[Dialect.MESSAGES], question("hello", Dialect.MESSAGES, False), "nobody-knows-this-profile"
    )
    traffic.post(PATHS[Dialect.MESSAGES], looping(), "careful")
    for dialect in (Dialect.MESSAGES, Dialect.CHAT):
        traffic.leave(question("main=hang", dialect, True), PATHS[dialect], early=True)
        traffic.leave(question("main=hang", dialect, False), PATHS[dialect], early=True)
        traffic.leave(question("main=stall", dialect, True), PATHS[dialect], early=False)
        traffic.leave(question("main=down native=hang", dialect, True), PATHS[dialect], early=True, calls=2)


def looping() -> dict[str, Any]:
    """A conversation that asks for the same tool again and again."""
    turns: list[dict[str, Any]] = [{"role": "user", "content": "go on"}]
    for at in range(6):
        called = {"type": "tool_use", "id": f"t{at}", "name": "look", "input": {"at": "it"}}
        turns.append({"role": "assistant", "content": [called]})
        turns.append(
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"t{at}", "content": "no"}]}
        )
    return {**question("", Dialect.MESSAGES, False), "messages": turns}


def does(name: str, told: Told) -> Depends:
    """A step that the request names."""

    def chosen(body: Any) -> Any:
        told.note("called")
        said = re.findall(rf"{name}=(\w+)", json.dumps(body))
        return STEPS[said[-1] if said else "ok"]

    return Depends(chosen)


# ---- where it is shown


@frozen
class Totals:
    """What a place says of the hour; None where it does not say. `tried` are requests with an attempt."""

    requests: int | None = None
    tried: int | None = None
    attempts: int | None = None
    prompt: int | None = None
    output: int | None = None
    cached: int | None = None
    cost_usd: float | None = None
    unpriced: int | None = None
    by_provider: Mapping[str, tuple[int, int]] | None = field(default=None, repr=False)


def told_by_log(path: Path) -> Totals:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    ends = [line for line in lines if line["msg"] == "request-finished"]
    tries = Counter(line["provider"] for line in lines if line["msg"] == "try-provider")
    return Totals(
        requests=len(ends),
        tried=sum(bool(end["attempts"]) for end in ends),
        attempts=sum(end["attempts"] for end in ends),
        prompt=sum(
            end["input_tokens"] + end["cache_read_tokens"] + end["cache_write_tokens"] for end in ends
        ),
        output=sum(end["output_tokens"] for end in ends),
        cached=sum(end["cache_read_tokens"] for end in ends),
        cost_usd=sum(end["cost_usd"] for end in ends),
        by_provider={name: (count, 0) for name, count in tries.items()},
    )


def told_by_document(said: Mapping[str, Any]) -> Totals:
    counters = said["counters"]
    sums = {
        key: sum(value.values())
        for key, value in counters.items()
        if isinstance(value, dict) and _flat(value)
    }
    return Totals(
        requests=counters["requests_total"],
        attempts=sums["provider_attempts"],
        prompt=sums["input_tokens"] + sums["cache_read_tokens"] + sums["cache_creation_tokens"],
        output=sums["output_tokens"],
        cached=counters["cache_read_tokens_total"],
        cost_usd=counters["cost_total_usd_aggregate"],
        unpriced=sums["attempts_unpriced"],
        by_provider={
            each["name"]: (each["attempts"], each["tokens"]["output"]) for each in said["providers"]
        },
    )


def _flat(value: Mapping[str, Any]) -> bool:
    return not any(isinstance(each, Mapping) for each in value.values())


def told_by_prometheus(text: str) -> Totals:
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def of(name: str, **labels: str) -> float:
        wanted = f"coderouter_{name}"
        return sum(
            each.value for each in samples if each.name == wanted and labels.items() <= each.labels.items()
        )

    tried = {each.labels["provider"] for each in samples if each.name == "coderouter_provider_attempts_total"}
    kinds = ("input", "cache_read", "cache_write")
    return Totals(
        requests=int(of("requests_finished_total")),
        attempts=int(of("attempts_finished_total")),
        prompt=int(sum(of("tokens_total", kind=kind) for kind in kinds)),
        output=int(of("tokens_total", kind="output")),
        cached=int(of("cache_read_tokens_total")),
        cost_usd=of("cost_total_usd_total"),
        unpriced=int(of("attempts_unpriced_total")),
        by_provider={
            name: (
                int(of("provider_attempts_total", provider=name)),
                int(of("tokens_total", provider=name, kind="output")),
            )
            for name in tried
        },
    )


def told_by_stats(said: Mapping[str, Any]) -> Totals:
    facts = read(said)
    return Totals(
        requests=facts.requests,
        attempts=facts.attempts,
        prompt=facts.input_tokens,
        output=facts.output_tokens,
        cost_usd=facts.cost_usd,
        by_provider={row.name: (row.attempts, row.output_tokens) for row in facts.rows},
    )


def told_by_page(said: Mapping[str, Any]) -> Totals:
    rows = said["providers"]
    return Totals(
        requests=said["router"]["requests_total"],
        tried=sum(day["requests"] for day in said["costs"]["days"]),
        attempts=sum(row["attempts"] for row in rows),
        prompt=sum(row["input_tokens"] for row in rows),
        output=sum(row["output_tokens"] for row in rows),
        cost_usd=sum(row["cost_usd"] for row in rows),
        unpriced=sum(row["unpriced"] for row in rows),
        by_provider={row["name"]: (row["attempts"], row["output_tokens"]) for row in rows},
    )


def told_by_ledger(said: Mapping[str, Any]) -> Totals:
    total = said["total"]
    writes = total["cache_write_5m_tokens"] + total["cache_write_1h_tokens"]
    return Totals(
        tried=total["requests"],
        attempts=total["attempts"],
        prompt=total["input_tokens"] + total["cache_read_tokens"] + writes,
        output=total["output_tokens"],
        cached=total["cache_read_tokens"],
        cost_usd=total["cost_usd"],
        unpriced=total["unpriced"],
        by_provider={each["provider"]: (each["attempts"], each["output_tokens"]) for each in said["groups"]},
    )


class Collector:
    """Takes OTLP over HTTP, and keeps spans and the newest points of each metric."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        self.points: dict[str, list[Any]] = {}
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                packed = self.headers.get("content-encoding") == "gzip"
                collector.take(self.path, gzip.decompress(body) if packed else body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing on standard error."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def take(self, path: str, body: bytes) -> None:
        if path == "/v1/traces":
            came = ExportTraceServiceRequest.FromString(body).resource_spans
            self.spans += [
                _attributes(span) for each in came for scope in each.scope_spans for span in scope.spans
            ]
            return
        for each in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for metric in (metric for scope in each.scope_metrics for metric in scope.metrics):
                self.points[metric.name] = list(getattr(metric, metric.WhichOneof("data")).data_points)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _attributes(of: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in of.attributes}


def told_by_spans(collector: Collector) -> Totals:
    tries = [span for span in collector.spans if "coderouter.attempt" in span]
    requests = [span for span in collector.spans if "http.route" in span]
    providers = Counter(span["coderouter.provider"] for span in tries)

    def of(name: str, provider: str = "") -> Any:
        return sum(span.get(name, 0) for span in tries if provider in ("", span["coderouter.provider"]))

    return Totals(
        requests=len(requests),
        tried=sum(bool(span["coderouter.attempts"]) for span in requests),
        attempts=len(tries),
        prompt=of("gen_ai.usage.input_tokens"),
        output=of("gen_ai.usage.output_tokens"),
        cached=of("gen_ai.usage.cache_read.input_tokens"),
        cost_usd=of("coderouter.cost_usd"),
        by_provider={
            name: (count, of("gen_ai.usage.output_tokens", name)) for name, count in providers.items()
        },
    )


def told_by_meters(collector: Collector) -> Totals:
    points = collector.points
    usage = [
        (_attributes(point)["gen_ai.token.type"], point) for point in points["gen_ai.client.token.usage"]
    ]
    return Totals(
        requests=sum(point.count for point in points["gen_ai.server.request.duration"]),
        attempts=sum(point.count for point in points["gen_ai.client.operation.duration"]),
        prompt=int(sum(point.sum for kind, point in usage if kind == "input")),
        output=int(sum(point.sum for kind, point in usage if kind == "output")),
        cost_usd=sum(point.as_double for point in points["coderouter.cost"]),
    )


@frozen(eq=False)
class Hour:
    """What was asked, what upstreams and attempts tell of it, and what each place shows."""

    asked: int
    calls: Mapping[str, int]
    attempts: list[Attempt]
    shown: Mapping[str, Totals]


def stats(*words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "coderouter_core", "stats", "--json", *words], capture_output=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def plugin(name: str) -> tuple[str, Any]:
    """The installed plugin of this name; found as the router finds it."""
    [entry] = entry_points(group="coderouter.plugins", name=name)
    return name, entry.load()()


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Hour:
    home = tmp_path_factory.mktemp("hour")
    clock, told, collector = FakeClock(), Told(), Collector()
    mirror, ledger = home / "events.jsonl", home / "ledger.db"
    script = Script(
        main=does("main", told),
        native=Script.messages(does("native", told)),
        free=does("free", told),
        capped=does("capped", told),
    )
    log = LogWriter(Level.INFO, target=Mirror(mirror), name="mirror")
    shown: dict[str, Totals] = {}
    with make_router(
        *(plugin(name) for name in PLUGINS), told, script,
        clock=clock, ledger={"url": f"sqlite:{ledger}"}, profiles=PROFILES, otel={"endpoint": collector.url},
        providers={name: {"cost": dict(cost)} for name, cost in PRICES.items()},
    ) as router:  # fmt: skip
        router.core.events.sinks.append(log)
        traffic = Traffic(router, clock, told)
        spend_an_hour(traffic)
        get: Callable[[str], Any] = router.client.get
        shown["metrics.json"] = told_by_document(get("/metrics.json").json())
        shown["metrics"] = told_by_prometheus(get("/metrics").text)
        shown["stats"] = told_by_stats(stats("--url", f"{router.url}/metrics.json"))
        shown["dashboard"] = told_by_page(get("/dashboard/data").json())
        calls = {name: len(upstream.calls) for name, upstream in router.upstreams.items()}
        attempts = router.attempts
    log.close()
    shown["log"] = told_by_log(mirror)
    shown["ledger"] = told_by_ledger(stats("--cost", "--by", "provider", "--ledger", str(ledger)))
    shown["spans"], shown["meters"] = told_by_spans(collector), told_by_meters(collector)
    collector.close()
    return Hour(traffic.asked, calls, attempts, shown)


# ---- the same


PLACES = ("log", "metrics.json", "metrics", "stats", "dashboard", "ledger", "spans", "meters")
CAN_TELL_TRIED = ("log", "dashboard", "ledger", "spans")
CAN_TELL_CACHED = ("log", "metrics.json", "metrics", "ledger", "spans")
CAN_TELL_UNPRICED = ("metrics.json", "metrics", "dashboard", "ledger")
CAN_TELL_PROVIDERS = ("metrics.json", "metrics", "stats", "dashboard", "ledger", "spans")


def test_every_kind_of_end_is_in_the_hour(hour: Hour) -> None:
    assert {attempt.outcome.value for attempt in hour.attempts} == {"ok", "failed", "broken", "cancelled"}


@pytest.mark.parametrize("place", [place for place in PLACES if place != "ledger"])
def test_requests_are_as_many_as_were_asked(hour: Hour, place: str) -> None:
    assert hour.shown[place].requests == hour.asked


@pytest.mark.parametrize("place", CAN_TELL_TRIED)
def test_requests_that_reached_somebody_are_as_many_as_their_attempts_tell(hour: Hour, place: str) -> None:
    assert hour.shown[place].tried == len({attempt.request_id for attempt in hour.attempts})


@pytest.mark.parametrize("place", PLACES)
def test_attempts_are_as_many_as_upstreams_were_called(hour: Hour, place: str) -> None:
    assert hour.shown[place].attempts == sum(hour.calls.values())


@pytest.mark.parametrize("place", PLACES)
def test_tokens_of_prompts_are_those_of_the_attempts(hour: Hour, place: str) -> None:
    assert hour.shown[place].prompt == sum(attempt.usage.prompt for attempt in hour.attempts)


@pytest.mark.parametrize("place", PLACES)
def test_tokens_of_answers_are_those_of_the_attempts(hour: Hour, place: str) -> None:
    assert hour.shown[place].output == sum(attempt.usage.output for attempt in hour.attempts)


@pytest.mark.parametrize("place", CAN_TELL_CACHED)
def test_tokens_from_caches_are_those_of_the_attempts(hour: Hour, place: str) -> None:
    assert hour.shown[place].cached == sum(attempt.usage.cache_read for attempt in hour.attempts)


@pytest.mark.parametrize("place", PLACES)
def test_cost_is_that_of_the_attempts(hour: Hour, place: str) -> None:
    cost_usd = sum(attempt.cost.usd or 0.0 for attempt in hour.attempts if attempt.cost is not None)

    assert hour.shown[place].cost_usd == pytest.approx(cost_usd, abs=1e-6 * len(hour.calls))


@pytest.mark.parametrize("place", CAN_TELL_UNPRICED)
def test_attempts_of_unknown_price_are_those_whose_cost_nobody_knows(hour: Hour, place: str) -> None:
    unknown = [attempt for attempt in hour.attempts if attempt.cost is not None and attempt.cost.usd is None]

    assert hour.shown[place].unpriced == len(unknown)


@pytest.mark.parametrize("place", CAN_TELL_PROVIDERS)
def test_each_provider_has_the_same_attempts_and_tokens(hour: Hour, place: str) -> None:
    said: Counter[str] = Counter()
    for attempt in hour.attempts:
        said[attempt.provider.name] += attempt.usage.output

    assert hour.shown[place].by_provider == {name: (count, said[name]) for name, count in hour.calls.items()}
