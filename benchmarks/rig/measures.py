"""What is measured: each measure starts its own upstream and proxies, and gives rows of the table."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from attrs import frozen

from rig import answers, bodies, streams
from rig.processes import Cores, NotRun
from rig.sides import Side, ask, fixed_upstream, nginx_side, router_side, streaming_upstream
from rig.table import Goal, Row

T = TypeVar("T")

ROUNDS = 4
LATENCY_REQUESTS = 500
FLAT_STREAMS, FLAT_CHUNKS = 16, 2000
PACED_STREAMS, PACE_MS = 64, 20.0
SLOW_STREAMS, SLOW_CHUNKS, SLOW_S, SLOW_LIMIT_S = 500, 40, 15.0, 25.0

#: What this version must reach; the ratio is router/nginx.
TINY = Goal(1 / 40, at_least=True, text="at least 1/40")
AGENT = Goal(1 / 25, at_least=True, text="at least 1/25")
ALL_END = Goal(SLOW_STREAMS, at_least=True, text=f"all {SLOW_STREAMS}", absolute=True)


@frozen
class Plan:
    """How long, on which cores, whether the router is also asked in another dialect, and who reads its HTTP/1."""

    cores: Cores
    seconds: int
    translated: bool
    home: Path
    http1: str = "httptools"


@frozen
class Lane:
    """A way that is measured: a proxy, and the dialect it is asked in."""

    side: Side
    dialect: str = "chat"

    @property
    def path(self) -> str:
        return bodies.PATHS[self.dialect]


def tiny(plan: Plan) -> list[Row]:
    """The start, and requests of one line: at 32 in parallel, and one at a time."""
    return [*_start(plan), *_answered(plan, "tiny", bodies.tiny, TINY)]


def _start(plan: Plan) -> list[Row]:
    started, idle = [], []
    lanes: list[Lane] = []
    for _ in range(ROUNDS):
        with (
            _home(plan) as home,
            fixed_upstream(home, plan.cores.load) as upstream,
            _sides(plan, home, upstream, stream=False) as every,
        ):
            lanes = every[:2]
            started.append([lane.side.first_answer_s for lane in lanes])
            idle.append([lane.side.process.memory_mb("VmRSS") for lane in lanes])
    return [
        *_rows(lanes, "start to first answer", "s", list(zip(*started, strict=True))),
        *_rows(lanes, "memory when idle", "MB", list(zip(*idle, strict=True))),
    ]


def agent(plan: Plan) -> list[Row]:
    """Requests of an agent, 60 KB: at 32 in parallel, and one at a time."""
    return _answered(plan, "60 KB", bodies.agent, AGENT)


def _answered(plan: Plan, name: str, body: Callable[[str], bytes], goal: Goal) -> list[Row]:
    round_s = max(1, plan.seconds // ROUNDS)
    with (
        _home(plan) as home,
        fixed_upstream(home, plan.cores.load) as upstream,
        _sides(plan, home, upstream, stream=False) as lanes,
    ):
        for lane in lanes:
            ask(lane.side.port, path=lane.path, body=body(lane.dialect))

        def rate(lane: Lane) -> float:
            return answers.per_second(lane.side.port, lane.path, body(lane.dialect), round_s, home)

        def one_by_one(lane: Lane) -> answers.Latency:
            count = LATENCY_REQUESTS // ROUNDS
            return answers.latency(lane.side.port, lane.path, body(lane.dialect), count)

        _in_turns(lanes, 1, rate)  # connections are made, caches are filled
        rates = _in_turns(lanes, ROUNDS, rate)
        times = _in_turns(lanes, ROUNDS, one_by_one)
    p50 = [[each.p50 for each in found] for found in times]
    p99 = [[each.p99 for each in found] for found in times]
    return [
        *_rows(lanes, f"{name}: requests, 32 in parallel", "1/s", rates, goal),
        *_rows(lanes, f"{name}: one at a time, p50", "ms", p50),
        *_rows(lanes, f"{name}: one at a time, p99", "ms", p99),
    ]


def stream(plan: Plan) -> list[Row]:
    """Streams flat out, and what a paced chunk costs."""
    return [*_flat_out(plan), *_paced(plan)]


def _flat_out(plan: Plan) -> list[Row]:
    with _streaming(plan, FLAT_CHUNKS, 0) as lanes:

        def rate(lane: Lane) -> float:
            asked = _asked(lane, FLAT_CHUNKS)
            return streams.run(partial(streams.flat_out, asked, FLAT_STREAMS, plan.seconds / ROUNDS))

        rates = _in_turns(lanes, ROUNDS, rate)
    return _rows(lanes, f"stream: chunks flat out, {FLAT_STREAMS} in parallel", "1/s", rates)


def _paced(plan: Plan) -> list[Row]:
    rounds = 2
    seconds = plan.seconds / rounds
    # Enough that no stream ends while it is measured.
    chunks = round((seconds + 2 * streams.CONNECT_LIMIT_S) * 1000 / PACE_MS)
    with _streaming(plan, chunks, PACE_MS) as lanes:

        def cpu(lane: Lane) -> float:
            asked, process = _asked(lane, chunks), lane.side.process
            return streams.run(partial(streams.cpu_per_chunk, asked, PACED_STREAMS, seconds, process))

        used = _in_turns(lanes, rounds, cpu)
    return _rows(lanes, "stream: CPU for a paced chunk", "µs", used)


def slow(plan: Plan) -> list[Row]:
    """Many slow streams at once: how many end with every chunk, and the most memory the proxy held."""
    rows = _slow(plan, "chat")
    return [*rows, *_slow(plan, "messages")] if plan.translated else rows


def _slow(plan: Plan, dialect: str) -> list[Row]:
    """For one dialect: the memory of a proxy that has served another before would tell nothing."""
    ended, memory = [], []
    with _streaming(plan, SLOW_CHUNKS, SLOW_S * 1000 / SLOW_CHUNKS) as every:
        lanes = [lane for lane in every if lane.side.name == "nginx" or lane.dialect == dialect]
        for lane in lanes:
            tally = streams.run(partial(streams.slow, _asked(lane, SLOW_CHUNKS), SLOW_STREAMS, SLOW_LIMIT_S))
            ended.append([float(tally.whole)])
            memory.append([lane.side.process.memory_mb()])
    if ended[0][0] < SLOW_STREAMS:
        raise NotRun(f"only {ended[0][0]:g} of {SLOW_STREAMS} slow streams ended through nginx itself")
    return [
        *_rows(lanes, f"slow: of {SLOW_STREAMS} streams, ended whole", "", ended, ALL_END),
        *_rows(lanes, "slow: most memory held", "MB", memory),
    ]


@contextlib.contextmanager
def _home(plan: Plan) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="coderouter-bench-", dir=plan.home) as name:
        yield Path(name)


@contextlib.contextmanager
def _sides(plan: Plan, home: Path, upstream: int, *, stream: bool) -> Iterator[list[Lane]]:
    core = plan.cores.proxy
    with (
        nginx_side(home, core, upstream, stream=stream) as nginx,
        router_side(home, core, upstream, stream=stream, environ={"CODEROUTER_HTTP1": plan.http1}) as router,
    ):
        lanes = [Lane(nginx), Lane(router)]
        yield [*lanes, Lane(router, "messages")] if plan.translated else lanes


@contextlib.contextmanager
def _streaming(plan: Plan, chunks: int, pace_ms: float) -> Iterator[list[Lane]]:
    with (
        _home(plan) as home,
        streaming_upstream(home, plan.cores.load, chunks, pace_ms) as port,
        _sides(plan, home, port, stream=True) as lanes,
    ):
        yield lanes


def _asked(lane: Lane, chunks: int) -> streams.Ask:
    return streams.Ask(lane.side.port, lane.path, bodies.tiny(lane.dialect, stream=True), chunks)


def _in_turns(lanes: Sequence[Lane], rounds: int, measure: Callable[[Lane], T]) -> list[list[T]]:
    """What `measure` gave for each lane; one lane after the other in every round, so that all share the weather."""
    found: list[list[T]] = [[] for _ in lanes]
    for _ in range(rounds):
        for lane, values in zip(lanes, found, strict=True):
            values.append(measure(lane))
    return found


def _rows(
    lanes: Sequence[Lane], name: str, unit: str, found: Sequence[Sequence[float]], goal: Goal | None = None
) -> list[Row]:
    """A row for each lane but nginx's, which every other is compared with."""
    medians = [statistics.median(values) for values in found]
    return [
        Row(
            name if lane.dialect == "chat" else f"{name}, translated",
            unit,
            medians[0],
            median,
            min(values),
            max(values),
            goal if lane.dialect == "chat" or unit == "" else None,
        )
        for lane, median, values in list(zip(lanes, medians, found, strict=True))[1:]
    ]
