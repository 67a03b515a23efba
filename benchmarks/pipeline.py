"""Where the time of one request goes: the router in this process, under a profiler, with real load.

    python benchmarks/pipeline.py [tiny|60k|stream] [--seconds 3] [--translated] [--top 40]

cProfile adds its own cost to every call, so that small functions look dearer than they are; what
it is good for is what is called how often, and which of two is the larger. A coroutine counts as
called each time it goes on.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import multiprocessing
import os
import pstats
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from rig import answers, bodies, measures, streams
from rig.processes import Cores, NotRun
from rig.sides import HOST, fixed_upstream, router_config, streaming_upstream

from coderouter_core.cli.assemble import from_file
from coderouter_core.events import Level
from coderouter_core.log import LogWriter
from coderouter_core.router import CodeRouter
from coderouter_core.web.serve import listen, run, serve

WARM_UP_S = 1


def load(kind: str, dialect: str, core: int, home: str, port: int, seconds: int) -> float:
    """How many requests (chunks, for streams) were served; runs in a process of its own."""
    os.sched_setaffinity(0, {core})
    path = bodies.PATHS[dialect]
    if kind == "stream":
        asked = streams.Ask(port, path, bodies.tiny(dialect, stream=True), measures.FLAT_CHUNKS)
        rate = streams.run(partial(streams.flat_out, asked, measures.FLAT_STREAMS, seconds))
        return rate * seconds * (1 + streams.WARM_UP)
    body = bodies.tiny(dialect) if kind == "tiny" else bodies.agent(dialect)
    return seconds * answers.per_second(port, path, body, seconds, Path(home))


def show(profile: cProfile.Profile, count: float, top: int) -> None:
    """The functions with the most own time, for each of `count` requests or chunks."""
    stats: Any = pstats.Stats(profile)
    rows = sorted(stats.stats.items(), key=lambda item: item[1][2], reverse=True)
    total = sum(figures[2] for _, figures in rows)
    print(f"{total / count * 1e6:.1f} µs each in all, as the profiler sees it\n")
    print("   own µs    all µs   calls   where")
    for place, (_, calls, own, along, _) in rows[:top]:
        each = f"{own / count * 1e6:9.2f} {along / count * 1e6:9.2f} {calls / count:7.2f}"
        print(f"{each}   {_shown(place)}")


def _shown(place: tuple[str, int, str]) -> str:
    file, line, name = place
    for mark in ("site-packages/", "/src/", "/lib/python"):
        file = file.rpartition(mark)[2]
    return f"{name}  {file}:{line}" if line else name


async def profiled(
    router: CodeRouter, profile: cProfile.Profile, work: Callable[[int, int], float], seconds: int
) -> float:
    """Serve, warm up, and serve again under the profiler. What was served in that time."""
    listening = listen(HOST, 0)
    port = listening.getsockname()[1]
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(router, listening, stop=stop, signals=False))
    loop = asyncio.get_running_loop()
    try:
        # Spawned, not forked: the child must not hold this process's loop and sockets.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            await loop.run_in_executor(pool, work, port, WARM_UP_S)
            profile.enable()
            served = await loop.run_in_executor(pool, work, port, seconds)
            profile.disable()
    finally:
        stop.set()
        await serving
    return served


def main() -> int:
    parser = argparse.ArgumentParser(description="Show where the router's time goes.")
    parser.add_argument("kind", nargs="?", choices=["tiny", "60k", "stream"], default="tiny")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--translated", action="store_true", help="ask in messages, of a provider in chat")
    parser.add_argument("--top", type=int, default=40, help="functions shown")
    asked = parser.parse_args()
    dialect = "messages" if asked.translated else "chat"
    profile = cProfile.Profile()
    try:
        cores = Cores.of_this_machine()
        with tempfile.TemporaryDirectory(prefix="coderouter-bench-") as name:
            count = _run(Path(name), cores, profile, asked.kind, dialect, asked.seconds)
    except NotRun as reason:
        print(f"not run: {reason}", file=sys.stderr)
        return 2
    what = "chunks" if asked.kind == "stream" else "requests"
    print(f"{asked.kind}, {dialect} to chat: {count:,.0f} {what} in {asked.seconds} s")
    show(profile, count, asked.top)
    return 0


def _run(home: Path, cores: Cores, profile: cProfile.Profile, kind: str, dialect: str, seconds: int) -> float:
    flat = measures.FLAT_CHUNKS
    behind = (
        streaming_upstream(home, cores.load, flat, 0)
        if kind == "stream"
        else fixed_upstream(home, cores.load)
    )
    with behind as upstream, (home / "log").open("w") as written:
        os.sched_setaffinity(0, {cores.proxy})
        log = LogWriter(Level.INFO, written)
        try:
            router = from_file(router_config(home, upstream), dict(os.environ)).router([log])
            work = partial(load, kind, dialect, cores.load, str(home))
            return float(_served(router, profile, work, seconds))
        finally:
            log.close()


def _served(
    router: CodeRouter, profile: cProfile.Profile, work: Callable[[int, int], float], seconds: int
) -> float:
    served: list[float] = []

    async def main() -> None:
        served.append(await profiled(router, profile, work, seconds))

    run(main)
    return served[0]


if __name__ == "__main__":
    sys.exit(main())
