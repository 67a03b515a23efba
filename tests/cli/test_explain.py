"""`coderouter explain`: the way that a request took, from a running router or from its ledger."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from coderouter_core.cli import cli
from coderouter_core.cli.way import rows
from coderouter_core.ledger import SqliteLedger
from coderouter_core.router import SystemClock
from coderouter_core.testing import FakeClock, ProviderError, Script, Upstream, make_router


def explain(*words: str, home: Path, **environ: str) -> Result:
    env: dict[str, str | None] = {
        "HOME": str(home),
        "CODEROUTER_CONFIG": None,
        "CODEROUTER_LEDGER": None,
        **environ,
    }
    return CliRunner().invoke(cli, ["explain", *words], env=env)


def write(path: Path, *facts: dict[str, Any]) -> None:
    """A ledger with a trace of each, named req_0, req_1 …"""

    async def fill() -> None:
        async with aclosing(SqliteLedger(path, FakeClock(), print)) as ledger:
            await ledger.open()
            for number, each in enumerate(facts):
                ledger.trace(f"req_{number}", each)

    asyncio.run(fill())


def test_a_running_router_is_asked(tmp_path: Path) -> None:
    router = make_router(Script(first=ProviderError("out of order", status=503), second="hello"))
    identity = router.ask().headers["x-request-id"]

    told = explain(identity, "--url", router.url, home=tmp_path).stdout

    lines = re.sub(r"\d+ ms|\d+\.\d+ (ms|s)", "N", told).splitlines()
    assert [line for line in lines if line.startswith(("chain", "attempt"))] == [
        "chain      first → second",
        "attempt 1  first: failed, 503 after N: out of order",
        "attempt 2  second: ok, 200 after N, first content after N",
    ]


def test_last_is_the_newest(tmp_path: Path) -> None:
    write(tmp_path / "ledger.db", {"outcome": "ok"}, {"outcome": "failed"})

    told = explain("last", "--ledger", str(tmp_path / "ledger.db"), "--json", home=tmp_path).stdout

    assert json.loads(told)["request_id"] == "req_1"


def test_the_ledgers_file_is_read_by_id(tmp_path: Path) -> None:
    write(tmp_path / "ledger.db", {"outcome": "ok", "status": 200}, {})

    told = explain("req_0", "--ledger", str(tmp_path / "ledger.db"), home=tmp_path).stdout

    assert told.splitlines()[0] == "request  req_0"


@pytest.mark.parametrize("words", [("--ledger", "ledger.db"), ("--url", "http://127.0.0.1:9")])
def test_what_is_not_known_ends_with_1(words: tuple[str, str], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "ledger.db", {})

    result = explain("req_x", *words, home=tmp_path)

    assert (result.exit_code, result.stdout) == (1, "")


def test_an_id_is_only_ever_an_id(tmp_path: Path) -> None:
    router = make_router(Script(only="hello"))

    result = explain("../healthz", "--url", router.url, home=tmp_path)

    assert (result.exit_code, "404" in result.stderr) == (1, True)


def test_a_router_that_wants_a_key_is_given_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIENTS_KEY", "a-key-of-a-client")
    router = make_router(Script(only="hello"), auth={"keys": ["CLIENTS_KEY"]}, environ={"CLIENTS_KEY": "a"})
    identity = router.ask(headers={"x-api-key": "a-key-of-a-client"}).headers["x-request-id"]

    result = explain(identity, "--url", router.url, "--key-env", "CLIENTS_KEY", home=tmp_path)

    assert (result.exit_code, "CLIENTS_KEY" in result.stdout) == (0, True)


def test_no_line_is_longer_than_80_where_it_is_piped(tmp_path: Path) -> None:
    long = {"provider": "cloud", "plugin": "budget", "reason": "spent " * 60, "event": "skip-budget-exceeded"}
    write(tmp_path / "ledger.db", {"rejections": [long]})

    told = explain("last", "--ledger", str(tmp_path / "ledger.db"), home=tmp_path).stdout

    assert max(map(len, told.splitlines())) <= 80


def test_markup_in_what_an_upstream_said_is_shown_as_it_is(tmp_path: Path) -> None:
    said = {"provider": "a", "plugin": "b", "reason": "[red]no[/red]", "event": "skip-provider"}
    write(tmp_path / "ledger.db", {"rejections": [said]})

    assert "[red]no[/red]" in explain("last", "--ledger", str(tmp_path / "ledger.db"), home=tmp_path).stdout


def test_a_terminal_does_not_act_upon_what_an_upstream_said(tmp_path: Path) -> None:
    said = {"provider": "a", "plugin": "b", "reason": "no\x1b[2J\x9b31m\u202ebell", "event": "skip-provider"}
    write(tmp_path / "ledger.db", {"rejections": [said]})

    told = explain("last", "--ledger", str(tmp_path / "ledger.db"), home=tmp_path).stdout
    assert "no\ufffd[2J\ufffd31m\ufffdbell" in told


@pytest.mark.parametrize("facts", [{}, {"too_long_bytes": 70_000}, {"unreadable": "TypeError"}])
def test_a_trace_of_another_version_is_shown_as_far_as_it_goes(facts: dict[str, Any]) -> None:
    assert next(rows({"request_id": "req_1", "at": 0.0, "facts": facts}))[0] == "request"


def test_a_way_survives_the_death_of_its_router(coderouter: Any, tmp_path: Path) -> None:
    with Upstream("hello") as upstream:
        path = tmp_path / "providers.yaml"
        written = {
            "providers": [{"name": "up", "base_url": f"{upstream.url}/v1", "model": "m"}],
            "profiles": [{"name": "default", "providers": ["up"]}],
            "ledger": {"url": f"sqlite:{tmp_path / 'ledger.db'}"},
        }
        path.write_text(json.dumps(written))
        serving = coderouter.serve("--config", path)
        identity = serving.ask().headers["x-request-id"]
        serving.line("request-finished")
        serving.stop(signal.SIGKILL)

    async def read() -> Any:
        async with aclosing(SqliteLedger(tmp_path / "ledger.db", SystemClock(), print)) as ledger:
            await ledger.open()
            return ledger.traces(identity)

    (trace,) = asyncio.run(read())
    assert trace["facts"]["attempts"][0]["provider"] == "up"
