"""What may be seen of a router while it runs: requests in flight, chains as they stand, how providers are."""

from __future__ import annotations

from typing import Literal, NamedTuple

from attrs import frozen

Phase = Literal["choosing", "waiting", "streaming"]
State = Literal["healthy", "degraded", "unhealthy", "resting", "slow"]


@frozen
class Live:
    """A request in flight. `began_at` is Unix time, `first_token_s` from there to its first content.

    `phase`: ``choosing`` until an attempt begins, ``waiting`` for its first content, then ``streaming``.
    `output_bytes` are those of the answer that were sent so far. `profile`, `provider`: None until known.
    """

    request_id: str
    session_id: str | None
    profile: str | None
    provider: str | None
    model: str
    dialect: str
    stream: bool
    began_at: float
    phase: Phase
    attempts: int
    output_bytes: int
    first_token_s: float | None


class LeftOut(NamedTuple):
    """A provider that would not be tried, by whom and why; `until_s` is in how many seconds that passes, None
    where nobody knows."""

    provider: str
    plugin: str
    reason: str
    until_s: float | None


class MovedBack(NamedTuple):
    """A provider that would be tried later than configured, by whom and why."""

    provider: str
    plugin: str
    weight: int
    reason: str


@frozen
class ChainView:
    """What a plain request of `profile` would get: names as `configured`, and as they would be tried."""

    profile: str
    configured: tuple[str, ...]
    effective: tuple[str, ...]
    rejected: tuple[LeftOut, ...] = ()
    demoted: tuple[MovedBack, ...] = ()


@frozen
class Standing:
    """What a plugin thinks of a provider now, and why; `until` is the Unix time at which it thinks again."""

    provider: str
    state: State
    reason: str = ""
    until: float | None = None


@frozen
class BudgetStanding:
    """Money of a `month` (UTC, ``2026-01``): what `name` may spend, has spent, and holds for attempts under way.

    `scope` is ``provider``, ``profile`` or ``key``.
    """

    scope: str
    name: str
    cap_usd: float
    spent_usd: float
    held_usd: float
    month: str
