"""The router beside nginx on two cores: one alone for the proxy, one for client and upstream.

    python benchmarks/side_by_side.py [--seconds 4] [--only tiny,60k,stream,slow] [--translated] [--http1 h11] [--json FILE] [--check]

Ends with 0 when all that was asked for ran; 2 when something did not; with ``--check`` 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import signal
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path

import orjson
from rig import measures
from rig.processes import Cores, NotRun
from rig.table import Row, plain, render

MEASURES = {
    "tiny": measures.tiny,
    "60k": measures.agent,
    "stream": measures.stream,
    "slow": measures.slow,
}
#: Two for each of the slow streams, at each of client, proxy and upstream, and some to spare.
DESCRIPTORS = 8192

MISSED, NOT_RUN = 1, 2


def main() -> int:
    asked = _arguments().parse_args()
    _end_on_sigterm()
    try:
        cores = Cores.of_this_machine()
    except NotRun as why:
        print(f"nothing was run: {why}", file=sys.stderr)
        return NOT_RUN
    os.sched_setaffinity(0, {cores.load})
    _raise_descriptors()
    conditions = {**_conditions(), "http1": asked.http1}
    for name, value in conditions.items():
        print(f"{name}: {value}")
    with tempfile.TemporaryDirectory(prefix="coderouter-bench-") as home:
        plan = measures.Plan(cores, asked.seconds, asked.translated, Path(home), asked.http1)
        rows, missing = _measured(plan, asked.only)
    if rows:
        print(f"\n{render(rows)}")
    for name, said in missing.items():
        print(f"\nnot run: {name}: {said}")
    if asked.json is not None:
        figures = {"conditions": conditions, "rows": plain(rows), "not_run": missing}
        asked.json.write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2))
    if missing:
        return NOT_RUN
    return MISSED if asked.check and any(row.met is False for row in rows) else 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Measure the router beside nginx, on two cores of this machine."
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=4,
        help="of load for each figure and side, in several rounds (default 4, at least 4)",
    )
    parser.add_argument(
        "--only", type=_names, default=list(MEASURES), help=f"some of {','.join(MEASURES)} (default all)"
    )
    parser.add_argument(
        "--translated", action="store_true", help="also ask the router in messages, of a provider in chat"
    )
    parser.add_argument(
        "--http1",
        choices=["httptools", "h11"],
        default="httptools",
        help="who reads the router's HTTP/1; h11 is stock hypercorn (default httptools)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--check", action="store_true", help="end with 1 when a goal is missed")
    return parser


def _seconds(text: str) -> int:
    value = int(text)
    if not 4 <= value <= 120:
        raise argparse.ArgumentTypeError(f"must be 4 to 120, not {value}")
    return value


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in MEASURES]
    if unknown or not names:
        raise argparse.ArgumentTypeError(
            f"known are {', '.join(MEASURES)}; not {', '.join(unknown) or text!r}"
        )
    return names


def _measured(plan: measures.Plan, names: Sequence[str]) -> tuple[list[Row], dict[str, str]]:
    rows: list[Row] = []
    missing: dict[str, str] = {}
    for name in names:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        try:
            rows += MEASURES[name](plan)
        except (NotRun, OSError) as reason:
            missing[name] = str(reason) or type(reason).__name__
    return rows, missing


def _conditions() -> dict[str, str]:
    """What a reader of the figures must know of the run."""
    plugins = sorted(entry.name for entry in entry_points(group="coderouter.plugins"))
    return {
        "python": platform.python_version(),
        "plugins": ", ".join(plugins) or "none",
        "load before the run": f"{os.getloadavg()[0]:.2f}",
    }


def _raise_descriptors() -> None:
    """Children inherit the limit; every stream takes two descriptors of a proxy."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _end_on_sigterm() -> None:
    """End as Ctrl-C does: through every `finally`, so that no process and no folder is left."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
