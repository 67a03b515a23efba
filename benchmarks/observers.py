"""What all observers cost: the router with them, without them, and while traces are exported.

    python benchmarks/observers.py [--seconds 12] [--json FILE] [--check]

The three are measured in turns on one core. Ends with 2 when something could not be run; with ``--check`` 1 when a
goal is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

import orjson
from attrs import asdict, frozen
from rig import answers, bodies, collector
from rig.processes import Cores, NotRun, free_port, running
from rig.sides import HOST, Side, ask, fixed_upstream, get, router_side

#: Of a second or more each. Short ones, and compared with those beside them: a machine is faster at one time than at another.
ROUNDS = 12
#: What observers may take of the requests a second, and of the processor for each.
MOST_SHARE, MOST_US = 0.10, 100.0
#: Installed by the same names that switch them off.
FOLDER = "coderouter_observer_"

MISSED, NOT_RUN = 1, 2


@frozen
class Figures:
    """Of one router: requests a second, and microseconds of processor time for one, of all its threads."""

    per_second: float
    cpu_us: float


@frozen
class Compared:
    """A router with observers, beside the one without. `lost` is a share of the requests a second; it and `more_us` are
    the middle one of all rounds."""

    name: str
    per_second: float
    without: float
    lost: float
    cpu_us: float
    more_us: float
    goal: bool

    @property
    def met(self) -> bool:
        return self.lost <= MOST_SHARE and self.more_us <= MOST_US


def main() -> int:
    asked = _arguments().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        found = _measured(Cores.of_this_machine(), asked.seconds)
    except NotRun as why:
        print(f"nothing was run: {why}", file=sys.stderr)
        return NOT_RUN
    for each in found:
        print(_line(each))
    if asked.json is not None:
        asked.json.write_bytes(orjson.dumps([asdict(each) for each in found], option=orjson.OPT_INDENT_2))
    return MISSED if asked.check and not all(each.met for each in found if each.goal) else 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure what observers cost, on two cores of this machine.")
    parser.add_argument(
        "--seconds", type=int, default=12, help="of load for each of the three (default 12, and never less)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--check", action="store_true", help="end with 1 when a goal is missed")
    return parser


def _observers() -> list[str]:
    return sorted(
        entry.name for entry in entry_points(group="coderouter.plugins") if entry.value.startswith(FOLDER)
    )


def _measured(cores: Cores, seconds: int) -> list[Compared]:
    os.sched_setaffinity(0, {cores.load})
    with (
        tempfile.TemporaryDirectory(prefix="coderouter-bench-") as folder,
        _routers(cores, Path(folder)) as sides,
    ):
        for side in sides:
            _loaded(side, 1, Path(folder))  # connections are made, caches are filled
        rounds: list[list[Figures]] = [[] for _ in sides]
        for at in range(ROUNDS):
            # Every other round goes the other way, so that nobody always comes after the same one.
            turns = list(zip(sides, rounds, strict=True))
            for side, found in turns if at % 2 else reversed(turns):
                found.append(_loaded(side, max(1, seconds // ROUNDS), Path(folder)))
    without, *others = rounds
    return [_compared(side.name, found, without) for side, found in zip(sides[1:], others, strict=True)]


@contextlib.contextmanager
def _routers(cores: Cores, home: Path) -> Iterator[Sequence[Side]]:
    """Without observers; with all of them; and with all of them while they export."""
    with fixed_upstream(home, cores.load) as upstream, _collector(home, cores.load) as port:
        start = partial(router_side, home, cores.proxy, upstream, stream=False)
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{HOST}:{port}"}
        with (
            start(name="none", environ={"CODEROUTER_DISABLE": ",".join(_observers())}) as without,
            start(name="observers") as observed,
            start(name="observers, exporting", environ=endpoint) as exporting,
        ):
            for side in (without, observed, exporting):
                ask(side.port)
            yield without, observed, exporting


@contextlib.contextmanager
def _collector(home: Path, core: int) -> Iterator[int]:
    port = free_port()
    words = [sys.executable, collector.__file__, str(port)]
    with running("collector", words, core=core, output=home / "collector.out", ready=partial(get, port, "/")):
        yield port


def _loaded(side: Side, seconds: int, home: Path) -> Figures:
    before = side.process.cpu_s()
    rate = answers.per_second(side.port, bodies.PATHS["chat"], bodies.tiny("chat"), seconds, home)
    used_s = side.process.cpu_s() - before
    return Figures(rate, 1e6 * used_s / (rate * seconds))


def _compared(name: str, found: Sequence[Figures], without: Sequence[Figures]) -> Compared:
    pairs = list(zip(found, without, strict=True))
    return Compared(
        name,
        statistics.median(each.per_second for each in found),
        statistics.median(each.per_second for each in without),
        statistics.median(1 - each.per_second / other.per_second for each, other in pairs),
        statistics.median(each.cpu_us for each in found),
        statistics.median(each.cpu_us - other.cpu_us for each, other in pairs),
        goal=name == "observers",
    )


def _line(each: Compared) -> str:
    told = (
        f"{each.name}: {each.per_second:,.0f} requests a second, {each.without:,.0f} without: "
        f"ratio {1 - each.lost:.2f}; {each.cpu_us:.0f} µs of processor a request, {each.more_us:+.0f}"
    )
    goal = f"goal at most {100 * MOST_SHARE:.0f} % and {MOST_US:.0f} µs: {'met' if each.met else 'MISSED'}"
    return f"{told} ({goal})" if each.goal else told


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
