"""The ``coderouter`` command line. A command is imported when it is used, and so are the plugins'."""

from __future__ import annotations

import errno
import sys
from contextlib import suppress
from importlib import import_module
from typing import IO, Any

import click

from coderouter_core import __version__
from coderouter_core.errors import CodeRouterError, ConfigError

# Whoever imports httpx also imports its own command line, and with that all of rich, where it is installed. Nobody
# here asks for that command line; httpx does without it when it cannot be imported.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

#: The core's own commands, in the order of the help; each is `command` in the module of its name.
OWN = ("serve", "demo", "check", "plugins", "stats", "explain", "route", "conformance")

#: Exit codes: what the user wrote cannot be used; what was asked for did not work.
MISTAKE, FAILURE = 2, 1

#: Where the output goes, nothing more can be written: the disk is full, or this user's part of it.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Failure(click.ClickException):
    """An error of the house, shown as its text alone."""

    exit_code = FAILURE

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.message, file=file, err=file is None)


class Mistake(Failure):
    """What the user wrote cannot be used."""

    exit_code = MISTAKE


class CommandLine(click.Group):
    """Knows its own commands by name alone; asks the plugins for theirs when none of these is meant."""

    _contributed: dict[str, click.Command] | None = None

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return [*OWN, *sorted(self._from_plugins())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name in OWN:
            command: click.Command = import_module(f"coderouter_core.cli.{cmd_name}").command
            return command
        return self._from_plugins().get(cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            raise Mistake(str(error)) from error
        except CodeRouterError as error:
            raise Failure(str(error)) from error

    def _from_plugins(self) -> dict[str, click.Command]:
        if self._contributed is None:
            from coderouter_core.cli.installed import commands

            self._contributed = commands(OWN)
        return self._contributed


@click.group(cls=CommandLine, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="coderouter %(version)s")
def cli() -> None:
    """A router between coding agents and the models behind them.

    Claude Code and every OpenAI client talk to one address; CodeRouter chooses the model that answers,
    and the next one when that fails.

    \b
    coderouter demo     see it work: a small model of its own, no key needed
    coderouter serve    use it: with your providers.yaml, or with what runs here
    """


def main() -> None:
    try:
        cli(prog_name="coderouter")
    except OSError as error:
        if error.errno not in FULL:
            raise
        click.echo(
            f"coderouter: {(error.strerror or '').lower()}; free some space, or write elsewhere", err=True
        )
        # Or the interpreter would try once more to write the rest, and show what comes of it.
        with suppress(OSError):
            sys.stdout.close()
        sys.exit(FAILURE)
