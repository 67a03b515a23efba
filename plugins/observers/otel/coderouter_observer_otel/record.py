"""What is noted of a request while it runs: as little as will do, since its client waits."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from attrs import define, field, frozen

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


@frozen
class Begun:
    """The trace that a request belongs to. `parent_id` is the span that the client gave, 0 where it gave none; `state`
    is a ``tracestate``."""

    trace_id: int
    parent_id: int
    sampled: bool
    state: str = ""


@define(eq=False)
class Pending:
    """One request. `span_id` is that of its own span."""

    received: Event
    span_id: int
    begun: Begun
    tried: dict[str, Tried] = field(factory=dict)
    notes: list[Event] = field(factory=list)
    finished: Mapping[str, Any] = field(factory=dict)
    ended_at: float = 0.0

    def header(self, span_id: int) -> dict[str, str]:
        """W3C Trace Context that makes `span_id` the parent of what an upstream does."""
        begun = self.begun
        headers = {"traceparent": f"00-{begun.trace_id:032x}-{span_id:016x}-{begun.sampled:02x}"}
        if begun.state:
            headers["tracestate"] = begun.state
        return headers


def new_trace_id() -> int:
    return random.getrandbits(128) or 1


def new_span_id() -> int:
    return random.getrandbits(64) or 1
