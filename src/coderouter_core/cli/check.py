"""``coderouter check``: everything that is wrong with a configuration, at once."""

from __future__ import annotations

import os
from pathlib import Path

import click

from coderouter_core.cli import MISTAKE
from coderouter_core.errors import ConfigError


@click.command("check", short_help="Tell everything that is wrong with a configuration.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.pass_context
def command(context: click.Context, file: Path | None) -> None:
    """Read FILE as `serve` would, and tell everything that is wrong with it, each with its place.

    Without FILE: $CODEROUTER_CONFIG, else ~/.coderouter/providers.yaml. Ends with 0, or with 2 where something
    is wrong.
    """
    from coderouter_core.cli.assemble import from_file
    from coderouter_core.config import find

    path = file or find(None, os.environ)
    if path is None:
        raise ConfigError("no configuration: name a FILE, or write ~/.coderouter/providers.yaml")
    try:
        assembly = from_file(path, os.environ)
        assembly.router()
    except ConfigError as error:
        click.echo(str(error))
        context.exit(MISTAKE)
    config = assembly.config
    click.echo(
        f"{path}: ok: {_count(len(config.providers), 'provider')}, {_count(len(config.profiles), 'profile')}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
