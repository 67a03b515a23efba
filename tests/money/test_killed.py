"""What was spent is still known after the router was killed under load."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from coderouter_core.ledger import open_ledger
from coderouter_core.model import Spender, month_of, spending
from coderouter_core.router import SystemClock
from coderouter_core.testing import Reply, Upstream

pytestmark = pytest.mark.skipif("sys.platform == 'win32'", reason="there is no SIGKILL there")

PATIENCE_S = 20.0
#: An answer costs an eighth of a dollar, which adds up without rounding.
EIGHTH = Reply("hello", usage=(62_500, 62_500), head_delay_s=0.01)
PRICES = {"input_tokens_per_million": 1.0, "output_tokens_per_million": 1.0, "monthly_budget_usd": 1000}
CLIENTS = 8


@contextmanager
def serving(folder: Path, upstream: Upstream) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`coderouter serve` in a process of its own, with its ledger in `folder`, and its URL."""
    cloud = {"name": "cloud", "base_url": f"{upstream.url}/v1", "model": "m", "cost": PRICES}
    written = {
        "providers": [cloud],
        "profiles": [{"name": "default", "providers": ["cloud"]}],
        "ledger": {"url": f"sqlite:{folder / 'ledger.db'}"},
    }
    path, log = folder / "providers.yaml", folder / "log"
    path.write_text(json.dumps(written))
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "coderouter_core", "serve", "--config", str(path), "--port", "0"],
            stderr=stderr,
            env={**os.environ, "HOME": str(folder)},
        )
    try:
        yield process, url_of(process, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE_S)


def url_of(process: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        for line in log.read_text().splitlines():
            if "coderouter listens on " in line:
                return line.rpartition(" ")[2]
        time.sleep(0.02)
    raise AssertionError(f"the router did not start: {log.read_text()}")


def ask_until_it_dies(url: str, answered: threading.Semaphore, *, stream: bool) -> int:
    """Ask one request after the other; how many were answered to their end."""
    body = {
        "model": "m",
        "max_tokens": 9,
        "stream": stream,
        "messages": [{"role": "user", "content": "hi"}],
    }
    count = 0
    with httpx.Client(base_url=url, timeout=PATIENCE_S, trust_env=False) as client:
        while True:
            try:
                answer = client.post("/v1/messages", json=body)
            except httpx.TransportError:
                return count
            if answer.status_code != 200 or (stream and b"message_stop" not in answer.content):
                return count
            count += 1
            answered.release()


def kill_under_load(folder: Path, upstream: Upstream) -> int:
    """Have many answers given, then SIGKILL; how many were given."""
    answered = threading.Semaphore(0)
    with serving(folder, upstream) as (process, url), ThreadPoolExecutor(CLIENTS) as pool:
        asking = [pool.submit(ask_until_it_dies, url, answered, stream=bool(at % 2)) for at in range(CLIENTS)]
        for _ in range(60):
            assert answered.acquire(timeout=PATIENCE_S)
        process.send_signal(signal.SIGKILL)
        return sum(one.result(PATIENCE_S) for one in asking)


def reopened(folder: Path) -> tuple[float, Counter[str]]:
    """What the provider spent, and the outcomes of attempts, as a router that starts now finds them."""

    async def read() -> tuple[float, Counter[str]]:
        ledger = open_ledger(f"sqlite:{folder / 'ledger.db'}", SystemClock(), print)
        await ledger.open()
        month = month_of(dt.datetime.now(dt.UTC))
        total = ledger.total(spending(Spender.PROVIDER, "cloud", month))
        outcomes = Counter(row["outcome"] for row in ledger.attempts(limit=1_000_000))
        await ledger.aclose()
        return total, outcomes

    return asyncio.run(read())


def test_kill_9_under_load_loses_no_spending_and_counts_none_twice(tmp_path: Path) -> None:
    with Upstream(EIGHTH) as upstream:
        given = [kill_under_load(tmp_path, upstream) for _ in range(2)]
        billed = len(upstream.calls)
    total, outcomes = reopened(tmp_path)

    assert set(outcomes) <= {"ok", "unsettled"}
    assert sum(given) <= outcomes["ok"] <= billed <= outcomes.total()
    assert outcomes["unsettled"] <= 2 * CLIENTS
    assert total == outcomes["ok"] / 8
    assert reopened(tmp_path) == (total, outcomes)
