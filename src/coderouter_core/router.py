"""One router: what a configuration, its plugins and a ledger make together."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

from coderouter_core import __version__
from coderouter_core.capabilities import Gates, Registry, unsuited
from coderouter_core.config import placed
from coderouter_core.engine import Chains, Engine, Served
from coderouter_core.errors import ConfigError, Problem, UpstreamError, where
from coderouter_core.events import Event, Events
from coderouter_core.hooks import Hooks, Said
from coderouter_core.ledger import open_ledger
from coderouter_core.model import (
    Adapter,
    BudgetStanding,
    ChainView,
    Clock,
    Config,
    Cost,
    Dialect,
    Ledger,
    Live,
    Provider,
    Request,
    Standing,
    Usage,
)
from coderouter_core.plugins import register
from coderouter_core.routing import Routing
from coderouter_core.transport import make_transport

USER_REGISTRY = Path("~/.coderouter/model-capabilities.yaml")

#: What somebody would ask who wants nothing special; `chains` tells what it would get.
PLAIN = Request("plain", Dialect.MESSAGES, {"messages": [{"role": "user", "content": ""}]}, b"{}")

SUITABILITY_HINT = "move these models to the end of the chain, or put others in their place"

#: Seconds a backend may take to tell its context window, when a prompt was too long for another.
WINDOW_QUESTION_S = 2.0


def _window_of(provider: Provider, models: Sequence[Mapping[str, Any]]) -> int | None:
    """The window of the provider's own model; of the only one when it has just one."""
    for model in models:
        window = model.get("context_window")
        if isinstance(window, int) and (model.get("id") == provider.model or len(models) == 1):
            return window
    return None


class SystemClock:
    """The machine's time."""

    def monotonic(self) -> float:
        return time.monotonic()

    def utc(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)


class CodeRouter:
    """Everything that serves requests, and all that a plugin may reach (`coderouter_core.api.Router`).

    `plugins` are (name, instance). Without a `registry` of capabilities the bundled and the user's own are read.
    Raises `ConfigError` for whatever is wrong before anything starts.
    """

    def __init__(
        self,
        config: Config,
        plugins: Sequence[tuple[str, Any]],
        *,
        ledger: Ledger | None = None,
        clock: Clock | None = None,
        registry: Registry | None = None,
        sinks: Sequence[Callable[[Event], None]] = (),
    ) -> None:
        self.config = config
        self.clock: Clock = clock or SystemClock()
        self.events = Events(now=time.time if clock is None else lambda: self.clock.utc().timestamp())
        self.events.sinks += sinks
        self.manager = register(dict(plugins))
        self.hooks = Hooks(self.manager, self.events)
        self.events.declare(said.verdict for said in self.hooks.declare_events())
        self.events.sinks.append(self.hooks.observe_event)
        self.ledger: Ledger = ledger or open_ledger(
            config.ledger_url,
            self.clock,
            self._ledger_failed,
            retention_months=config.ledger_retention_months,
        )
        self.registry = registry or Registry.load(USER_REGISTRY.expanduser())
        self.providers: dict[str, Provider] = {provider.name: provider for provider in config.providers}
        self.adapters: dict[str, Adapter] = {}
        self.draining = False
        self.in_flight: set[asyncio.Task[Any]] = set()
        self.serving: dict[str, Served] = {}
        self.ready = False
        self.gates = Gates(self.registry, self.clock.monotonic)
        self._transports: list[Any] = []
        self._stack = AsyncExitStack()
        self._make_adapters()
        self.routing = Routing(config, self.hooks, self.events, self.ledger, self.clock)
        self.engine = self._make_engine()
        try:
            self.hooks.configure(config, self)
        except ConfigError as error:
            raise ConfigError(*(placed(problem, config) for problem in error.problems)) from None

    def _make_adapters(self) -> None:
        problems = []
        for provider in self.config.providers:
            transport = make_transport(provider)
            self._transports.append(transport)
            adapter = self.hooks.make_adapter(provider, transport)
            if adapter is None:
                problems.append(
                    Problem(f"provider {provider.name!r}: no plugin speaks kind {provider.kind!r}")
                )
            else:
                self.adapters[provider.name] = adapter
        if problems:
            raise ConfigError(*problems)

    def _make_engine(self) -> Engine:
        settings = self.config.settings
        return Engine(
            self.adapters,
            Chains(self.providers, settings, self.hooks, self.events, self.adapters, self.gates),
            self.hooks,
            self.events,
            self.ledger,
            self.clock,
            settings,
            self.find_window,
        )

    async def start(self) -> None:
        """Open the ledger, make adapters ready, enter the services."""
        loading = asyncio.create_task(self.routing.load())
        self._stack.callback(loading.cancel)
        await self.ledger.open()
        self._stack.push_async_callback(self.ledger.aclose)
        for transport in self._transports:
            self._stack.push_async_callback(transport.aclose)
        for adapter in self.adapters.values():
            await adapter.start()
            self._stack.push_async_callback(adapter.aclose)
        for said in self.hooks.services(self):
            await self._enter(said)
        self.ready = True
        self.emit(
            "coderouter-startup",
            version=__version__,
            providers=list(self.providers),
            profiles=list(self.routing.profiles),
            allow_paid=self.config.settings.allow_paid,
            default_profile=self.config.default_profile,
            mode_source=self.config.mode_source,
        )
        self._tell_unsuited()

    async def _enter(self, said: Said[AbstractAsyncContextManager[Any]]) -> None:
        try:
            await self._stack.enter_async_context(said.verdict)
        except ConfigError:
            raise
        except Exception as error:
            raise ConfigError(
                f"the service of plugin {said.plugin!r} did not start ({where(error)}: {error}); uninstall the plugin,"
                f" or switch it off: CODEROUTER_DISABLE={said.plugin}"
            ) from error

    def _tell_unsuited(self) -> None:
        for profile in self.routing.profiles.values():
            if found := unsuited(profile, self.providers, self.registry):
                self.emit(
                    "chain-claude-code-suitability-degraded",
                    profile=profile.name,
                    degraded_providers=[provider.name for provider in found],
                    degraded_models=[provider.model for provider in found],
                    hint=SUITABILITY_HINT,
                )

    async def aclose(self) -> None:
        """Leave everything in reverse. Once."""
        if self.ready:
            self.emit("coderouter-shutdown")
        self.ready = False
        await self._stack.aclose()

    # ---- what a plugin may reach

    def emit(self, name: str, /, **fields: Any) -> None:
        self.events.emit(name, **fields)

    def price(self, provider: Provider, usage: Usage) -> Cost:
        return self.engine.settlement.price(provider, usage)

    async def vitals(self, provider: Provider) -> Mapping[str, Any]:
        return await self.adapters[provider.name].vitals()

    # ---- what somebody sees who looks

    def live(self) -> Sequence[Live]:
        return [served.seen() for served in list(self.serving.values())]

    def chains(self) -> Sequence[ChainView]:
        return [self.engine.chains.view(PLAIN, profile) for profile in self.routing.profiles.values()]

    def standings(self) -> Sequence[Said[Standing | BudgetStanding]]:
        return self.hooks.standings()

    def held(self, counter: str) -> float:
        return self.engine.review.held(counter)

    def log_health(self) -> Mapping[str, Mapping[str, int]]:
        told = (sink for sink in self.events.sinks if hasattr(sink, "health"))
        return {name: figures for sink in told for name, figures in sink.health().items()}

    # ---- what is known of providers

    def window(self, provider: Provider) -> int | None:
        """The provider's context window in tokens: as configured, as registered, or as its backend told."""
        return self.gates.window(provider)

    async def find_window(self, provider: Provider) -> int | None:
        """As `window`, but asks the backend when nobody has said it, or not lately."""
        known = self.gates.sure_window(provider)
        if known is None:
            try:
                async with asyncio.timeout(WINDOW_QUESTION_S):
                    known = _window_of(provider, await self.adapters[provider.name].models())
            except (TimeoutError, UpstreamError):
                return self.window(provider)
            if known is not None:
                self.gates.told(provider, known)
        return known

    def _ledger_failed(self, error: str) -> None:
        self.emit("ledger-failed", error=error[:200])
