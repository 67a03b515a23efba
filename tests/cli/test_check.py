"""`coderouter check`, in this process: what it says, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from coderouter_core.cli import cli

GOOD = """\
providers:
  - {name: box, base_url: "http://127.0.0.1:1/v1", model: m}
  - {name: spare, base_url: "http://127.0.0.1:2/v1", model: m}
profiles:
  - {name: default, providers: [box, spare]}
"""
NAMELESS_AND_UNKNOWN = """\
providers:
  - {name: box, base_url: "127.0.0.1:1", model: m}
profiles:
  - {name: default, providers: [bax]}
"""


def check(home: Path, *words: str, **environ: str) -> Result:
    outside = dict.fromkeys(
        ("CODEROUTER_CONFIG", "CODEROUTER_MODE", "CODEROUTER_DISABLE", "CODEROUTER_LEDGER")
    )
    env = {**outside, "HOME": str(home), **environ}
    return CliRunner().invoke(cli, ["check", *words], env=env)


def test_a_good_file_is_said_to_be_ok(tmp_path: Path) -> None:
    file = tmp_path / "good.yaml"
    file.write_text(GOOD)

    done = check(tmp_path, str(file))

    assert (done.exit_code, done.output) == (0, f"{file}: ok: 2 providers, 1 profile\n")


def test_every_problem_is_told_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(NAMELESS_AND_UNKNOWN)

    done = check(tmp_path, str(file))

    places = [line.split(": ")[0].removeprefix(str(file)) for line in done.stdout.splitlines()]
    assert (done.exit_code, places) == (2, [":2:27", ":4:33"])


@pytest.mark.parametrize(
    ("name", "environ"),
    [
        pytest.param(".coderouter/providers.yaml", {}, id="home"),
        pytest.param("mine.yaml", {"CODEROUTER_CONFIG": "~/mine.yaml"}, id="variable"),
    ],
)
def test_without_a_name_it_checks_what_serve_would_read(
    tmp_path: Path, name: str, environ: dict[str, str]
) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(GOOD)

    assert check(tmp_path, **environ).output == f"{file}: ok: 2 providers, 1 profile\n"


def test_nothing_to_check_is_a_mistake(tmp_path: Path) -> None:
    done = check(tmp_path)

    assert (done.exit_code, done.stderr.partition(":")[0]) == (2, "no configuration")


def test_what_only_a_plugin_can_judge_is_checked_too(tmp_path: Path) -> None:
    file = tmp_path / "embedded.yaml"
    file.write_text(
        "providers: [{name: own, kind: embedded, embedded: {model: /nowhere/at/all.gguf}}]\n"
        "profiles: [{name: default, providers: [own]}]\n"
    )

    done = check(tmp_path, str(file))

    assert (done.exit_code, "/nowhere/at/all.gguf" in done.output) == (2, True)


def test_nothing_is_left_behind_where_it_checked(tmp_path: Path) -> None:
    file = tmp_path / "good.yaml"
    file.write_text(GOOD)

    check(tmp_path, str(file), XDG_DATA_HOME=str(tmp_path / "data"))

    assert [path.name for path in tmp_path.iterdir()] == ["good.yaml"]
