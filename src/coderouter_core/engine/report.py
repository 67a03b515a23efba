"""What became of one request so far."""

from __future__ import annotations

import time

from attrs import define, field, frozen

from coderouter_core.engine.chain import Chain
from coderouter_core.hooks import Said
from coderouter_core.model import (
    Attempt,
    Choice,
    Cost,
    Fault,
    Instruction,
    Profile,
    Provider,
    Refusal,
    Rejection,
    Request,
    Reservation,
    Usage,
)
from coderouter_core.model.usage import NOTHING

#: (field, reason) of what a provider did not get.
Dropped = tuple[tuple[str, str], ...]


@frozen(eq=False)
class Planned:
    """A provider that would be tried: what it would not get, and what would be held for it."""

    provider: Provider
    dropped: Dropped
    reservations: tuple[Reservation, ...]


@define(eq=False)
class Report:
    """The response headers are made of it while the request runs, and its trace when it has ended.

    `attempts` counts those that began; `tried` are those that ended, with what their providers did not get.
    `rejected` are those of the chain, then those made just before an attempt. `left`: the client did.
    """

    request: Request
    began: float = field(factory=time.perf_counter)
    began_at: float = 0.0
    choice: Choice | None = None
    instructions: list[Said[Instruction]] = field(factory=list)
    refusal: Said[Refusal] | None = None
    chain: Chain | None = None
    rejected: list[Said[Rejection]] = field(factory=list)
    provider: Provider | None = None
    attempts: int = 0
    tried: list[tuple[Attempt, Dropped]] = field(factory=list)
    planned: list[Planned] = field(factory=list)
    fallback_reason: str = ""
    stopped: str = ""
    waited_s: float = 0.0
    overhead_s: float | None = None
    usage: Usage = NOTHING
    cost: Cost | None = None
    fault: Fault | None = None
    left: bool = False

    @property
    def profile(self) -> Profile | None:
        return self.choice.profile if self.choice is not None else None

    @property
    def last(self) -> Attempt | None:
        return self.tried[-1][0] if self.tried else None
