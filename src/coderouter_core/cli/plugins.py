"""``coderouter plugins``: what is installed, what it hooks into, which keys it owns."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import attrs
import click
from attrs import frozen

from coderouter_core.cli.installed import Installed, installed
from coderouter_core.errors import ConfigError
from coderouter_core.model import Option

if TYPE_CHECKING:
    from rich.console import Console


@frozen
class Row:
    """One plugin, in plain values. `kinds` are those of providers; `options` are keys by the scope they stand in."""

    name: str
    family: str
    distribution: str
    version: str
    enabled: bool
    hooks: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    options: Mapping[str, Sequence[str]] = {}
    error: str = ""


@click.command("plugins", short_help="List the installed plugins.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
def command(as_json: bool) -> None:
    """List the installed plugins: the hooks they implement, and the configuration keys they own."""
    found = rows(_disabled())
    if as_json:
        import orjson

        click.echo(orjson.dumps([attrs.asdict(row) for row in found], option=orjson.OPT_INDENT_2))
        return
    if not found:
        click.echo("no plugin is installed; run: pip install 'coderouter-core[all]'")
        return
    from rich.console import Console

    _show(found, Console(highlight=False))


def rows(disabled: Sequence[str], entries: Sequence[EntryPoint] | None = None) -> list[Row]:
    """A row for every installed plugin, broken ones too."""
    return [_row(each) for each in installed(disabled, entries)]


def _row(each: Installed) -> Row:
    plugin = each.plugin
    row = Row(
        plugin.name, plugin.family, plugin.distribution, plugin.version, plugin.enabled, error=each.error
    )
    if each.manager is None:
        return row
    from coderouter_core.events import Events
    from coderouter_core.hooks import Hooks

    hooks = Hooks(each.manager, Events())
    try:
        options = [said.verdict for said in hooks.declare_options()]
    except Exception as error:
        return attrs.evolve(row, error=f"raised in declare_options: {type(error).__name__}: {error}")
    return attrs.evolve(
        row,
        hooks=tuple(hooks.implemented_by(plugin.name)),
        kinds=tuple(option.kind for option in options if option.kind),
        options=_keys(options),
    )


def _keys(options: Sequence[Option]) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = {}
    for option in options:
        names = [field.alias or field.name for field in attrs.fields(option.cls)]
        if names:
            keys.setdefault(str(option.scope), []).extend(names)
    return keys


def _disabled() -> Sequence[str]:
    """What the environment and the configuration, where one is found and can be read, switch off."""
    from coderouter_core.config import disabled_plugins, find

    try:
        path = find(None, os.environ)
        return disabled_plugins(path if path is not None else "", os.environ)
    except ConfigError as error:
        click.echo(str(error), err=True)
        return disabled_plugins("", os.environ)


def _show(found: Sequence[Row], console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 1, 0), header_style="bold")
    table.add_column("plugin", no_wrap=True)
    table.add_column("family", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("what it is and has")
    for row in found:
        state = ("error", "red") if row.error else ("on", "green") if row.enabled else ("off", "yellow")
        table.add_row(row.name, row.family, Text(*state), Text("\n".join(_about(row))))
    console.print(table)


def _about(row: Row) -> list[str]:
    lines = [f"{row.distribution} {row.version}"]
    if row.error:
        return [*lines, row.error]
    lines += [f"kind: {kind}" for kind in row.kinds]
    lines += [f"{scope} keys: {', '.join(keys)}" for scope, keys in row.options.items()]
    if row.hooks:
        lines.append(f"hooks: {', '.join(row.hooks)}")
    return lines
