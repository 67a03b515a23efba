"""`coderouter plugins`: what it tells of the installed plugins."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import orjson
from click.testing import CliRunner

from coderouter_core.cli import cli
from coderouter_core.cli.plugins import Row, rows
from coderouter_core.plugins import GROUP

BAD_FILE = "providers: [\n"


def listed(*words: str, home: Path, **environ: str) -> str:
    env = {
        "HOME": str(home),
        "CODEROUTER_CONFIG": None,
        "CODEROUTER_DISABLE": None,
        "COLUMNS": "80",
        **environ,
    }
    done = CliRunner().invoke(cli, ["plugins", *words], env=env)
    assert done.exit_code == 0
    return done.stdout


def as_json(home: Path, **environ: str) -> dict[str, Any]:
    return {row["name"]: row for row in orjson.loads(listed("--json", home=home, **environ))}


def entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, GROUP)


def test_a_plugin_is_told_with_its_family_hooks_and_keys(tmp_path: Path) -> None:
    row = as_json(tmp_path)["model-pattern"]

    assert (row["family"], row["distribution"], row["enabled"], row["hooks"], row["options"]) == (
        "matcher",
        "coderouter-matcher-model-pattern",
        True,
        ["configure", "declare_events", "declare_options", "match_rule"],
        {"rule": ["model_pattern"]},
    )


def test_an_adapter_is_told_with_its_kind(tmp_path: Path) -> None:
    assert as_json(tmp_path)["anthropic"]["kinds"] == ["anthropic"]


def test_a_plugin_that_the_environment_switches_off_is_told_as_off(tmp_path: Path) -> None:
    assert as_json(tmp_path, CODEROUTER_DISABLE="has_image")["has-image"]["enabled"] is False


def test_a_plugin_that_the_configuration_switches_off_is_told_as_off(tmp_path: Path) -> None:
    file = tmp_path / "providers.yaml"
    file.write_text("plugins: {disabled: [has-image]}\n")

    assert as_json(tmp_path, CODEROUTER_CONFIG=str(file))["has-image"]["enabled"] is False


def test_a_configuration_that_cannot_be_read_does_not_hide_the_plugins(tmp_path: Path) -> None:
    file = tmp_path / "providers.yaml"
    file.write_text(BAD_FILE)

    assert "openai-compat" in as_json(tmp_path, CODEROUTER_CONFIG=str(file))


def test_the_table_fits_a_terminal_of_80_columns(tmp_path: Path) -> None:
    table = listed(home=tmp_path)

    assert max(len(line) for line in table.splitlines()) <= 80


def test_the_table_names_every_plugin_whole(tmp_path: Path) -> None:
    table = listed(home=tmp_path)

    assert [name for name in as_json(tmp_path) if name not in table] == []


def test_a_plugin_that_cannot_be_loaded_hides_no_other() -> None:
    found = rows((), [entry("torn", "no_such_module:Torn"), entry("whole", "builtins:object")])

    assert [(row.name, row.enabled, bool(row.error)) for row in found] == [
        ("torn", False, True),
        ("whole", True, False),
    ]


def test_a_plugin_that_is_off_is_not_even_imported() -> None:
    assert rows(("torn",), [entry("torn", "no_such_module:Torn")]) == [
        Row("torn", "other", "", "", enabled=False)
    ]
