"""What is installed: every plugin for itself, so that one that is broken hides no other."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points

import click
import pluggy
from attrs import field, frozen

from coderouter_core.config import disabled_plugins
from coderouter_core.errors import ConfigError
from coderouter_core.plugins import GROUP, Plugin, find, register


@frozen
class Installed:
    """One plugin, as far as it works. `manager` knows it alone, and is None where it is off or broken."""

    plugin: Plugin
    manager: pluggy.PluginManager | None = field(default=None, repr=False)
    error: str = ""


def installed(disabled: Collection[str] = (), entries: Sequence[EntryPoint] | None = None) -> list[Installed]:
    """Every installed plugin by name; what is wrong with one stands in its `error`."""
    found = entry_points(group=GROUP) if entries is None else entries
    return [_look(entry, disabled) for entry in sorted(found, key=lambda entry: entry.name)]


def _look(entry: EntryPoint, disabled: Collection[str]) -> Installed:
    try:
        (plugin,) = find(disabled, [entry])
        manager = register({plugin.name: plugin.instance}) if plugin.enabled else None
    except ConfigError as error:
        (asleep,) = find([entry.name], [entry])
        return Installed(asleep, error=str(error))
    return Installed(plugin, manager)


def commands(taken: Iterable[str], entries: Sequence[EntryPoint] | None = None) -> dict[str, click.Command]:
    """The commands that plugins add. What cannot be added is told on standard error, and missing."""
    added: dict[str, click.Command] = {}
    owners = dict.fromkeys(taken, "the core")
    for each in installed(disabled_plugins("", os.environ), entries):
        name = each.plugin.name
        if each.error:
            click.echo(each.error, err=True)
        for word, command in _commands_of(each).items():
            if word in owners:
                click.echo(f"plugin {name!r}: the command {word!r} is {owners[word]}'s already", err=True)
                continue
            owners[word] = f"plugin {name!r}"
            added[word] = command
    return added


def _commands_of(each: Installed) -> dict[str, click.Command]:
    if each.manager is None:
        return {}
    # A group of its own: a plugin adds commands, and can neither see nor replace those of others.
    group = click.Group("coderouter")
    try:
        each.manager.hook.commands(cli=group)
    except Exception as error:
        text = f"plugin {each.plugin.name!r} raised in commands: {type(error).__name__}: {error}"
        click.echo(text, err=True)
        return {}
    return dict(group.commands)
