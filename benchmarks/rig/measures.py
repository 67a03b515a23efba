"""What is measured: each measure starts its own upstream and proxies, and gives rows of the table."""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from attrs import frozen

from rig import answers, bodies, stream_upstream, streams
from rig.processes import Cores, NotRun, free_port, running
from rig.sides import Side, ask, fixed_upstream, nginx_side, router_side
from rig.table import Goal, Row

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
    """How long, on which cores, and whether the router is also asked in another dialect."""

    cores: Cores
    seconds: int
    translated: bool
    home: Path


@frozen
class Lane:
    """A way that is measured: a proxy, and the dialect it is asked in."""

    side: Side
    dialect: str = "chat"

    @property
    def path(self) -> str:
        return bodies.PATHS[self.dialect]

    @property
    def name(self) -> str:
        return self.side.name if self.dialect == "chat" else "translated"


def tiny(plan: Plan) -> list[Row]:
    """Requests of one line: at 32 in parallel, and one at a time."""
    return _answered(plan, "tiny", bodies.tiny, TINY)


def agent(plan: Plan) -> list[Row]:
    """Requests of an agent, 60 KB: at 32 in parallel, and one at a time."""
    return _answered(plan, "60 KB", bodies.agent, AGENT)


def _answered(plan: Plan, name: str, body: Callable[[str], bytes], goal: Goal) -> list[Row]:
    round_s = max(1, plan.seconds // ROUNDS)
    with _home(plan) as home, fixed_upstream(home, plan.cores.load) as upstream:
        with _sides(plan, home, upstream, stream=False) as lanes:
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
            return streams.run(lambda: streams.flat_out(asked, FLAT_STREAMS, plan.seconds / ROUNDS))

        rates = _in_turns(lanes, ROUNDS, rate)
    return _rows(lanes, f"stream: chunks flat out, {FLAT_STREAMS} in parallel", "1/s", rates)


def _paced(plan: Plan) -> list[Row]:
    rounds = 2
    seconds = plan.seconds / rounds
    # Enough that no stream ends while it is measured.
    chunks = round((seconds + 2 * streams.CONNECT_LIMIT_S) * 1000 / PACE_MS)
    with _streaming(plan, chunks, PACE_MS, check=False) as lanes:

        def cpu(lane: Lane) -> float:
            asked, process = _asked(lane, chunks), lane.side.process
            return streams.run(lambda: streams.cpu_per_chunk(asked, PACED_STREAMS, seconds, process))

        used = _in_turns(lanes, rounds, cpu)
    return _rows(lanes, "stream: CPU for a paced chunk", "µs", used)


def slow(plan: Plan) -> list[Row]:
    """Many slow streams at once: how many end with every chunk, and the most memory the proxy held."""
    pace_ms = SLOW_S * 1000 / SLOW_CHUNKS
    rows = []
    for dialect in ("chat", "messages") if plan.translated else ("chat",):
        with _streaming(plan, SLOW_CHUNKS, pace_ms, check=False) as every:
            lanes = [lane for lane in every if lane.side.name == "nginx" or lane.dialect == dialect]
            ended, memory = [], []
            for lane in lanes:
                asked = _asked(lane, SLOW_CHUNKS)
                tally = streams.run(lambda asked=asked: streams.slow(asked, SLOW_STREAMS, SLOW_LIMIT_S))
                ended.append([float(tally.whole)])
                memory.append([lane.side.process.memory_mb()])
        if ended[0][0] < SLOW_STREAMS:
            raise NotRun(f"only {ended[0][0]:g} of {SLOW_STREAMS} slow streams ended through nginx itself")
        rows += _rows(lanes, f"slow: of {SLOW_STREAMS} streams, ended whole", "", ended, ALL_END)
        rows += _rows(lanes, "slow: most memory held", "MB", memory)
    return rows


@contextlib.contextmanager
def _home(plan: Plan) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="coderouter-bench-", dir=plan.home) as name:
        yield Path(name)


@contextlib.contextmanager
def _sides(plan: Plan, home: Path, upstream: int, *, stream: bool) -> Iterator[list[Lane]]:
    core = plan.cores.proxy
    with (
        nginx_side(home, core, upstream, stream=stream) as nginx,
        router_side(home, core, upstream, stream=stream) as router,
    ):
        lanes = [Lane(nginx), Lane(router)]
        yield [*lanes, Lane(router, "messages")] if plan.translated else lanes


@contextlib.contextmanager
def _streaming(plan: Plan, chunks: int, pace_ms: float) -> Iterator[list[Lane]]:
    port = free_port()
    words = [sys.executable, stream_upstream.__file__, str(port), str(chunks), str(pace_ms)]
    with _home(plan) as home, running(
        "stream upstream", words, core=plan.cores.load, output=home / "upstream.out", ready=lambda: ask(port)
    ), _sides(plan, home, port, stream=True) as lanes:
        yield lanes


def _asked(lane: Lane, chunks: int) -> streams.Ask:
    return streams.Ask(lane.side.port, lane.path, bodies.tiny(lane.dialect, stream=True), chunks)
