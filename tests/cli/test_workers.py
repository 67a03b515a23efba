"""Several processes on one socket."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING

from coderouter_core.cli.workers import MOST_DEATHS, Workers
from coderouter_core.testing import Upstream

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine, Serving

CONFIG = """\
ledger: {{url: "memory:"}}
providers: [{{name: box, base_url: "{url}/v1", model: m}}]
profiles: [{{name: default, providers: [box]}}]
"""
#: A worker that notes its birth, and lives until it is told to stop.
LIVES = "import pathlib, sys, os, time; pathlib.Path(sys.argv[1], str(os.getpid())).touch(); time.sleep(30)"


def start(coderouter: CommandLine, upstream: Upstream) -> Serving:
    file = coderouter.write("router.yaml", CONFIG.format(url=upstream.url))
    return coderouter.serve("--config", file, "--workers", "2")


def refuses(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


def test_workers_answer_and_end_with_their_parent(coderouter: CommandLine) -> None:
    with Upstream("hello") as upstream:
        serving = start(coderouter, upstream)

        answers = [serving.ask().json()["content"][0]["text"] for _ in range(4)]

        assert (answers, serving.stop()) == (["hello"] * 4, 0)


def test_workers_do_not_outlive_a_parent_that_was_killed(coderouter: CommandLine) -> None:
    with Upstream("hello") as upstream:
        serving = start(coderouter, upstream)
        serving.ask()
        port = int(serving.url.rpartition(":")[2])

        serving.stop(signal.SIGKILL)

        # They held the listening socket: when it refuses, none is left.
        until = time.monotonic() + 20
        while not refuses(port) and time.monotonic() < until:
            time.sleep(0.02)
        assert refuses(port)


def test_workers_serve_what_was_found_without_a_configuration(coderouter: CommandLine) -> None:
    serving = coderouter.serve(
        "--workers",
        "2",
        ANTHROPIC_API_KEY="not-a-real-key",
        ALLOW_PAID="1",
        CODEROUTER_DISABLE="openai-compat",
    )

    assert '"providers":["anthropic"]' in serving.line("coderouter-startup")


def pids(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.iterdir()]


async def born(folder: Path, count: int) -> None:
    async with asyncio.timeout(20):
        while len(pids(folder)) < count:  # noqa: ASYNC110  (the folder belongs to other processes)
            await asyncio.sleep(0.01)


def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    said: list[str] = []
    workers = Workers([sys.executable, "-c", LIVES, str(tmp_path)], 2, [], os.environ, said.append)

    async def run() -> bool:
        running = asyncio.create_task(workers.run())
        await born(tmp_path, 2)
        os.kill(pids(tmp_path)[0], signal.SIGKILL)
        await born(tmp_path, 3)
        os.kill(os.getpid(), signal.SIGTERM)
        return await running

    assert (asyncio.run(run()), [line.partition(") ")[2] for line in said]) == (
        True,
        [f"was ended: {signal.strsignal(signal.SIGKILL)}; starting another"],
    )


def test_a_worker_that_dies_again_and_again_ends_them_all(tmp_path: Path) -> None:
    said: list[str] = []
    command = [sys.executable, "-S", "-c", "raise SystemExit(3)"]
    workers = Workers(command, 1, [], os.environ, said.append, pause_s=0)

    fine = asyncio.run(workers.run())

    assert (fine, len(said), said[-1].partition(":")[2]) == (
        False,
        MOST_DEATHS + 1,
        f" died {MOST_DEATHS + 1} times within 60 s; giving up",
    )
