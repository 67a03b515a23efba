"""The trace of a request as OTLP writes it: a span for it, and one below for each attempt.

A span is written when its request ends, straight into the message that carries it. The SDK's own spans are objects
of some thirty parts that are validated one by one and encoded one by one, several times as dear as all else that the
router does for a request; and most of those parts are the same in every span, so here they are encoded once and kept.
"""

from __future__ import annotations

import functools
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span, SpanFlags, Status

from coderouter_core.api import Attempt, Event, Operation, Outcome, Provider
from coderouter_observer_otel import names
from coderouter_observer_otel.encoding import key_values
from coderouter_observer_otel.facts import error_of_request, error_type, of_attempt
from coderouter_observer_otel.record import SAFE_FIELDS, Pending, Tried

#: Sets of attributes that are kept encoded.
MOST_KEPT = 2000
#: Of a parent that is ours, and of one that came with the request; every span that is written was sampled.
OURS = 1 | SpanFlags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK
THEIRS = OURS | SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK


def write(spans: Any, pending: Pending) -> None:
    """Add the spans of a request that ended to `spans`, a repeated field."""
    trace_id = pending.begun.trace_id.to_bytes(16, "big")
    above = pending.span_id.to_bytes(8, "big")
    _request(spans, pending, trace_id, above)
    for number, tried in enumerate(pending.tried.values(), 1):
        if tried.attempt is not None:
            _attempt(spans, tried, tried.attempt, number, (trace_id, above, pending.begun.state))


def _request(spans: Any, pending: Pending, trace_id: bytes, span_id: bytes) -> None:
    begun = pending.begun
    received, finished = pending.received.fields, pending.finished
    dialect, operation = finished["dialect"], finished["operation"]
    span = spans.add(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=begun.parent_id.to_bytes(8, "big") if begun.parent_id else b"",
        trace_state=begun.state,
        flags=THEIRS if begun.parent_id else OURS,
        start_time_unix_nano=_ns(pending.ended_at - finished["duration_ms"] / 1000),
        end_time_unix_nano=_ns(pending.ended_at),
        attributes=key_values(
            (
                (names.REQUEST_ID, pending.received.request_id),
                (names.CONVERSATION, pending.received.session_id),
                (names.COST, finished["cost_usd"] if finished["priced"] else None),
            )
        ),
    )
    span.MergeFromString(
        _facts_of_request(
            dialect,
            operation,
            received["model"],
            finished["stream"],
            finished["profile"],
            finished["provider"],
            finished["attempts"],
            finished["status"],
            finished["outcome"],
            error_of_request(finished),
        )
    )
    for note in pending.notes:
        span.events.add(name=note.name, time_unix_nano=_ns(note.at), attributes=_safe(note))


def _attempt(
    spans: Any, tried: Tried, attempt: Attempt, number: int, above: tuple[bytes, bytes, str]
) -> None:
    trace_id, parent_id, state = above
    usage, cost = attempt.usage, attempt.cost
    told: tuple[tuple[str, Any], ...] = (
        (names.CONVERSATION, attempt.session_id),
        (names.COST, cost.usd if cost is not None else None),
    )
    counted = usage.reported or attempt.estimated
    if counted:
        told = (
            *told,
            (names.INPUT_TOKENS, usage.prompt),
            (names.OUTPUT_TOKENS, usage.output),
            (names.CACHE_READ_TOKENS, usage.cache_read),
            (names.CACHE_WRITE_TOKENS, usage.cache_write),
            (names.REASONING_TOKENS, usage.reasoning),
        )
    failed = attempt.outcome in (Outcome.FAILED, Outcome.BROKEN)
    span = spans.add(
        trace_id=trace_id,
        span_id=tried.span_id.to_bytes(8, "big"),
        parent_span_id=parent_id,
        trace_state=state,
        flags=OURS,
        start_time_unix_nano=_ns(attempt.started_at),
        end_time_unix_nano=_ns(attempt.started_at + attempt.seconds),
        attributes=key_values(told),
    )
    span.MergeFromString(
        _facts_of_attempt(
            attempt.provider,
            attempt.operation,
            number,
            attempt.outcome,
            attempt.status,
            attempt.estimated if counted else None,
            error_type(attempt) if failed else None,
            attempt.error_kind if failed else None,
        )
    )


@functools.lru_cache(maxsize=MOST_KEPT)
def _facts_of_request(
    dialect: str,
    operation: str,
    model: str,
    stream: bool,
    profile: str | None,
    provider: str | None,
    attempts: int,
    status: int,
    outcome: str,
    error: str | None,
) -> bytes:
    """What is the same in the spans of many requests. Parts of a message, one after the other, are that message."""
    route = names.ROUTES.get((dialect, operation), "/v1")
    told = (
        (names.METHOD, "POST"),
        (names.ROUTE, route),
        (names.STATUS, status),
        (names.OPERATION, names.OPERATIONS.get(operation, "chat")),
        (names.REQUEST_MODEL, model or None),
        (names.DIALECT, dialect),
        (names.STREAM, stream),
        (names.PROFILE, profile),
        (names.PROVIDER_NAME, provider),
        (names.ATTEMPTS, attempts),
        (names.OUTCOME, outcome),
        (names.ERROR_TYPE, error),
    )
    part = Span(name=f"POST {route}", kind=Span.SPAN_KIND_SERVER, attributes=key_values(told))
    part.status.CopyFrom(_status(error is not None))
    return bytes(part.SerializeToString())


@functools.lru_cache(maxsize=MOST_KEPT)
def _facts_of_attempt(
    provider: Provider,
    operation: Operation,
    number: int,
    outcome: Outcome,
    status: int | None,
    estimated: bool | None,
    error: str | None,
    error_kind: str | None,
) -> bytes:
    told = (
        *of_attempt(provider, operation),
        (names.ATTEMPT, number),
        (names.OUTCOME, outcome.value),
        (names.STATUS, status),
        (names.ESTIMATED, estimated),
        (names.ERROR_TYPE, error),
    )
    name = f"{names.OPERATIONS.get(operation.value, 'chat')} {provider.model}".rstrip()
    part = Span(name=name, kind=Span.SPAN_KIND_CLIENT, attributes=key_values(told))
    part.status.CopyFrom(_status(error is not None, error_kind or ""))
    return bytes(part.SerializeToString())


def _status(failed: bool, message: str = "") -> Status:
    return Status(code=Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_UNSET, message=message)


def _safe(note: Event) -> list[Any]:
    """What of an event's fields a trace may hold, in types that it takes."""
    return key_values(
        (name, [str(each) for each in value] if isinstance(value, (list, tuple)) else value)
        for name, value in note.fields.items()
        if name in SAFE_FIELDS and isinstance(value, (str, bool, int, float, list, tuple))
    )


def _ns(at: float) -> int:
    return int(at * 1e9)
