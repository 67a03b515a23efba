"""`coderouter stats --cost`: what it tells of a ledger that a router wrote."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
import sqlite3
from contextlib import aclosing, closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from coderouter_core.cli import cli
from coderouter_core.ledger import SqliteLedger
from coderouter_core.model import Attempt, Cost, Dialect, Outcome, Profile, Provider, Usage
from coderouter_core.testing import FakeClock

DAY = dt.datetime(2026, 1, 15, 20, tzinfo=dt.UTC)


def stats(*words: str, home: Path, **environ: str | None) -> Result:
    env = {
        "HOME": str(home),
        "CODEROUTER_CONFIG": None,
        "CODEROUTER_LEDGER": None,
        "COLUMNS": "120",
        **environ,
    }
    return CliRunner().invoke(cli, ["stats", *words], env=env)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger with an attempt in the evening, and a dearer one a day later whose tokens were estimated."""
    path = tmp_path / "data" / "ledger.db"
    profile, usage = Profile("main", ()), Usage(12_345, cache_read=2048, output=20, reported=True)

    async def write() -> None:
        async with aclosing(SqliteLedger(path, FakeClock(DAY), print)) as ledger:
            await ledger.open()
            for at, usd in enumerate((0.25, 1.5)):
                provider, began = Provider(("local", "cloud")[at], model="m"), DAY.timestamp() + at * 86_400
                ledger.settle(
                    Attempt(
                        str(at), f"req_{at}", profile, provider, 1, Dialect.CHAT, True, began, outcome=Outcome.OK,
                        usage=usage, cost=Cost(usd, savings_usd=0.125, estimated=bool(at)),
                    )
                )  # fmt: skip

    asyncio.run(write())
    return path


def test_it_says_what_days_cost_in_plain_text_where_nobody_watches(ledger: Path, tmp_path: Path) -> None:
    done = stats("--cost", "--ledger", str(ledger), home=tmp_path)

    assert done.stdout.splitlines() == [
        "day         requests  attempts  input  cached  written  output     cost    saved  unpriced   est.  unsettled",
        "2026-01-15         1         1  12.3k    2048        0      20  $0.2500  $0.1250         -      -          -",
        "2026-01-16         1         1  12.3k    2048        0      20    $1.50  $0.1250         -  100 %          -",
        "total              2         2  24.7k    4096        0      40    $1.75  $0.2500         -   50 %          -",
    ]


def test_a_narrow_terminal_shows_what_there_is(ledger: Path, tmp_path: Path) -> None:
    done = stats("--cost", "--ledger", str(ledger), home=tmp_path, COLUMNS="80", FORCE_COLOR="1")
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in done.stdout.splitlines()]

    assert lines == [
        "day        requests attempts input cached output    cost   saved  est.",
        "2026-01-15        1        1 12.3k   2048     20 $0.2500 $0.1250     -",
        "2026-01-16        1        1 12.3k   2048     20   $1.50 $0.1250 100 %",
        "total             2        2 24.7k   4096     40   $1.75 $0.2500  50 %",
    ]


@pytest.fixture
def cut_short(ledger: Path) -> Path:
    """The same, with an attempt of which nobody knows the end."""
    with closing(sqlite3.connect(ledger)) as db:
        db.execute("UPDATE attempts SET outcome = 'unsettled', cost_usd = NULL WHERE provider = 'local'")
        db.commit()
    return ledger


@pytest.mark.parametrize("terminal", [{}, {"FORCE_COLOR": "1"}], ids=["plain", "terminal"])
def test_attempts_of_unknown_end_are_told_of(
    terminal: dict[str, str], cut_short: Path, tmp_path: Path
) -> None:
    done = stats("--cost", "--by", "provider", "--ledger", str(cut_short), home=tmp_path, **terminal)

    assert "unsettled" in done.stdout.splitlines()[0]
    assert done.stdout.splitlines()[-1].startswith(
        "unsettled: 1 attempts that began, and whose end is not known"
    )


def test_costs_are_summed_up_by_client_key(ledger: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(ledger)) as db:
        db.execute("UPDATE attempts SET client_key = 'ada' WHERE provider = 'cloud'")
        db.commit()

    done = stats("--cost", "--json", "--by", "key", "--ledger", str(ledger), home=tmp_path)

    assert [(each["key"], each["cost_usd"]) for each in json.loads(done.stdout)["groups"]] == [
        ("ada", 1.5),
        ("-", 0.25),
    ]


def test_machines_get_exact_numbers(ledger: Path, tmp_path: Path) -> None:
    done = stats("--cost", "--json", "--by", "provider", "--ledger", f"sqlite:{ledger}", home=tmp_path)
    told = json.loads(done.stdout)

    assert (told["ledger"], told["timezone"], told["by"]) == (str(ledger), "UTC", "provider")
    assert [(each["provider"], each["cost_usd"], each["input_tokens"]) for each in told["groups"]] == [
        ("cloud", 1.5, 12_345),
        ("local", 0.25, 12_345),
    ]
    assert told["total"]["cost_usd"] == 1.75


def test_the_configuration_says_which_ledger_and_which_zone(ledger: Path, tmp_path: Path) -> None:
    config = tmp_path / "own.yaml"
    config.write_text(f"ledger: {{url: 'sqlite:{ledger}'}}\ndisplay_timezone: Asia/Tokyo\nproviders: []\n")

    told = json.loads(stats("--cost", "--json", "--config", str(config), home=tmp_path).stdout)

    assert (told["timezone"], [each["day"] for each in told["groups"]]) == (
        "Asia/Tokyo",
        ["2026-01-16", "2026-01-17"],
    )


def test_the_environment_names_the_ledger_before_the_file(ledger: Path, tmp_path: Path) -> None:
    config = tmp_path / "own.yaml"
    config.write_text("ledger: {url: 'sqlite:/nowhere/l.db'}\n")

    done = stats("--cost", "--config", str(config), home=tmp_path, CODEROUTER_LEDGER=f"sqlite:{ledger}")

    assert "$1.75" in done.stdout


@pytest.mark.parametrize(
    ("since", "days"),
    [
        pytest.param("2026-01-16", ["2026-01-16"], id="day"),
        pytest.param("2026-01-16T21:00", [], id="time"),
        pytest.param("2026-01-16T05:00+09:00", ["2026-01-15", "2026-01-16"], id="offset"),
        pytest.param("24h", [], id="hours"),
        pytest.param("9999w", ["2026-01-15", "2026-01-16"], id="weeks"),
    ],
)
def test_since(since: str, days: list[str], ledger: Path, tmp_path: Path) -> None:
    done = stats("--cost", "--json", "--since", since, "--ledger", str(ledger), home=tmp_path)

    assert [each["day"] for each in json.loads(done.stdout)["groups"]] == days


def test_nothing_recorded_is_said(ledger: Path, tmp_path: Path) -> None:
    done = stats("--cost", "--since", "2026-02-01", "--ledger", str(ledger), home=tmp_path)

    assert done.stdout == "nothing was recorded\n"


@pytest.mark.parametrize(
    ("words", "environ", "says"),
    [
        pytest.param(("--url", "http://127.0.0.1:9/metrics.json"), {}, "coderouter stats: http://127.0.0.1:9/metrics.json cannot be reached", id="nobody-there"),
        pytest.param(("--url", "here"), {}, "coderouter stats: here cannot be reached", id="no-url"),
        pytest.param(("--cost", "--since", "soon"), {}, "--since: must be like 24h, 7d, 4w or 2026-01-31, not 'soon'", id="since"),
        pytest.param(("--cost",), {"CODEROUTER_LEDGER": "memory:"}, "the ledger is kept in memory (memory:)", id="memory"),
        pytest.param(("--cost", "--ledger", "/nowhere/l.db"), {}, "/nowhere/l.db: no ledger is there", id="no-ledger"),
        pytest.param(("--cost", "--config", "/nowhere/x.yaml"), {}, "there is no file '/nowhere/x.yaml'", id="no-config"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_a_mistake(
    words: tuple[str, ...], environ: dict[str, str], says: str, ledger: Path, tmp_path: Path
) -> None:
    if words[1:2] == ("--since",):
        words += ("--ledger", str(ledger))

    done = stats(*words, home=tmp_path, **environ)

    assert (done.exit_code, says in done.output) == (2, True)
