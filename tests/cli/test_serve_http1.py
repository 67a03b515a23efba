"""`coderouter serve --http1`: who reads the requests of clients."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from coderouter_core.testing import Upstream

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine, Serving

#: Lines that end in LF alone: hypercorn's own class serves them, ours does not.
SLOPPY = b"GET /livez HTTP/1.1\nHost: localhost\nConnection: close\n\n"


def configured(coderouter: CommandLine, upstream: Upstream) -> Path:
    return coderouter.write(
        "router.yaml",
        f"""\
ledger: {{url: "memory:"}}
providers:
  - {{name: box, base_url: "{upstream.url}/v1", model: m}}
profiles:
  - {{name: default, providers: [box]}}
""",
    )


def reader_of(serving: Serving) -> str:
    where = urlsplit(serving.url)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=10) as client:
        client.sendall(SLOPPY)
        return {b"200": "h11", b"400": "httptools"}[client.recv(65536).split(b" ")[1]]


@pytest.mark.parametrize(
    ("words", "environ", "reader"),
    [
        pytest.param((), {}, "httptools", id="default"),
        pytest.param(("--http1", "h11"), {}, "h11", id="option"),
        pytest.param((), {"CODEROUTER_HTTP1": "h11"}, "h11", id="variable"),
        pytest.param(("--workers", "2", "--http1", "h11"), {}, "h11", id="workers"),
    ],
)
def test_requests_are_read_by_whom_was_asked_for(
    coderouter: CommandLine, words: tuple[str, ...], environ: dict[str, str], reader: str
) -> None:
    with Upstream("hello") as upstream:
        serving = coderouter.serve("--config", configured(coderouter, upstream), *words, **environ)

        assert reader_of(serving) == reader


def test_a_reader_that_nobody_knows_ends_the_start_with_2(coderouter: CommandLine) -> None:
    with Upstream("hello") as upstream:
        file = configured(coderouter, upstream)

        done = coderouter.run("serve", "--config", file, CODEROUTER_HTTP1="nginx")

    assert (done.returncode, done.stderr) == (
        2,
        "CODEROUTER_HTTP1: 'nginx' is neither httptools nor h11; correct it, or leave it out\n",
    )


def test_a_hypercorn_that_is_not_known_reads_for_itself_and_that_is_told(coderouter: CommandLine) -> None:
    coderouter.write("later/hypercorn-99.0.dist-info/METADATA", "Name: hypercorn\nVersion: 99.0\n")
    with Upstream("hello") as upstream:
        serving = coderouter.serve(
            "--config",
            configured(coderouter, upstream),
            "--http1",
            "httptools",
            PYTHONPATH=str(coderouter.home / "later"),
        )

        assert (reader_of(serving), "hypercorn 99.0" in serving.line("http1-fallback")) == ("h11", True)
