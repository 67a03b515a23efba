"""How far an attempt came, and its record once it ended."""

from __future__ import annotations

import time
from collections.abc import Callable

from attrs import define, evolve, field

from coderouter_core.engine.billing import billed, was_cut
from coderouter_core.errors import PluginError, UpstreamError, where
from coderouter_core.model import Attempt, Cost, Outcome, Provider, Request, Usage

#: Of what an upstream said about its failure, as many characters are kept.
MOST_WORDS = 2000

Price = Callable[[Provider, Usage, bool], Cost]


@define(eq=False)
class Course:
    """`status` is the upstream's, once there is one. `usage` is what it reported so far, `size` the bytes of what it
    said, `ended` whether it came to a proper end. `first_token_s` is when the client got content."""

    status: int | None = None
    usage: Usage = field(factory=Usage)
    size: int = 0
    ended: bool = False
    first_token_s: float | None = None
    _began: float = field(factory=time.perf_counter, init=False)

    def commit(self) -> None:
        """The client gets content now."""
        self.first_token_s = time.perf_counter() - self._began

    def settled(
        self, record: Attempt, request: Request, failure: BaseException | None, price: Price
    ) -> Attempt:
        """`record`, when its attempt ended: well, or by `failure`. `price` tells what it cost."""
        outcome, status = Outcome.OK, self.status
        kind, text, retry_after_s = None, "", None
        if isinstance(failure, UpstreamError):
            outcome = Outcome.FAILED if self.first_token_s is None else Outcome.BROKEN
            status, kind, text = failure.status, failure.kind, failure.told
            retry_after_s = failure.fault.retry_after_s
        elif isinstance(failure, PluginError):
            outcome, kind = Outcome.FAILED, "plugin"
            text = f"plugin {failure.plugin!r} failed in {failure.hook}: {where(failure.cause)}"
        elif failure is not None:
            outcome = Outcome.CANCELLED
        usage, estimated = self.usage, False
        if outcome is not Outcome.FAILED or was_cut(failure, self.status):
            usage, estimated = billed(usage, self.size, ended=self.ended, request=request)
        costs = outcome is not Outcome.FAILED or usage.reported or estimated
        return evolve(
            record,
            outcome=outcome,
            status=status,
            error_kind=kind,
            error_text=text[:MOST_WORDS],
            retry_after_s=retry_after_s,
            seconds=time.perf_counter() - self._began,
            first_token_s=self.first_token_s,
            usage=usage,
            estimated=estimated,
            cost=price(record.provider, usage, estimated) if costs else None,
        )
