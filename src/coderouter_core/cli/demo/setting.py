"""What the demo needs: a model that is here, a provider that refuses, and the configuration of both."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from coderouter_core.cli.assemble import enabled_plugins, options_of
from coderouter_core.cli.own import INSTALL, fetch_command, own_kinds, own_models
from coderouter_core.config import disabled_plugins
from coderouter_core.errors import CodeRouterError

#: What problems call the demo's configuration.
NAME = "(demo)"
#: The profiles: the model alone, and behind a provider that refuses.
ALONE, FAILOVER = "demo", "failover"


def settle_weights(*, fetch: bool, environ: Mapping[str, str]) -> tuple[str, str]:
    """The kind of provider that brings a model, and that model's id; its weights are fetched if need be.

    Raises `CodeRouterError` that says what to run when there is none, and whatever the fetching command raises.
    """
    plugins = enabled_plugins(disabled_plugins("", environ))
    kinds = own_kinds(options_of(plugins))
    if not kinds:
        raise CodeRouterError(f"no plugin that brings a model is installed; run: {INSTALL}")
    for kind in kinds:
        if models := asyncio.run(own_models(kind, plugins)):
            return kind, models[0]
    kind = kinds[0]
    command = fetch_command(kind)
    if not fetch or command is None:
        raise CodeRouterError(f"the weights of the {kind} model are not here; run: coderouter {kind} fetch")
    command.main([], prog_name=f"coderouter {kind} fetch", standalone_mode=False)
    if not (models := asyncio.run(own_models(kind, plugins))):
        raise CodeRouterError(f"the weights of the {kind} model are not here, although they were fetched")
    return kind, models[0]


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port of 127.0.0.1 that refuses every connection, and that nobody else gets meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def config_text(kind: str, refusing: int) -> str:
    """The demo's ``providers.yaml``."""
    return f"""\
default_profile: {ALONE}
ledger: {{url: "memory:"}}
drain_timeout_s: 5
providers:
  - {{name: {kind}, kind: {kind}}}
  - {{name: unreachable, base_url: "http://127.0.0.1:{refusing}/v1", model: none}}
profiles:
  - {{name: {ALONE}, providers: [{kind}]}}
  - {{name: {FAILOVER}, providers: [unreachable, {kind}]}}
"""
