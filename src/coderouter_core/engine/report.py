"""What became of one request so far."""

from __future__ import annotations

import time

from attrs import define, field, frozen

from coderouter_core.engine.chain import Chain
from coderouter_core.hooks import Said
from coderouter_core.model import (
    Attempt,
    Choice,
    Fault,
    Instruction,
    Profile,
    Provider,
    Refusal,
    Rejection,
    Request,
    Reservation,
)

#: (field, reason) of what a provider did not get.
Dropped = tuple[tuple[str, str], ...]


@frozen(eq=False)
class Planned:
    """A provider that would be tried: what it would not get, and what would be held for it."""

    provider: Provider
    dropped: Dropped
    reservations: tuple[Reservation, ...]


@frozen
class Total:
    """What all attempts of a request used and cost. `priced`: no price is missing in `cost_usd`."""

    input: int
    output: int
    cache_read: int
    cache_write: int
    reasoning: int
    cost_usd: float
    savings_usd: float
    priced: bool
    estimated: bool


@define(eq=False)
class Report:
    """The response headers are made of it while the request runs, and its trace when it has ended.

    `attempts` counts those that began; `tried` are those that ended, with what their providers did not get.
    `rejected` are those of the chain, then those made just before an attempt. `left`: the client did.
    `first_token_s`: from the request's beginning to the first content of its answer.
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
    first_token_s: float | None = None
    fault: Fault | None = None
    left: bool = False

    @property
    def profile(self) -> Profile | None:
        return self.choice.profile if self.choice is not None else None

    @property
    def total(self) -> Total:
        """The sum of what the ledger holds of this request's attempts."""
        read = said = cache_read = cache_write = reasoning = 0
        cost_usd = savings_usd = 0.0
        priced, estimated = True, False
        for record, _ in self.tried:
            usage, cost = record.usage, record.cost
            read, said = read + usage.input, said + usage.output
            cache_read, cache_write = cache_read + usage.cache_read, cache_write + usage.cache_write
            reasoning += usage.reasoning
            estimated = estimated or record.estimated
            if cost is not None:
                cost_usd, savings_usd = cost_usd + (cost.usd or 0.0), savings_usd + cost.savings_usd
                priced = priced and cost.usd is not None
        cost_usd, savings_usd = round(cost_usd, 10), round(savings_usd, 10)
        return Total(read, said, cache_read, cache_write, reasoning, cost_usd, savings_usd, priced, estimated)

    @property
    def last(self) -> Attempt | None:
        return self.tried[-1][0] if self.tried else None
