"""The catalogue of Events: what the router says about itself, by which names and with which fields."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from enum import IntEnum
from typing import Any

from attrs import field, frozen


class Level(IntEnum):
    """`INFO` a decision, `WARNING` somebody should look this week, `ERROR` today."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


@frozen
class EventSpec:
    """A name in the catalogue, its level, the fields it carries, and what it says."""

    name: str
    level: Level
    fields: tuple[str, ...]
    text: str


@frozen(eq=False)
class Event:
    """One fact about the router. `at` is Unix time."""

    name: str
    level: Level
    at: float
    request_id: str | None
    fields: Mapping[str, Any] = field(factory=dict)


#: The request that is being served in this task, for events that do not say.
current_request: ContextVar[str | None] = ContextVar("current_request", default=None)

_I, _W, _E = Level.INFO, Level.WARNING, Level.ERROR

CORE_EVENTS: tuple[EventSpec, ...] = (
    EventSpec("coderouter-startup", _I, ("version", "providers", "profiles", "allow_paid", "default_profile", "mode_source"), "the router is ready"),
    EventSpec("coderouter-shutdown", _I, (), "the router stops"),
    EventSpec("mode-alias-resolved", _I, ("mode", "profile"), "a mode header chose a profile"),
    EventSpec("auto-router-resolved", _I, ("rule_id", "resolved_profile", "signals"), "a rule chose a profile"),
    EventSpec("auto-router-fallthrough", _I, ("resolved_profile", "signals"), "no rule held; the default profile serves"),
    EventSpec("request-received", Level.DEBUG, ("dialect", "model", "stream", "bytes"), "a request came in"),
    EventSpec("request-finished", _I, ("profile", "provider", "attempts", "status", "input_tokens", "output_tokens", "cost_usd", "priced", "ttft_ms", "duration_ms", "overhead_ms"), "a request ended, well or not"),
    EventSpec("client-disconnected", _I, ("profile", "provider", "phase"), "the client left before the end"),
    EventSpec("skip-paid-provider", _I, ("profile", "provider"), "a paid provider was left out: allow_paid is off"),
    EventSpec("skip-missing-key", _W, ("profile", "provider", "api_key_env"), "a provider was left out: its key variable is not set"),
    EventSpec("skip-unsupported-operation", _I, ("profile", "provider", "operation"), "a provider was left out: it has no embeddings, or no legacy completions"),
    EventSpec("skip-context-window", _I, ("profile", "provider", "tokens", "window"), "a provider was left out: the prompt is too long for it"),
    EventSpec("skip-provider", _I, ("profile", "provider", "reason"), "a plugin left a provider out"),
    EventSpec("demote-provider", _I, ("profile", "provider", "reason", "weight"), "a plugin moved a provider back"),
    EventSpec("chain-paid-gate-blocked", _W, ("profile", "blocked_providers", "hint"), "nobody was left after the paid gate"),
    EventSpec("chain-claude-code-suitability-degraded", _W, ("profile", "degraded_providers", "degraded_models", "hint"), "a profile for Claude Code holds models that cope badly with it"),
    EventSpec("chain-uniform-auth-failure", _W, ("profile", "status", "count", "providers", "hint"), "every provider refused the key"),
    EventSpec("capability-degraded", _I, ("provider", "dropped", "reason"), "something was left out for a provider that cannot take it"),
    EventSpec("try-provider", _I, ("provider", "profile", "attempt", "stream"), "an attempt begins"),
    EventSpec("provider-ok", _I, ("provider", "profile", "attempt", "stream", "ttft_ms"), "an attempt delivered its first content"),
    EventSpec("provider-failed", _W, ("provider", "profile", "attempt", "status", "retryable", "error", "error_kind"), "an attempt failed before its first content"),
    EventSpec("provider-failed-midstream", _W, ("provider", "profile", "attempt", "status", "retryable", "error", "error_kind"), "an attempt broke after its first content"),
    EventSpec("plugin-failed", _E, ("plugin", "hook", "error", "switched_off"), "a plugin raised"),
    EventSpec("cache-observed", _I, ("provider", "profile", "request_had_cache_control", "outcome", "cache_read_input_tokens", "cache_creation_input_tokens", "input_tokens", "output_tokens", "streaming", "cost_usd", "cost_savings_usd", "priced", "estimated"), "what an answer took from the prompt cache, and what it cost"),
    EventSpec("request-refused", _I, ("plugin", "reason"), "a plugin declined a request"),
    EventSpec("instruction-added", _I, ("plugin", "reason"), "a plugin added text to the prompt"),
    EventSpec("internal-error", _E, ("error",), "the router itself failed on a request"),
    EventSpec("ledger-failed", _E, ("error",), "the ledger's store cannot be reached; what is known in memory serves on"),
    EventSpec("adapter-note", _I, ("provider", "note"), "an adapter tells of its backend: started, restarted, stopped"),
)  # fmt: skip


class Events:
    """Takes events, checks them against the catalogue, hands them to every sink.

    A sink is called in the event loop and may not block.
    """

    def __init__(
        self, specs: Iterable[EventSpec] = CORE_EVENTS, now: Callable[[], float] = time.time
    ) -> None:
        self.specs: dict[str, EventSpec] = {spec.name: spec for spec in specs}
        self.sinks: list[Callable[[Event], None]] = []
        self._now = now

    def declare(self, specs: Iterable[EventSpec]) -> None:
        """Add a plugin's events. A name that exists already is a mistake of the plugin's author."""
        for spec in specs:
            if spec.name in self.specs:
                raise ValueError(f"event {spec.name!r} is declared twice")
            self.specs[spec.name] = spec

    def emit(self, name: str, /, **fields: Any) -> None:
        """Emit the event `name`. An undeclared name is a KeyError: the catalogue is complete."""
        spec = self.specs[name]
        event = Event(name, spec.level, self._now(), current_request.get(), fields)
        for sink in self.sinks:
            sink(event)
