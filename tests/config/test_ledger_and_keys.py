"""What stands under ``ledger:`` and on an entry of ``auth.keys``, and where later problems are placed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import field, frozen, validators

from coderouter_core.config import parse, placed
from coderouter_core.errors import ConfigError, Problem
from coderouter_core.model import AuthKey, Config, Option, Scope


@frozen
class Wire: ...


@frozen
class Allowance:
    allowance: float | None = field(default=None, validator=validators.optional(validators.ge(0)))


OPTIONS = [
    ("openai-compat", Option(Scope.PROVIDER, Wire, kind="openai-compat")),
    ("allowance", Option(Scope.KEY, Allowance)),
]
BASE = {"providers": [{"name": "up"}], "profiles": [{"name": "default", "providers": ["up"]}]}
HASH = "ab" * 32


def read(**more: Any) -> Config:
    return parse(json.dumps({**BASE, **more}, indent=1), "providers.yaml", OPTIONS, {"TEAM": "x"})


def problems(**more: Any) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        read(**more)
    return [f"{problem.path}: {problem.message}" for problem in raised.value.problems]


def test_a_plugin_may_own_keys_of_an_entry() -> None:
    config = read(auth={"keys": ["TEAM", {"name": "ada", "sha256": HASH, "allowance": 2}]})

    assert [(key.name, key.option(Allowance).allowance) for key in config.auth_keys] == [
        ("TEAM", None),
        ("ada", 2.0),
    ]


def test_a_key_without_options_has_their_defaults() -> None:
    assert AuthKey("ada", env="ADA").option(Allowance) == Allowance()


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        pytest.param({"sha256": HASH, "allowance": -2}, "auth.keys[0].allowance: must be ≥ 0, not -2", id="value"),
        pytest.param(
            {"sha256": HASH, "alowance": 2},
            "auth.keys[0].alowance: unknown key; did you mean 'allowance'?",
            id="spelling",
        ),
        pytest.param(
            {"sha256": HASH, "monthly_budget_usd": 2},
            "auth.keys[0].monthly_budget_usd: comes with a plugin that is not installed; "
            "run: pip install 'coderouter-core[budget]'",
            id="not-installed",
        ),
        pytest.param({"allowance": 2}, "auth.keys[0]: must have either env or sha256", id="no-key"),
    ],
)  # fmt: skip
def test_a_mistake_on_an_entry(entry: dict[str, Any], problem: str) -> None:
    assert problems(auth={"keys": [entry]}) == [problem]


def test_a_key_of_an_entry_that_stands_elsewhere_is_told_where_it_belongs() -> None:
    assert problems(allowance=2) == ["allowance: this key belongs on an entry of auth.keys, not here"]


def test_a_ledger_keeps_thirteen_months_and_lets_traffic_go_on() -> None:
    config = read()

    assert (config.ledger_retention_months, config.ledger_on_failure) == (13, "open")


def test_a_ledger_does_what_is_written() -> None:
    config = read(ledger={"retention_months": 3, "on_failure": "closed"})

    assert (config.ledger_retention_months, config.ledger_on_failure) == (3, "closed")


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        pytest.param({"retention_months": 0}, "ledger.retention_months: must be ≥ 1, not 0", id="months"),
        pytest.param({"on_failure": "shut"}, "ledger.on_failure: must be one of open, closed", id="policy"),
    ],
)
def test_a_mistake_in_the_ledger(written: dict[str, Any], problem: str) -> None:
    (said,) = problems(ledger=written)

    assert said.startswith(problem.rpartition(" ")[0].partition(" one of")[0])


@pytest.mark.parametrize(
    ("path", "line"),
    [
        pytest.param("providers[0].name", 4, id="value"),
        pytest.param("providers[0].cost.monthly_budget_usd", 3, id="missing"),
        pytest.param("profiles[0].providers[0]", 11, id="in-a-list"),
    ],
)
def test_a_problem_found_later_has_its_place(path: str, line: int) -> None:
    problem = placed(Problem("is wrong", path), read())

    assert (problem.file, problem.line) == ("providers.yaml", line)


@pytest.mark.parametrize(
    "problem",
    [
        pytest.param(Problem("is wrong"), id="no-path"),
        pytest.param(Problem("is wrong", "SOME_VARIABLE"), id="not-of-the-file"),
        pytest.param(Problem("is wrong", "providers", "other.yaml", 7, 1), id="placed-already"),
    ],
)
def test_a_problem_that_is_not_of_the_file_is_left_as_it_is(problem: Problem) -> None:
    assert placed(problem, read()) is problem
