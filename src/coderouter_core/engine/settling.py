"""What is told and kept of one attempt: that it began, that it has content, how it ended and what it cost."""

from __future__ import annotations

import time
from typing import Any

from attrs import evolve, frozen

from coderouter_core.costs import price
from coderouter_core.engine.attempt import Try
from coderouter_core.engine.billing import cache_observed
from coderouter_core.engine.failure import is_clients_fault, quoted
from coderouter_core.engine.report import Report
from coderouter_core.errors import PluginError, UpstreamError, where
from coderouter_core.events import Events
from coderouter_core.hooks import Hooks
from coderouter_core.model import Attempt, Cost, Dialect, Ledger, Outcome, Provider, Settings, Usage


@frozen(eq=False)
class Settlement:
    """Tells the log, the ledger and the observers of attempts."""

    hooks: Hooks
    events: Events
    ledger: Ledger
    settings: Settings

    def begun(self, running: Try) -> None:
        """The attempt is on record before the upstream is called."""
        self.ledger.start(running.record)
        self.events.emit(
            "try-provider",
            **_of(running),
            degraded=bool(running.dropped),
        )

    def content(self, running: Try, report: Report) -> None:
        """First content: who answers is decided, and the headers can be written."""
        report.waited_s += running.patience.waited_s
        running.patience.waited_s = 0.0
        report.first_token_s = time.perf_counter() - report.began
        report.overhead_s = report.first_token_s - report.waited_s
        self.events.emit(
            "provider-ok",
            **_of(running),
            ttft_ms=round(report.first_token_s * 1000, 1),
        )

    def ended(self, running: Try, failure: BaseException | None, report: Report) -> None:
        """The one place where an attempt ends, whatever its end. Nothing here may raise or wait."""
        record = running.settled(failure, self.price)
        report.waited_s += running.patience.waited_s
        report.tried.append((record, running.dropped))
        words = quoted(record.error_text, self.settings.log_upstream_errors) if record.error_text else ""
        if record.outcome in (Outcome.FAILED, Outcome.BROKEN):
            self._say_failed(record, failure, words)
        if running.plugin_error is not None:
            self._say_plugin_failed(running.plugin_error)
        if record.usage.reported or record.first_token_s is not None:
            self.events.emit("cache-observed", **cache_observed(record, report.request))
        self.ledger.settle(evolve(record, error_text=words) if words != record.error_text else record)
        self.hooks.observe_attempt(record)

    def _say_plugin_failed(self, error: PluginError) -> None:
        """One that failed before the first content is raised, and told of where that ends."""
        told = where(error.cause)
        self.events.emit(
            "plugin-failed", plugin=error.plugin, hook=error.hook, error=told, switched_off=False
        )

    def _say_failed(self, record: Attempt, failure: BaseException | None, words: str) -> None:
        broken = record.outcome is Outcome.BROKEN
        self.events.emit(
            "provider-failed-midstream" if broken else "provider-failed",
            provider=record.provider.name,
            profile=record.profile.name,
            attempt=record.number,
            status=record.status,
            retryable=not (isinstance(failure, UpstreamError) and is_clients_fault(failure)),
            error=words,
            error_kind=record.error_kind,
        )
        if broken and record.stream and record.dialect is Dialect.MESSAGES:
            self.events.emit("sse-midstream-error", provider=record.provider.name, original=words)

    def price(self, provider: Provider, usage: Usage, estimated: bool = False) -> Cost:
        """What `usage` costs: the plugins' answer, else the core's from the ``cost:`` table."""
        cost = self.hooks.compute_cost(provider, usage)
        return price(usage, provider.cost, estimated=estimated) if cost is None else cost


def _of(running: Try) -> dict[str, Any]:
    """What is told of every attempt."""
    record = running.record
    return {
        "provider": record.provider.name,
        "profile": record.profile.name,
        "attempt": record.number,
        "stream": record.stream,
        "native_anthropic": running.native_anthropic,
    }
