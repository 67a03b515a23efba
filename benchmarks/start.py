"""What a start takes, and what a router holds that waits: ``python benchmarks/start.py [--rounds N] [--libraries N]``.

For the router with every installed plugin, and with its adapter alone: seconds from the start of the process to its
first answer, CPU until then, and memory when idle, all beside an interpreter that does nothing. Then what the first
count of tokens takes and leaves behind, and what the imports cost, by distribution. Bytecode is compiled before.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from importlib.metadata import entry_points, packages_distributions
from pathlib import Path

import httpx
import orjson
from attrs import frozen
from rig import imports, sides
from rig.processes import Cores, NotRun, command, free_port, running

NOT_RUN = 2
#: Seconds for which a router that has answered is left alone before its memory is read.
SETTLE_S = 0.5
NOTHING = """
import time
used = time.process_time()
print(used, *(line.split()[1] for line in open("/proc/self/status") if line.startswith(("VmRSS", "RssAnon"))))
"""
COUNTED = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "hello, my friend. " * 200}]})


@frozen
class Start:
    """One start. Of the memory, `private_mb` is what no other worker shares."""

    seconds: float
    cpu_s: float
    memory_mb: float
    private_mb: float


@frozen
class Bench:
    """`cached` are variables by which bytecode is written to a folder of the benchmark's own, and found there."""

    cores: Cores
    home: Path
    upstream: int
    cached: Mapping[str, str]

    def nothing(self) -> Start:
        words = [command("taskset"), "--cpu-list", str(self.cores.proxy), sys.executable, "-c", NOTHING]
        began = time.perf_counter()
        told = subprocess.run(words, capture_output=True, check=True, timeout=20).stdout.split()
        took = time.perf_counter() - began
        return Start(took, float(told[0]), int(told[1]) / 1024, int(told[2]) / 1024)

    def start(self, environ: Mapping[str, str]) -> Start:
        with self.router(environ) as side:
            used = side.process.cpu_s()
            time.sleep(SETTLE_S)
            memory = (side.process.memory_mb(line) for line in ("VmRSS", "RssAnon"))
            return Start(side.first_answer_s, used, *memory)

    def router(self, environ: Mapping[str, str]) -> AbstractContextManager[sides.Side]:
        name, core = f"router-{free_port()}", self.cores.proxy
        environ = {**self.cached, **environ}
        return sides.router_side(self.home, core, self.upstream, stream=False, name=name, environ=environ)

    def counts(self) -> tuple[list[float], float, float]:
        """Milliseconds of the first count and of the second; MB before them and after."""
        with self.router({}) as side:
            before, took = side.process.memory_mb("VmRSS"), []
            for _ in range(2):
                began = time.perf_counter()
                url = f"http://{sides.HOST}:{side.port}/v1/messages/count_tokens"
                httpx.post(url, content=COUNTED, timeout=20, trust_env=False).raise_for_status()
                took.append(1e3 * (time.perf_counter() - began))
            return took, before, side.process.memory_mb("VmRSS")

    def imported(self) -> Mapping[str, tuple[float, int]]:
        """Seconds and KiB of every module that a router has imported when it has answered."""
        home = self.home / "imports"
        home.mkdir()
        told, port = home / "costs.json", free_port()
        words = [sys.executable, imports.__file__, str(told), "serve"]
        words += ["--config", str(sides.router_config(home, self.upstream)), "--port", str(port)]
        environ = {**sides.environ_in(home), **self.cached}
        ready, output = partial(sides.ask, port), home / "log"
        core = self.cores.proxy
        with running("imports", words, core=core, output=output, ready=ready, environ=environ):
            pass
        costs: Mapping[str, tuple[float, int]] = orjson.loads(told.read_bytes())
        return costs


def main() -> int:
    asked = _arguments().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        cores = Cores.of_this_machine()
        os.sched_setaffinity(0, {cores.load})
        with tempfile.TemporaryDirectory(prefix="coderouter-bench-") as folder:
            home = Path(folder)
            cached = {"PYTHONPYCACHEPREFIX": str(home / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}
            with sides.fixed_upstream(home, cores.load) as upstream:
                _tell(Bench(cores, home, upstream, cached), asked.rounds, asked.libraries)
    except NotRun as why:
        print(f"nothing was run: {why}", file=sys.stderr)
        return NOT_RUN
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Measure starts and idle memory, on two cores of this machine."
    )
    parser.add_argument("--rounds", type=int, default=5, help="starts of each (default 5)")
    parser.add_argument("--libraries", type=int, default=12, help="distributions to show (default 12)")
    return parser


def _tell(bench: Bench, rounds: int, libraries: int) -> None:
    others = [each.name for each in entry_points(group="coderouter.plugins") if each.name != "openai-compat"]
    makers: dict[str, Callable[[], Start]] = {
        "python": bench.nothing,
        "adapter alone": partial(bench.start, {"CODEROUTER_DISABLE": ",".join(others)}),
        "every plugin": partial(bench.start, {}),
    }
    bench.start({})  # compiles
    found: dict[str, list[Start]] = {name: [] for name in makers}
    for _ in range(rounds):
        for name, make in makers.items():
            found[name].append(make())
    middles = {name: _middle(starts) for name, starts in found.items()}
    print(f"{'':<16}{'first answer s':>26}{'CPU s':>8}{'idle MB':>9}{'private MB':>12}{'MB / python':>13}")
    for name, starts in found.items():
        middle, times = middles[name], [each.seconds for each in starts]
        spread = f"{middle.seconds:.2f} ({min(times):.2f} to {max(times):.2f})"
        ratio = middle.memory_mb / middles["python"].memory_mb
        figures = f"{middle.cpu_s:>8.2f}{middle.memory_mb:>9.1f}{middle.private_mb:>12.1f}{ratio:>13.1f}"
        print(f"{name:<16}{spread:>26}{figures}")
    (first, second), before, after = bench.counts()
    print(f"\nfirst count of tokens {first:.0f} ms, second {second:.1f} ms; {after - before:+.1f} MB stay")
    _tell_imports(bench.imported(), libraries)


def _middle(starts: Sequence[Start]) -> Start:
    fields = ("seconds", "cpu_s", "memory_mb", "private_mb")
    return Start(*(statistics.median(getattr(each, name) for each in starts) for name in fields))


def _tell_imports(costs: Mapping[str, tuple[float, int]], libraries: int) -> None:
    owners = packages_distributions()
    by_owner: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    for name, cost in costs.items():
        top = name.partition(".")[0]
        by_owner[owners.get(top, ["python" if top in sys.stdlib_module_names else top])[0]].append(cost)
    whole = sum(seconds for seconds, _ in costs.values())
    dearest = sorted(by_owner.items(), key=lambda item: sum(cost[0] for cost in item[1]), reverse=True)[
        :libraries
    ]
    print(f"\n{'imports':<36}{'modules':>9}{'CPU ms':>9}{'share':>8}{'MB':>8}")
    for owner, modules in [*dearest, ("all", list(costs.values()))]:
        seconds, memory = (sum(figures) for figures in zip(*modules, strict=True))
        figures = f"{1e3 * seconds:>9.1f}{seconds / whole:>8.0%}{memory / 1024:>8.1f}"
        print(f"{owner:<36}{len(modules):>9}{figures}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
