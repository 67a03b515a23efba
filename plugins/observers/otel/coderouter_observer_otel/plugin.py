"""The plugin: notes what requests do, and gives their records to the exporting thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

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
    new_trace_id,
)
from coderouter_observer_otel.settings import Otel, check, target

if TYPE_CHECKING:
    from coderouter_observer_otel.exporting import Export

#: Seconds that the last export may take when the router stops.
LAST_EXPORT_S = 5.0


class OtelObserver:
    def __init__(self) -> None:
        self._export: Export | None = None
        self._pending: dict[str, Pending] = {}
        self._noted: dict[str, bool] = {}
        self._w3c = TraceContextTextMapPropagator()
        self._failing: dict[str, bool] = {}

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

    @hookimpl
    def service(self, router: Router) -> AbstractAsyncContextManager[None] | None:
        settings = self._settings
        if target(settings, "traces") is None and target(settings, "metrics") is None:
            return None
        return self._exporting(router)

    @hookimpl
    def trace_context(self, attempt: Attempt, request: Request) -> Mapping[str, str] | None:
        pending = self._pending.get(request.id)
        if pending is None:
            return None
        tried = pending.tried[attempt.id] = Tried(new_span_id())
        return pending.header(tried.span_id)

    @hookimpl
    def observe_attempt(self, attempt: Attempt) -> None:
        pending = self._pending.get(attempt.request_id)
        if pending is not None and (tried := pending.tried.get(attempt.id)) is not None:
            tried.attempt = attempt

    @hookimpl
    def observe_event(self, event: Event) -> None:
        if self._export is None or event.request_id is None:
            return
        name = event.name
        if name == "request-received":
            self._received(event)
        elif name == "request-finished":
            self._finished(event)
        else:
            noted = self._noted.get(name)
            if noted is None:
                noted = self._noted[name] = is_noted(name)
            pending = self._pending.get(event.request_id) if noted else None
            if pending is not None and len(pending.notes) < MOST_NOTES:
                pending.notes.append(event)

    def _received(self, event: Event) -> None:
        assert self._export is not None
        assert event.request_id is not None
        given = event.fields.get("traceparent")
        trace_id, parent, state, context = new_trace_id(), None, None, None
        if given:
            carrier = {"traceparent": given, "tracestate": event.fields.get("tracestate") or ""}
            context = self._w3c.extract(carrier)
            said = get_current_span(context).get_span_context()
            if said.is_valid:
                trace_id, parent, state = said.trace_id, said, said.trace_state
        if len(self._pending) >= MOST_REQUESTS:
            del self._pending[next(iter(self._pending))]
        sampled = self._export.samples(trace_id, context)
        self._pending[event.request_id] = Pending(event, trace_id, new_span_id(), sampled, parent, state)

    def _finished(self, event: Event) -> None:
        assert self._export is not None
        assert event.request_id is not None
        pending = self._pending.pop(event.request_id, None)
        if pending is not None:
            pending.finished, pending.ended_at = event.fields, event.at
            self._export.put(pending)

    @asynccontextmanager
    async def _exporting(self, router: Router) -> AsyncIterator[None]:
        # Only now: it takes a fifth of a second, and who exports nothing need not wait for it.
        from coderouter_observer_otel.exporting import Export

        loop = asyncio.get_running_loop()

        def tell(signal: str, worked: bool) -> None:
            if self._failing.get(signal, False) is worked and not loop.is_closed():
                self._failing[signal] = not worked
                loop.call_soon_threadsafe(self._tell, router, signal, worked)

        self._export = export = Export(self._settings, tell)
        try:
            yield
        finally:
            self._export = None
            await _within(export, LAST_EXPORT_S)

    def _tell(self, router: Router, signal: str, worked: bool) -> None:
        name = "otel-export-works" if worked else "otel-export-failed"
        router.emit(name, signal=signal, dropped=self._export.dropped if self._export else 0)


async def _within(export: Export, limit_s: float) -> None:
    """Close `export`, or leave it to a thread that ends with the process: a collector may never answer."""
    loop = asyncio.get_running_loop()
    closed = asyncio.Event()

    def close() -> None:
        export.close()
        if not loop.is_closed():
            loop.call_soon_threadsafe(closed.set)

    threading.Thread(target=close, name="coderouter-otel-close", daemon=True).start()
    try:
        async with asyncio.timeout(limit_s):
            await closed.wait()
    except TimeoutError:
        return
