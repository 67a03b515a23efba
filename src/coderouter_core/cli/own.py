"""Models that a plugin brings itself: kinds of providers that need neither an address nor a model's name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from coderouter_core.cli.installed import commands
from coderouter_core.events import Events
from coderouter_core.hooks import Hooks
from coderouter_core.model import Option, Provider, Scope
from coderouter_core.plugins import register

#: The extra whose plugin brings a model, for those who have none.
INSTALL = "pip install 'coderouter-core[embedded]'"


def own_kinds(options: Sequence[tuple[str, Option]]) -> list[str]:
    """The kinds that work without any key of the configuration."""
    return [
        option.kind
        for _, option in options
        if option.scope is Scope.PROVIDER and option.kind and not option.requires
    ]


async def own_models(kind: str, plugins: Sequence[tuple[str, Any]]) -> list[str]:
    """The ids of the models that a provider of `kind` has here; none while its weights are missing."""
    from coderouter_core.transport import make_transport

    provider = Provider(kind, kind=kind)
    hooks = Hooks(register(dict(plugins)), Events())
    adapter = hooks.make_adapter(provider, make_transport(provider))
    if adapter is None:
        return []
    try:
        return [str(model["id"]) for model in await adapter.models()]
    finally:
        await adapter.aclose()


def fetch_command(kind: str) -> click.Command | None:
    """The command that fetches the weights of `kind`: ``coderouter KIND fetch``, where its plugin has one."""
    group = commands(()).get(kind)
    return group.commands.get("fetch") if isinstance(group, click.Group) else None
