"""What is noted of a request while it runs: as little as will do, since its client waits."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from attrs import define, field
from opentelemetry.trace import SpanContext, TraceFlags, TraceState

from coderouter_core.api import Attempt, Event

#: Requests that are noted at a time; beyond it the oldest is forgotten.
MOST_REQUESTS = 10_000
#: Events of one request that become events of its span.
MOST_NOTES = 64

#: Events that tell why a request went its way.
NOTED = frozenset(
    {
        "auto-router-resolved",
        "auto-router-fallthrough",
        "mode-alias-resolved",
        "capability-degraded",
        "provider-failed",
        "provider-failed-midstream",
        "request-refused",
        "instruction-added",
        "client-disconnected",
        "plugin-failed",
        "internal-error",
    }
)
#: And those whose names begin or end like this, whichever plugin declares them.
NOTED_BEGINNINGS = ("skip-", "demote-", "chain-", "adaptive-")
NOTED_ENDS = ("-detected", "-near-limit", "-repaired", "-changed")
#: Fields that hold words of the router or of its configuration, never of a client or an upstream.
SAFE_FIELDS = frozenset(
    {
        "provider",
        "profile",
        "plugin",
        "hook",
        "status",
        "error_kind",
        "attempt",
        "weight",
        "action",
        "phase",
        "rule_id",
        "resolved_profile",
        "mode",
        "old_state",
        "new_state",
        "dropped",
        "repeat_count",
    }
)


def is_noted(name: str) -> bool:
    """Whether an event of this name belongs to a trace."""
    return name in NOTED or name.startswith(NOTED_BEGINNINGS) or name.endswith(NOTED_ENDS)


@define(eq=False)
class Tried:
    """One attempt: the id of its span, and what became of it."""

    span_id: int
    attempt: Attempt | None = None


@define(eq=False)
class Pending:
    """One request. `parent` is the span that the client gave, `trace_id` and `span_id` are those of ours."""

    received: Event
    trace_id: int
    span_id: int
    sampled: bool
    parent: SpanContext | None = None
    state: TraceState | None = None
    tried: dict[str, Tried] = field(factory=dict)
    notes: list[Event] = field(factory=list)
    finished: Mapping[str, Any] = field(factory=dict)
    ended_at: float = 0.0

    def header(self, span_id: int) -> dict[str, str]:
        """W3C Trace Context that makes `span_id` the parent of what an upstream does."""
        flags = TraceFlags.SAMPLED if self.sampled else TraceFlags.DEFAULT
        headers = {"traceparent": f"00-{self.trace_id:032x}-{span_id:016x}-{flags:02x}"}
        if self.state:
            headers["tracestate"] = self.state.to_header()
        return headers


def new_trace_id() -> int:
    return random.getrandbits(128) or 1


def new_span_id() -> int:
    return random.getrandbits(64) or 1
