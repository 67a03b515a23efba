"""Several processes on one socket, and one answer about all of them."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from coderouter_core.testing import Upstream

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, Serving

pytest.importorskip("coderouter_observer_metrics")

CONFIG = """\
ledger: {{url: "memory:"}}
providers: [{{name: box, base_url: "{url}/v1", model: m}}]
profiles: [{{name: default, providers: [box]}}]
"""
#: Scrapes after which it must have been seen; a process tells the others once a second.
MOST_SCRAPES = 2000


def scraped(serving: Serving) -> Any:
    return httpx.get(f"{serving.url}/metrics.json", timeout=30).json()


def scraped_until(serving: Serving, requests: int, workers: int, without: int | None = None) -> Any:
    """The first scrape that shows that many, and not the worker `without`: one that was killed is there until its
    parent has noticed. Each is on a connection of its own, so any worker may answer."""
    seen = {}
    for _ in range(MOST_SCRAPES):
        seen = scraped(serving)
        told = seen["workers"]
        shown = (seen["counters"]["requests_total"], told["count"])
        if shown == (requests, workers) and without not in told["pids"]:
            return seen
    raise AssertionError(
        f"not seen, but {json.dumps(seen['workers'])} and {seen['counters']['requests_total']}"
    )


def test_whichever_worker_is_asked_tells_of_all_and_of_those_that_died(coderouter: CommandLine) -> None:
    with Upstream("hello") as upstream:
        file = coderouter.write("router.yaml", CONFIG.format(url=upstream.url))
        serving = coderouter.serve("--config", file, "--workers", "2")
        for _ in range(12):
            serving.ask()
        pids = scraped_until(serving, 12, 2)["workers"]["pids"]

        os.kill(pids[0], signal.SIGKILL)
        after = scraped_until(serving, 12, 2, without=pids[0])

        assert pids[1] in after["workers"]["pids"]
