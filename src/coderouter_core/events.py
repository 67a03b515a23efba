"""The catalogue of Events: what the router says about itself, by which names and with which fields."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
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
    """A name in the catalogue, its level, the fields it carries, and what it says.

    The event of a verdict (see `Rejection`) has `plugin`, `reason`, `profile` and `provider` besides, from the core.
    """

    name: str
    level: Level
    fields: tuple[str, ...]
    text: str


@frozen(eq=False)
class Event:
    """One fact about the router. `at` is Unix time, `session_id` what the client calls its conversation."""

    name: str
    level: Level
    at: float
    request_id: str | None
    fields: Mapping[str, Any] = field(factory=dict)
    session_id: str | None = None


#: The request that is being served in this task, for events that do not say.
current_request: ContextVar[str | None] = ContextVar("current_request", default=None)
#: What its client calls the conversation, where it says.
current_session: ContextVar[str | None] = ContextVar("current_session", default=None)

_I, _W, _E = Level.INFO, Level.WARNING, Level.ERROR

CORE_EVENTS: tuple[EventSpec, ...] = (
    EventSpec("coderouter-startup", _I, ("version", "providers", "profiles", "allow_paid", "default_profile", "mode_source"), "the router is ready"),
    EventSpec("coderouter-shutdown", _I, (), "the router stops"),
    EventSpec("http1-fallback", _W, ("reason",), "HTTP/1 of clients is not read as it was asked for, but by hypercorn's own class"),
    EventSpec("chain-claude-code-suitability-degraded", _W, ("profile", "degraded_providers", "degraded_models", "hint"), "a profile for Claude Code holds models that do not cope with its prompts"),
    EventSpec("mode-alias-resolved", _I, ("mode", "profile"), "a mode header chose a profile"),
    EventSpec("auto-router-resolved", _I, ("rule_id", "resolved_profile", "signals"), "a rule chose a profile"),
    EventSpec("auto-router-fallthrough", _I, ("resolved_profile", "signals"), "no rule held; the default profile serves"),
    EventSpec("request-received", Level.DEBUG, ("dialect", "operation", "model", "stream", "bytes", "traceparent", "tracestate"), "a request came in"),
    EventSpec("anthropic-version-header", Level.DEBUG, ("value",), "the version of the Messages dialect that the client speaks"),
    EventSpec("request-finished", _I, ("profile", "provider", "dialect", "operation", "stream", "attempts", "status", "outcome", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "cost_usd", "savings_usd", "priced", "estimated", "ttft_ms", "duration_ms", "overhead_ms"), "a request ended, well or not; tokens and money are sums over its attempts"),
    EventSpec("client-disconnected", _I, ("profile", "provider", "phase"), "the client left before the end: while reading its request, waiting for an answer, or in its stream"),
    EventSpec("sse-midstream-error", _W, ("provider", "original"), "an open stream in the Messages dialect ended with an error frame"),
    EventSpec("skip-paid-provider", _I, ("profile", "provider"), "a paid provider was left out: allow_paid is off"),
    EventSpec("skip-unknown-provider", _W, ("profile", "provider"), "a profile names a provider that does not exist; never emitted, since such a file does not load"),
    EventSpec("skip-missing-key", _W, ("profile", "provider", "api_key_env"), "a provider was left out: its key variable is not set"),
    EventSpec("skip-unsupported-operation", _I, ("profile", "provider", "operation"), "a provider was left out: it has no embeddings, or no legacy completions"),
    EventSpec("skip-context-window", _I, ("profile", "provider", "tokens", "window"), "a provider was left out: the prompt is too long for it"),
    EventSpec("skip-provider", _I, ("profile", "provider", "reason"), "a plugin left a provider out"),
    EventSpec("demote-provider", _I, ("profile", "provider", "reason", "weight"), "a plugin moved a provider back"),
    EventSpec("chain-paid-gate-blocked", _W, ("profile", "blocked_providers", "hint"), "nobody was left after the paid gate"),
    EventSpec("chain-uniform-auth-failure", _W, ("profile", "status", "count", "providers", "hint"), "every provider refused the key"),
    EventSpec("capability-degraded", _I, ("provider", "dropped", "reason"), "something was left out for a provider that cannot take it"),
    EventSpec("try-provider", _I, ("provider", "profile", "attempt", "stream", "native_anthropic", "degraded"), "an attempt begins; `degraded`: something was left out for it"),
    EventSpec("provider-ok", _I, ("provider", "profile", "attempt", "stream", "native_anthropic", "ttft_ms"), "an attempt delivered its first content"),
    EventSpec("provider-failed", _W, ("provider", "profile", "attempt", "status", "retryable", "error", "error_kind"), "an attempt failed before its first content"),
    EventSpec("provider-failed-midstream", _W, ("provider", "profile", "attempt", "status", "retryable", "error", "error_kind"), "an attempt broke after its first content"),
    EventSpec("plugin-failed", _E, ("plugin", "hook", "error", "switched_off"), "a plugin raised"),
    EventSpec("cache-observed", _I, ("provider", "profile", "request_had_cache_control", "outcome", "cache_read_input_tokens", "cache_creation_input_tokens", "input_tokens", "output_tokens", "streaming", "cost_usd", "cost_savings_usd", "priced", "estimated"), "what an answer took from the prompt cache, and what it cost"),
    EventSpec("request-refused", _I, ("plugin", "reason"), "a plugin declined a request"),
    EventSpec("instruction-added", _I, ("plugin", "reason"), "a plugin added text to the prompt"),
    EventSpec("internal-error", _E, ("error",), "the router itself failed on a request"),
    EventSpec("ledger-failed", _E, ("error",), "the ledger's store cannot be reached; what is known in memory serves on"),
    EventSpec("library-warning", _W, ("logger", "text", "error"), "a library that the router is made of logged a warning or an error; it stands in the sinks alone"),
    EventSpec("log-failed", _E, ("sink", "error"), "lines of the log cannot be written; it stands in the other sinks alone"),
    EventSpec("log-lines-dropped", _W, ("sink", "dropped"), "so many lines of the log were lost; it stands in the sinks alone"),
    EventSpec("adapter-note", _I, ("provider", "note"), "an adapter tells of its backend: started, restarted, stopped"),
)  # fmt: skip


class Events:
    """Takes events, checks them against the catalogue, hands them to every sink.

    A sink is called in the event loop and may not block. With `strict`, for tests, fields that differ from the
    catalogue's are noted in `mistakes`.
    """

    def __init__(
        self,
        specs: Iterable[EventSpec] = CORE_EVENTS,
        now: Callable[[], float] = time.time,
        *,
        strict: bool = False,
    ) -> None:
        self.specs: dict[str, EventSpec] = {spec.name: spec for spec in specs}
        self.sinks: list[Callable[[Event], None]] = []
        self.strict = strict
        self.mistakes: list[str] = []
        self._now = now
        self._silent = False

    def declare(self, specs: Iterable[EventSpec]) -> None:
        """Add a plugin's events. A name that exists already is a mistake of the plugin's author."""
        for spec in specs:
            if spec.name in self.specs:
                raise ValueError(f"event {spec.name!r} is declared twice")
            self.specs[spec.name] = spec

    def emit(self, name: str, /, **fields: Any) -> None:
        """Emit the event `name`. An undeclared name is a KeyError: the catalogue is complete."""
        self._emit(name, fields, fields)

    def emit_verdict(self, name: str, about: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
        """Emit the event of a verdict: its own `fields`, and what the core knows `about` it."""
        self._emit(name, {**about, **fields}, fields)

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Nothing is told meanwhile: somebody only looks. Not to be held across an ``await``."""
        self._silent = True
        try:
            yield
        finally:
            self._silent = False

    def _emit(self, name: str, fields: Mapping[str, Any], own: Mapping[str, Any]) -> None:
        spec = self.specs[name]
        if self.strict:
            self._check(spec, fields, own)
        if self._silent:
            return
        event = Event(name, spec.level, self._now(), current_request.get(), fields, current_session.get())
        for sink in self.sinks:
            sink(event)

    def _check(self, spec: EventSpec, fields: Mapping[str, Any], own: Mapping[str, Any]) -> None:
        if missing := [field for field in spec.fields if field not in fields]:
            self.mistakes.append(f"{spec.name}: emitted without {', '.join(missing)}")
        if unlisted := sorted(own.keys() - set(spec.fields)):
            self.mistakes.append(
                f"{spec.name}: emitted with {', '.join(unlisted)}, which its spec does not list"
            )
