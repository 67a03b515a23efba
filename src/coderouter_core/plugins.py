"""Find plugins by their entry points, make one instance of each, register them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any

import pluggy
from attrs import field, frozen

from coderouter_core import hookspecs
from coderouter_core.errors import ConfigError, Problem

GROUP = "coderouter.plugins"


@frozen
class Plugin:
    """An installed plugin. `instance` is None when it is switched off."""

    name: str
    family: str
    distribution: str
    version: str
    instance: Any = field(default=None, repr=False)

    @property
    def enabled(self) -> bool:
        return self.instance is not None


def normal(name: str) -> str:
    """`-` and `_` are the same in names of plugins."""
    return name.strip().replace("_", "-")


def find(disabled: Iterable[str] = (), entries: Sequence[EntryPoint] | None = None) -> list[Plugin]:
    """Every installed plugin by name; those in `disabled` are not even imported.

    Raises `ConfigError` naming each plugin that cannot be loaded, and what to do.
    """
    off = {normal(name) for name in disabled}
    found: list[Plugin] = []
    problems: list[Problem] = []
    for entry in sorted(entry_points(group=GROUP) if entries is None else entries, key=lambda e: e.name):
        name = normal(entry.name)
        distribution = entry.dist.name if entry.dist else ""
        version = entry.dist.version if entry.dist else ""
        instance = None
        if name not in off:
            try:
                instance = entry.load()()
            except Exception as error:
                problems.append(
                    Problem(
                        f"plugin {name!r} of {distribution or entry.value} {version} cannot be loaded"
                        f" ({type(error).__name__}: {error}); uninstall it, or switch it off:"
                        f" CODEROUTER_DISABLE={name}"
                    )
                )
        found.append(Plugin(name, _family(distribution, name), distribution, version, instance))
    if problems:
        raise ConfigError(*problems)
    return found


def _family(distribution: str, name: str) -> str:
    own = re.fullmatch(rf"coderouter-([a-z]+)-{re.escape(name)}", distribution)
    return own.group(1) if own else "other"


def register(plugins: Mapping[str, Any]) -> pluggy.PluginManager:
    """A plugin manager with every plugin, checked: a misspelt hook or argument is an error now."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    problems: list[Problem] = []
    # pluggy asks whoever was registered last first; names in order should answer in order.
    for name, plugin in reversed(list(plugins.items())):
        try:
            manager.register(plugin, name=name)
        except (pluggy.PluginValidationError, ValueError) as error:
            reason = " ".join(str(error).split())
            problems.append(Problem(f"plugin {name!r} does not fit the hooks of this version: {reason}"))
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        problems.append(
            Problem(f"a plugin implements a hook that does not exist: {' '.join(str(error).split())}")
        )
    problems += _asynchronous(manager)
    if problems:
        raise ConfigError(*problems)
    return manager


def _asynchronous(manager: pluggy.PluginManager) -> Iterator[Problem]:
    """Hooks whose answer would be a coroutine that nobody awaits."""
    for caller in vars(manager.hook).values():
        for found in caller.get_hookimpls() if isinstance(caller, pluggy.HookCaller) else ():
            if iscoroutinefunction(found.function) or isasyncgenfunction(found.function):
                yield Problem(
                    f"plugin {found.plugin_name!r}: {caller.name}: hooks are plain functions, without async;"
                    " await in an adapter or a service"
                )
