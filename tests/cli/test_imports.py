"""What ``coderouter serve`` does not import until somebody needs it: it would be most of the start, and of the memory."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

CONFIG = """
providers: [{name: local, base_url: "http://127.0.0.1:9/v1", model: m}]
profiles: [{name: default, providers: [local]}]
ledger: {url: "memory:"}
"""
#: As `serve` does, up to where it would listen.
START = """
import sys
from pathlib import Path
import coderouter_core.cli.serve
from coderouter_core.cli.assemble import from_file
from coderouter_core.log import open_sinks
from coderouter_core.events import Level
import coderouter_core.web.serve
sinks = open_sinks(Level.INFO, {}, [])
from_file(Path(sys.argv[1]), {}).router(sinks)
print(*sys.modules)
"""


@functools.cache
def imported() -> frozenset[str]:
    """The modules of a router with every plugin, made and not asked anything."""
    with tempfile.TemporaryDirectory() as home:
        config = Path(home) / "providers.yaml"
        config.write_text(CONFIG)
        words = [sys.executable, "-c", START, str(config)]
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("CODEROUTER_", "OTEL_"))
        }
        ended = subprocess.run(
            words, env={**kept, "HOME": home}, capture_output=True, text=True, check=True, timeout=60
        )
    return frozenset(ended.stdout.split())


@pytest.mark.parametrize(
    "library",
    [
        pytest.param("rich", id="tables-and-colours"),
        pytest.param("pygments", id="httpx-as-a-command"),
        pytest.param("structlog", id="the-log-of-a-terminal"),
        pytest.param("toktok", id="a-vocabulary"),
        pytest.param("regex", id="rules-with-patterns"),
        pytest.param("prometheus_client", id="a-scrape"),
        pytest.param("opentelemetry.sdk", id="an-export"),
        pytest.param("coderouter_core.testing", id="tests"),
    ],
)
def test_serving_imports_no_library_that_it_may_never_need(library: str) -> None:
    assert [name for name in imported() if name == library or name.startswith(f"{library}.")] == []


def test_serving_imports_httpx_all_the_same() -> None:
    assert "httpx" in imported()
