"""The real router as a process, killed and told to stop in the middle of a stream."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from coderouter_core.ledger import open_ledger
from coderouter_core.router import SystemClock
from coderouter_core.testing import Reply, Upstream

TALKING = Reply("x" * 4000, chunk=4, delay_s=0.02)
BODY = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "stream": True}
PATIENCE_S = 20.0


@contextmanager
def running(
    folder: Path, upstream: Upstream, **config: object
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`coderouter serve` in a process of its own, with its ledger in `folder`, and its URL."""
    written = {
        "providers": [{"name": "up", "base_url": f"{upstream.url}/v1", "model": "m"}],
        "profiles": [{"name": "default", "providers": ["up"]}],
        "ledger": {"url": f"sqlite:{folder / 'ledger.db'}"},
        **config,
    }
    path = folder / "providers.yaml"
    path.write_text(json.dumps(written))
    log = folder / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "coderouter_core", "serve", "--config", str(path), "--port", "0"],
            stderr=stderr,
            env={**os.environ, "HOME": str(folder)},
        )
    try:
        yield process, _url(process, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE_S)


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        for line in log.read_text().splitlines():
            if "coderouter listens on " in line:
                return line.rpartition(" ")[2]
        time.sleep(0.02)
    raise AssertionError(f"the router did not start: {log.read_text()}")


def recorded(folder: Path) -> list[tuple[str, str]]:
    """Provider and outcome of every attempt, as a router that opens the ledger next would see them."""
    import asyncio

    async def read() -> list[tuple[str, str]]:
        ledger = open_ledger(f"sqlite:{folder / 'ledger.db'}", SystemClock(), print)
        await ledger.open()
        rows = ledger.attempts()
        await ledger.aclose()
        return [(row["provider"], row["outcome"]) for row in rows]

    return asyncio.run(read())


def test_kill_9_during_streams_loses_no_attempt(tmp_path: Path) -> None:
    with Upstream(TALKING) as upstream, running(tmp_path, upstream) as (process, url):
        with ExitStack() as clients:
            client = clients.enter_context(httpx.Client())
            streams = [
                clients.enter_context(client.stream("POST", f"{url}/v1/messages", json=BODY)).iter_bytes()
                for _ in range(5)
            ]
            for stream in streams:
                next(stream)
            process.send_signal(signal.SIGKILL)
            process.wait(PATIENCE_S)

    assert recorded(tmp_path) == [("up", "unsettled")] * 5


def test_kill_9_right_after_an_answer_loses_no_attempt(tmp_path: Path) -> None:
    with Upstream("hello") as upstream, running(tmp_path, upstream) as (process, url):
        for _ in range(7):
            httpx.post(f"{url}/v1/messages", json={**BODY, "stream": False})

        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)

    assert recorded(tmp_path) == [("up", "ok")] * 7


def test_sigterm_lets_an_answer_finish(tmp_path: Path) -> None:
    reply = Reply("x" * 200, chunk=4, delay_s=0.02)
    with Upstream(reply) as upstream, running(tmp_path, upstream) as (process, url):
        with httpx.stream("POST", f"{url}/v1/messages", json=BODY, timeout=PATIENCE_S) as stream:
            pieces = stream.iter_bytes()
            first = next(pieces)
            process.send_signal(signal.SIGTERM)
            whole = first + b"".join(pieces)

        assert (b"message_stop" in whole, process.wait(PATIENCE_S)) == (True, 0)


def test_an_answer_that_outlives_the_drain_ends_with_an_error_event(tmp_path: Path) -> None:
    with Upstream(TALKING) as upstream, running(tmp_path, upstream, drain_timeout_s=0.5) as (process, url):
        with httpx.stream("POST", f"{url}/v1/messages", json=BODY, timeout=PATIENCE_S) as stream:
            pieces = stream.iter_bytes()
            first = next(pieces)
            process.send_signal(signal.SIGTERM)
            whole = first + b"".join(pieces)

        assert (whole.count(b"event: error"), b"message_stop" in whole, process.wait(PATIENCE_S)) == (
            1,
            False,
            0,
        )


def test_a_draining_router_takes_no_new_requests(tmp_path: Path) -> None:
    with Upstream(TALKING) as upstream, running(tmp_path, upstream) as (process, url):
        with httpx.stream("POST", f"{url}/v1/messages", json=BODY, timeout=PATIENCE_S) as stream:
            pieces = stream.iter_bytes()
            next(pieces)
            process.send_signal(signal.SIGTERM)

            assert refuses(url)
            assert (next(pieces) != b"", process.poll()) == (True, None)


def refuses(url: str) -> bool:
    """Whether a router that was told to stop comes to refuse new connections."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            httpx.get(f"{url}/livez")
        except httpx.TransportError:
            return True
        time.sleep(0.02)
    return False
