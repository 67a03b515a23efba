"""The command line as a whole: its own commands, and those of plugins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coderouter_core import __version__

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

GREETER = """\
import click
from coderouter_core.api import hookimpl

print("greeter was imported")

class Greeter:
    @hookimpl
    def commands(self, cli):
        @cli.command()
        def greet():
            "Greet whoever asks."
            click.echo("good day")

        @cli.command()
        def serve():
            click.echo("mine now")
"""


def install(coderouter: CommandLine, name: str, code: str, cls: str) -> str:
    """A plugin's distribution as an installer leaves it; the PYTHONPATH that has it."""
    coderouter.write(f"site/{name}.py", code)
    info = f"site/coderouter_other_{name}-1.2.dist-info"
    coderouter.write(
        f"{info}/METADATA", f"Metadata-Version: 2.1\nName: coderouter-other-{name}\nVersion: 1.2\n"
    )
    coderouter.write(f"{info}/entry_points.txt", f"[coderouter.plugins]\n{name} = {name}:{cls}\n")
    return str(coderouter.home / "site")


def test_version(coderouter: CommandLine) -> None:
    assert coderouter.run("--version").stdout == f"coderouter {__version__}\n"


def test_an_unknown_command_is_a_usage_error(coderouter: CommandLine) -> None:
    assert coderouter.run("sreve").returncode == 2


def test_an_unknown_option_is_a_usage_error(coderouter: CommandLine) -> None:
    assert coderouter.run("serve", "--prot", "1").returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", [("--help",), ("plugins",)], ids=["click", "rich"])
def test_an_output_that_is_full_is_told_in_one_line(coderouter: CommandLine, words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        process = coderouter.start(*words, stdout=full.fileno())
        _, said = process.communicate(timeout=30)

    told = "coderouter: no space left on device; free some space, or write elsewhere\n"
    assert (process.returncode, said) == (1, told)


def test_a_plugin_adds_a_command(coderouter: CommandLine) -> None:
    site = install(coderouter, "greeter", GREETER, "Greeter")

    assert coderouter.run("greet", PYTHONPATH=site).stdout.splitlines()[-1] == "good day"


def test_the_help_lists_the_commands_of_plugins(coderouter: CommandLine) -> None:
    site = install(coderouter, "greeter", GREETER, "Greeter")

    assert "Greet whoever asks." in coderouter.run("--help", PYTHONPATH=site).stdout


def test_a_plugin_cannot_take_a_command_of_the_core(coderouter: CommandLine) -> None:
    site = install(coderouter, "greeter", GREETER, "Greeter")

    done = coderouter.run("greet", PYTHONPATH=site)

    assert done.stderr == "plugin 'greeter': the command 'serve' is the core's already\n"


def test_a_plugin_whose_commands_raise_is_told_of_and_the_others_stay(coderouter: CommandLine) -> None:
    install(coderouter, "greeter", GREETER, "Greeter")
    code = GREETER.replace("@cli.command()", "raise LookupError('no words')")
    site = install(coderouter, "mute", code.replace("Greeter", "Mute"), "Mute")

    done = coderouter.run("greet", PYTHONPATH=site)

    told = done.stderr.splitlines()[-1]
    assert (done.returncode, told) == (0, "plugin 'mute' raised in commands: LookupError: no words")


def test_the_cores_own_commands_do_not_ask_plugins_for_theirs(coderouter: CommandLine) -> None:
    site = install(coderouter, "greeter", GREETER, "Greeter")

    assert "greeter" not in coderouter.run("serve", "--help", PYTHONPATH=site).stdout


def test_a_disabled_plugin_adds_no_command(coderouter: CommandLine) -> None:
    site = install(coderouter, "greeter", GREETER, "Greeter")

    assert coderouter.run("greet", PYTHONPATH=site, CODEROUTER_DISABLE="greeter").returncode == 2


def test_a_broken_plugin_is_listed_with_its_error(coderouter: CommandLine) -> None:
    site = install(coderouter, "torn", "import no_such_module_anywhere\n", "Torn")

    done = coderouter.run("plugins", PYTHONPATH=site, COLUMNS="200")

    assert (done.returncode, "No module named 'no_such_module_anywhere'" in done.stdout) == (0, True)


def test_a_plugin_that_misspells_a_hook_is_listed_with_its_error(coderouter: CommandLine) -> None:
    code = GREETER.replace("def commands(self, cli)", "def comands(self, cli)")
    site = install(coderouter, "greeter", code, "Greeter")

    done = coderouter.run("plugins", PYTHONPATH=site, COLUMNS="200")

    assert "implements a hook that does not exist" in done.stdout
