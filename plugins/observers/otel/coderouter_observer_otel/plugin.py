"""The plugin: notes what requests do, and gives what ended to be exported."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from coderouter_core.api import (
    Attempt,
    Config,
    Event,
    EventSpec,
    Level,
    Option,
    Request,
    Router,
    Scope,
    hookimpl,
)
from coderouter_observer_otel.record import (
    MOST_NOTES,
    MOST_REQUESTS,
    Pending,
    Tried,
    is_noted,
    new_span_id,
)
from coderouter_observer_otel.settings import SIGNALS, Otel, check, propagates, target

if TYPE_CHECKING:
    from coderouter_observer_otel.exporting import Export

#: Seconds that the last export may take when the router stops.
LAST_EXPORT_S = 5.0


class OtelObserver:
    """`last_export_s` bounds the end of the router: a collector may never answer."""

    def __init__(self, last_export_s: float = LAST_EXPORT_S) -> None:
        self._last_export_s = last_export_s
        self._export: Export | None = None
        self._pending: dict[str, Pending] = {}
        self._noted: dict[str, bool] = {}
        self._failing: dict[str, bool] = {}
        self._propagates = True

    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.ROUTER, Otel)]

    @hookimpl
    def declare_events(self) -> Iterable[EventSpec]:
        return [
            EventSpec("otel-export-failed", Level.WARNING, ("signal", "dropped"), "the collector did not take what was exported; it is lost"),
            EventSpec("otel-export-works", Level.INFO, ("signal", "dropped"), "the collector takes exports again"),
        ]  # fmt: skip

    @hookimpl
    def configure(self, config: Config, router: Router) -> None:  # noqa: ARG002
        self._settings = config.option(Otel).otel
        check(self._settings)
        self._propagates = propagates()

    @hookimpl
    def service(self, router: Router) -> AbstractAsyncContextManager[None] | None:
        settings = self._settings
        if not any(target(settings, signal) for signal in SIGNALS):
            return None
        return self._exporting(router)

    @hookimpl
    def trace_context(self, attempt: Attempt, request: Request) -> Mapping[str, str] | None:
        pending = self._pending.get(request.id)
        if pending is None:
            return None
        tried = pending.tried[attempt.id] = Tried(new_span_id())
        return pending.header(tried.span_id) if self._propagates else None

    @hookimpl
    def observe_attempt(self, attempt: Attempt) -> None:
        if self._export is None:
            return
        if self._export.meters is not None:
            self._export.meters.attempt(attempt)
        pending = self._pending.get(attempt.request_id)
        if pending is not None and (tried := pending.tried.get(attempt.id)) is not None:
            tried.attempt = attempt

    @hookimpl
    def observe_event(self, event: Event) -> None:
        if self._export is None or event.request_id is None:
            return
        name = event.name
        if name == "request-received":
            self._received(self._export, event, event.request_id)
        elif name == "request-finished":
            self._finished(self._export, event, event.request_id)
        else:
            noted = self._noted.get(name)
            if noted is None:
                noted = self._noted[name] = is_noted(name)
            pending = self._pending.get(event.request_id) if noted else None
            if pending is not None and pending.begun.sampled and len(pending.notes) < MOST_NOTES:
                pending.notes.append(event)

    def _received(self, export: Export, event: Event, request_id: str) -> None:
        if len(self._pending) >= MOST_REQUESTS:
            oldest = self._pending.pop(next(iter(self._pending)))
            if oldest.begun.sampled and export.traces is not None:
                export.traces.lose(oldest)
        given = event.fields["traceparent"] if self._propagates else None
        begun = export.begin(given, event.fields["tracestate"])
        self._pending[request_id] = Pending(event, new_span_id(), begun)

    def _finished(self, export: Export, event: Event, request_id: str) -> None:
        if export.meters is not None:
            export.meters.request(event.fields)
        pending = self._pending.pop(request_id, None)
        if pending is not None and pending.begun.sampled and export.traces is not None:
            pending.finished, pending.ended_at = event.fields, event.at
            export.traces.put(pending)

    @asynccontextmanager
    async def _exporting(self, router: Router) -> AsyncIterator[None]:
        # Only now: it takes a fifth of a second, and who exports nothing need not wait for it.
        from coderouter_observer_otel.exporting import Export

        def tell(signal: str, worked: bool, dropped: int) -> None:
            if self._failing.get(signal, False) is worked:
                self._failing[signal] = not worked
                name = "otel-export-works" if worked else "otel-export-failed"
                router.emit(name, signal=signal, dropped=dropped)

        self._export = export = Export(self._settings, tell)
        try:
            yield
        finally:
            self._export = None
            self._pending.clear()
            await export.aclose(self._last_export_s)
