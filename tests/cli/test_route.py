"""`coderouter route`: which way a request would take."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from coderouter_core.cli import cli
from coderouter_core.ledger import SqliteLedger
from coderouter_core.router import SystemClock

pytest.importorskip("coderouter_adapter_openai_compat")

BODY = {"model": "any", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
#: Nobody listens there; a call would be an error.
NOBODY = "http://127.0.0.1:9/v1"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a configuration of three providers, one of them paid, and a request."""
    names = ("local", "cloud", "keyed")
    providers: list[dict[str, Any]] = [
        {"name": name, "base_url": NOBODY, "model": f"{name}-m"} for name in names
    ]
    providers[1]["paid"] = True
    providers[2]["api_key_env"] = "A_KEY_THAT_NOBODY_SET"
    written = {
        "providers": providers,
        "profiles": [{"name": "default", "providers": names}, {"name": "paid", "providers": ["cloud"]}],
        "mode_aliases": {"dear": "paid"},
        "ledger": {"url": f"sqlite:{tmp_path / 'ledger.db'}"},
    }
    (tmp_path / "providers.yaml").write_text(json.dumps(written))
    (tmp_path / "body.json").write_text(json.dumps(BODY))
    return tmp_path


def route(home: Path, *words: str, stdin: str | None = None, **environ: str) -> Result:
    given = () if "--body" in words else ("--body", str(home / "body.json"))
    told = ["route", "--config", str(home / "providers.yaml"), *given, *words]
    env: dict[str, str | None] = {"HOME": str(home), "ALLOW_PAID": None, "CODEROUTER_LEDGER": None, **environ}
    return CliRunner().invoke(cli, told, input=stdin, env=env)


def planned(result: Result) -> list[str]:
    return [each["provider"] for each in json.loads(result.stdout).get("planned", ())]


@pytest.mark.parametrize("dialect", ["messages", "chat"])
def test_who_would_be_tried_is_told_and_why_others_would_not(home: Path, dialect: str) -> None:
    told = route(home, "--dialect", dialect).stdout

    assert [line for line in told.splitlines() if line.startswith(("left out", "first", "then"))] == [
        "left out  cloud by core: it is paid and allow_paid is off (skip-paid-provider)",
        "left out  keyed by core: its key variable A_KEY_THAT_NOBODY_SET is not set",
        "first     local: as model 'local-m'",
    ]


def test_the_environment_counts(home: Path) -> None:
    assert planned(route(home, "--json", ALLOW_PAID="1")) == ["local", "cloud"]


@pytest.mark.parametrize(
    ("header", "chosen_by"),
    [("X-CodeRouter-Profile: paid", "header"), ("X-CodeRouter-Mode: dear", "mode")],
)
def test_headers_choose_the_profile(home: Path, header: str, chosen_by: str) -> None:
    facts = json.loads(route(home, "--json", "--header", header).stdout)

    assert (facts["profile"], facts["chosen_by"]) == ("paid", chosen_by)


def test_a_body_is_read_from_standard_input(home: Path) -> None:
    assert planned(route(home, "--json", "--body", "-", stdin=json.dumps(BODY))) == ["local"]


def test_a_provider_that_this_request_cannot_be_written_for_is_left_out(home: Path) -> None:
    pytest.importorskip("coderouter_adapter_anthropic")
    written = json.loads((home / "providers.yaml").read_text())
    written["providers"][0]["kind"] = "anthropic"
    (home / "providers.yaml").write_text(json.dumps(written))

    told = route(home, "--dialect", "chat", "--body", "-", stdin=json.dumps({**BODY, "n": 2})).stdout

    assert "left out  local by core: n: must be 1 for a provider that speaks Messages, not 2" in told


def test_it_ends_with_1_where_nobody_would_be_tried(home: Path) -> None:
    result = route(home, "--header", "X-CodeRouter-Profile: paid")

    assert (result.exit_code, "402 billing_error" in result.stdout) == (1, True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(("--body", "nowhere.json"), "--body: 'nowhere.json': No such file", id="no-file"),
        pytest.param(("--header", "what"), "--header: 'what': must be like", id="no-header"),
    ],
)
def test_what_cannot_be_used_is_told(home: Path, words: tuple[str, ...], told: str) -> None:
    result = route(home, *words)

    assert (result.exit_code, result.stderr[: len(told)]) == (2, told)


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_body_that_serve_would_refuse_is_refused(home: Path, text: str) -> None:
    result = route(home, "--body", "-", stdin=text)

    assert (result.exit_code, result.stderr[:8]) == (2, "--body: ")


def test_nothing_is_made_where_no_ledger_is(home: Path) -> None:
    before = sorted(home.rglob("*"))

    route(home)

    assert sorted(home.rglob("*")) == before


def snapshot_of(path: Path, counters: Iterable[str], marks: Iterable[str]) -> list[float]:
    from coderouter_core.ledger.snapshot import snapshot

    copy = asyncio.run(snapshot(path, SystemClock()))
    copy.add("spent", 1.0)
    return [*(copy.total(counter) for counter in counters), *(round(copy.marked(key)) for key in marks)]


def test_budgets_and_cooldowns_are_those_of_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"

    async def write() -> None:
        async with aclosing(SqliteLedger(path, SystemClock(), print)) as ledger:
            await ledger.open()
            ledger.add("spent", 4.0)
            ledger.mark("resting", 500)

    asyncio.run(write())

    assert snapshot_of(path, ["spent"], ["resting", "fit"]) == [5.0, 500, 0]


def test_the_ledger_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"

    async def write() -> None:
        async with aclosing(SqliteLedger(path, SystemClock(), print)) as ledger:
            await ledger.open()
            ledger.add("spent", 4.0)

    asyncio.run(write())

    snapshot_of(path, ["spent"], [])

    with sqlite3.connect(path) as db:
        assert db.execute("SELECT value FROM counters").fetchall() == [(4.0,)]
