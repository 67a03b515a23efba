"""The trace of a request: a span for it, and one below for each attempt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import Tracer
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from coderouter_core.api import Attempt, Event, Outcome
from coderouter_observer_otel import names
from coderouter_observer_otel.record import SAFE_FIELDS, Pending

#: A status of the router's that tells of its own failure, not of the client's mistake.
FAILED_FROM = 500


class GivenIds(IdGenerator):
    """Ids that were chosen before: an upstream was told of them while its span was not made yet."""

    def __init__(self) -> None:
        self.trace_id = 1
        self.span_id = 1

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class SpanMaker:
    """Makes spans of requests that have ended. Used by one thread."""

    def __init__(self, tracer: Tracer, ids: GivenIds) -> None:
        self._tracer = tracer
        self._ids = ids

    def make(self, pending: Pending) -> None:
        """The spans of a request, from its record."""
        self._ids.trace_id = pending.trace_id
        start = _ns(pending.ended_at - float(pending.finished["duration_ms"]) / 1000)
        operation = names.OPERATIONS.get(str(pending.received.fields.get("operation")), "chat")
        for number, tried in enumerate(pending.tried.values(), 1):
            if tried.attempt is not None:
                self._attempt(pending, tried.span_id, tried.attempt, number, operation)
        self._ids.span_id = pending.span_id
        fields = pending.received.fields
        route = names.ROUTES.get((fields["dialect"], fields.get("operation", "generate")), "/v1")
        parent = None if pending.parent is None else _below(pending.parent)
        span = self._tracer.start_span(
            f"POST {route}",
            context=parent or trace.set_span_in_context(trace.INVALID_SPAN),
            kind=SpanKind.SERVER,
            attributes=_request(pending, route, operation),
            start_time=start,
        )
        for note in pending.notes:
            span.add_event(note.name, _safe(note), timestamp=_ns(note.at))
        status = pending.finished["status"]
        if status >= FAILED_FROM or pending.finished["outcome"] == "broken":
            span.set_attribute(names.ERROR_TYPE, _error_type(pending))
            span.set_status(Status(StatusCode.ERROR))
        span.end(_ns(pending.ended_at))

    def _attempt(self, pending: Pending, span_id: int, attempt: Attempt, number: int, operation: str) -> None:
        self._ids.span_id = span_id
        ours = SpanContext(
            pending.trace_id, pending.span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)
        )
        span = self._tracer.start_span(
            f"{operation} {attempt.provider.model}".rstrip(),
            context=_below(ours),
            kind=SpanKind.CLIENT,
            attributes={**of_attempt(attempt, operation), **_answer(attempt, number)},
            start_time=_ns(attempt.started_at),
        )
        if attempt.outcome in (Outcome.FAILED, Outcome.BROKEN):
            span.set_attribute(names.ERROR_TYPE, error_type(attempt))
            span.set_status(Status(StatusCode.ERROR, attempt.error_kind))
        span.end(_ns(attempt.started_at + attempt.seconds))


def of_attempt(attempt: Attempt, operation: str) -> dict[str, Any]:
    """Who was asked what; all of it from the configuration, so that metrics may be told apart by it."""
    provider = attempt.provider
    return {
        names.OPERATION: operation,
        names.PROVIDER: names.provider_name(provider),
        names.REQUEST_MODEL: provider.model,
        names.PROVIDER_NAME: provider.name,
        **names.server(provider),
    }


def error_type(attempt: Attempt) -> str:
    """The status that the upstream answered with, else what went wrong."""
    if attempt.error_kind in ("status", "context") and attempt.status is not None:
        return str(attempt.status)
    return attempt.error_kind or "_OTHER"


def _answer(attempt: Attempt, number: int) -> dict[str, Any]:
    usage = attempt.usage
    told: dict[str, Any] = {
        names.ATTEMPT: number,
        names.OUTCOME: attempt.outcome.value,
        names.CONVERSATION: attempt.session_id,
        names.STATUS: attempt.status,
    }
    if usage.reported or attempt.estimated:
        told |= {
            names.INPUT_TOKENS: usage.prompt,
            names.OUTPUT_TOKENS: usage.output,
            names.CACHE_READ_TOKENS: usage.cache_read,
            names.CACHE_WRITE_TOKENS: usage.cache_write,
            names.REASONING_TOKENS: usage.reasoning,
            names.ESTIMATED: attempt.estimated,
        }
    if attempt.cost is not None:
        told[names.COST] = attempt.cost.usd
    return _known(told.items())


def _request(pending: Pending, route: str, operation: str) -> dict[str, Any]:
    received, finished = pending.received, pending.finished
    return _known(
        {
            names.METHOD: "POST",
            names.ROUTE: route,
            names.STATUS: finished["status"],
            names.OPERATION: operation,
            names.REQUEST_MODEL: received.fields["model"] or None,
            names.CONVERSATION: received.session_id,
            names.REQUEST_ID: received.request_id,
            names.DIALECT: finished["dialect"],
            names.STREAM: finished["stream"],
            names.PROFILE: finished["profile"],
            names.PROVIDER_NAME: finished["provider"],
            names.ATTEMPTS: finished["attempts"],
            names.OUTCOME: finished["outcome"],
            names.COST: finished["cost_usd"] if finished["priced"] else None,
        }.items()
    )


def _error_type(pending: Pending) -> str:
    finished = pending.finished
    return "broken" if finished["outcome"] == "broken" else str(finished["status"])


def _known(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if value is not None}


def _safe(note: Event) -> dict[str, Any]:
    """What of an event's fields a trace may hold, in types that it takes."""
    fields = ((name, value) for name, value in note.fields.items() if name in SAFE_FIELDS)
    return {
        name: [str(each) for each in value] if isinstance(value, (list, tuple)) else value
        for name, value in fields
        if isinstance(value, (str, bool, int, float, list, tuple))
    }


def _below(context: SpanContext) -> Any:
    return trace.set_span_in_context(NonRecordingSpan(context))


def _ns(at: float) -> int:
    return int(at * 1e9)
