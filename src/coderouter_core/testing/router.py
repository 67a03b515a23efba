"""Make a router around scripted upstreams."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from coderouter_core.capabilities import Registry
from coderouter_core.config import parse
from coderouter_core.model import Clock, Config, Ledger, Option
from coderouter_core.plugins import GROUP
from coderouter_core.router import CodeRouter
from coderouter_core.testing.recorder import Recorder
from coderouter_core.testing.script import Script, ScriptedAdapters, kind_of
from coderouter_core.testing.served import ServedRouter
from coderouter_core.testing.upstream import Upstream

#: Kept short, so that a test which leaves an answer open does not wait for it.
DRAIN_S = 0.2


def make_router(
    *plugins: Any,
    script: Script | None = None,
    clock: Clock | None = None,
    ledger: Ledger | Mapping[str, Any] | None = None,
    profile: Mapping[str, Any] | None = None,
    providers: Mapping[str, Mapping[str, Any]] | None = None,
    environ: Mapping[str, str] | None = None,
    **config: Any,
) -> ServedRouter:
    """A served router with `plugins`, whose providers do as `script` says.

    The script may also stand among `plugins`. A plugin is an instance, or a pair of name and instance.
    `profile` holds keys of the one profile, ``default``, whose chain is the script's; `providers` holds
    keys by provider, and `config` top-level keys. All of it is read as ``providers.yaml`` is, so what is
    wrong is told by a `ConfigError`; `environ` is the environment that is read with it.

    The ledger is in memory unless `ledger` is another one, or holds keys of ``ledger:``; and nothing of the
    user's own configuration is read.
    """
    scripts = [part for part in (script, *plugins) if isinstance(part, Script)]
    if len(scripts) != 1:
        raise TypeError(f"a router under test needs one Script, not {len(scripts)}")
    if isinstance(ledger, Mapping):
        config["ledger"], ledger = {"url": "memory:", **ledger}, None
    recorder = Recorder()
    named = [
        *(_named(plugin) for plugin in plugins if not isinstance(plugin, Script)),
        ("scripted", ScriptedAdapters()),
        ("recorder", recorder),
    ]
    with ExitStack() as failing:
        upstreams = {
            name: failing.enter_context(Upstream(spoken.steps))
            for name, spoken in scripts[0].providers.items()
        }
        written = _write(scripts[0], upstreams, profile or {}, providers or {}, config)
        core = CodeRouter(
            _read(written, named, environ or {}),
            named,
            clock=clock,
            ledger=ledger,
            registry=Registry.load(None),
            sinks=[recorder.saw],
        )
        core.events.strict = True
        router = ServedRouter(core, upstreams, recorder)
        failing.pop_all()
    return router


def _write(
    script: Script,
    upstreams: Mapping[str, Upstream],
    profile: Mapping[str, Any],
    providers: Mapping[str, Mapping[str, Any]],
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """``providers.yaml`` as values."""
    unknown = providers.keys() - upstreams.keys()
    if unknown:
        raise TypeError(f"the script has no provider {', '.join(map(repr, sorted(unknown)))}")
    return {
        "providers": [
            {
                "name": name,
                "kind": kind_of(spoken.dialect),
                "base_url": f"{upstreams[name].url}/v1",
                "model": f"{name}-model",
                **providers.get(name, {}),
            }
            for name, spoken in script.providers.items()
        ],
        "profiles": [{"name": "default", "providers": list(upstreams), **profile}],
        "ledger": {"url": "memory:"},
        "drain_timeout_s": DRAIN_S,
        **config,
    }


def _read(
    written: Mapping[str, Any], plugins: Sequence[tuple[str, Any]], environ: Mapping[str, str]
) -> Config:
    options: list[tuple[str, Option]] = [
        (name, option)
        for name, plugin in plugins
        if hasattr(plugin, "declare_options")
        for option in plugin.declare_options() or ()
    ]
    # JSON is YAML.
    return parse(json.dumps(written, indent=1), "providers.yaml", options, environ)


def _named(plugin: Any) -> tuple[str, Any]:
    if isinstance(plugin, tuple):
        return plugin[0], plugin[1]
    kind = type(plugin)
    package = kind.__module__.partition(".")[0]
    for entry in _installed():
        # A plugin of several modules is registered where its package shows it, not where its class stands.
        if entry.module.partition(".")[0] == package and entry.load() is kind:
            return entry.name, plugin
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", kind.__name__).lower(), plugin


@functools.cache
def _installed() -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=GROUP))
