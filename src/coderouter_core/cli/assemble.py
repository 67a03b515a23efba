"""From a file, or a text, to a router: plugins, their options, the configuration, all of it together."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from coderouter_core.config import disabled_plugins, load, parse
from coderouter_core.events import Event, Events
from coderouter_core.hooks import Hooks
from coderouter_core.model import Config, Option
from coderouter_core.plugins import find, register

if TYPE_CHECKING:
    from coderouter_core.router import CodeRouter


@frozen(eq=False)
class Assembly:
    """A configuration, and the plugins it was read for, as (name, instance)."""

    config: Config
    plugins: tuple[tuple[str, Any], ...] = field(repr=False)

    def router(self, sinks: Sequence[Callable[[Event], None]] = ()) -> CodeRouter:
        """A router of it all, not started. Raises `ConfigError` for what plugins find wrong."""
        # Imported here: `check` ends before this for most mistakes, and it costs more than the check.
        from coderouter_core.router import CodeRouter

        return CodeRouter(self.config, self.plugins, sinks=sinks)

    def secrets(self) -> list[str]:
        """The values that must appear nowhere: keys of providers, and of clients."""
        return secrets_of(self.config)


def secrets_of(config: Config) -> list[str]:
    """Keys of providers, wherever they stand, and of clients."""
    clients = [os.environ.get(key.env, "").strip() for key in config.auth_keys if key.env]
    providers = [secret for provider in config.providers for secret in provider.secrets()]
    return [secret for secret in (*clients, *providers) if secret]


def from_file(path: Path, environ: Mapping[str, str]) -> Assembly:
    """What the file says, read with every plugin that it does not switch off. Raises `ConfigError`."""
    plugins = enabled_plugins(disabled_plugins(path, environ))
    return Assembly(load(path, options_of(plugins), environ), plugins)


def from_text(text: str, file: str, environ: Mapping[str, str]) -> Assembly:
    """The same for the text of a configuration; `file` is what its problems call it."""
    plugins = enabled_plugins(disabled_plugins(text, environ))
    return Assembly(parse(text, file, options_of(plugins), environ), plugins)


def enabled_plugins(disabled: Sequence[str] = ()) -> tuple[tuple[str, Any], ...]:
    """Every installed plugin but those, as (name, instance). Raises `ConfigError`."""
    return tuple((plugin.name, plugin.instance) for plugin in find(disabled) if plugin.enabled)


def options_of(plugins: Sequence[tuple[str, Any]]) -> list[tuple[str, Option]]:
    """The configuration fields of plugins, as (name of the plugin, option)."""
    hooks = Hooks(register(dict(plugins)), Events())
    return [(said.plugin, said.verdict) for said in hooks.declare_options()]
