"""What plugins say before a request and before each of its attempts, and what the core makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from attrs import define, field, frozen

from coderouter_core.engine.chain import Chains
from coderouter_core.engine.report import Report
from coderouter_core.errors import RequestError
from coderouter_core.events import Events
from coderouter_core.hooks import Hooks, Said
from coderouter_core.model import (
    Drop,
    Fault,
    Instruction,
    Ledger,
    Profile,
    Provider,
    Refusal,
    Rejection,
    Request,
    Reservation,
)


@frozen(eq=False)
class Grant:
    """That an attempt may be made: without what is dropped, and with what is held for it by `tokens`."""

    drops: tuple[Drop, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    tokens: tuple[str, ...] = ()


FREE = Grant()


@define(eq=False)
class Review:
    """Asks, and keeps every answer in the request's report."""

    hooks: Hooks
    events: Events
    ledger: Ledger
    chains: Chains
    _held: dict[str, Reservation] = field(factory=dict, init=False)

    def request(self, request: Request, profile: Profile, report: Report) -> list[Instruction]:
        """What is added to the prompt. Raises `RequestError` when a plugin declines the request."""
        for said in self.hooks.review_request(request, profile):
            told = said.verdict
            if isinstance(told, Refusal):
                about = {"plugin": said.plugin, "reason": told.message}
                self.events.emit_verdict(told.event or "request-refused", about, told.fields)
                report.refusal = Said(said.plugin, told)
                raise RequestError(
                    Fault(
                        told.status, told.kind, told.message, told.code, None, told.should_retry, told.extra
                    )
                )
            report.instructions.append(Said(said.plugin, told))
            about = {"plugin": said.plugin, "reason": told.reason}
            self.events.emit_verdict(told.event or "instruction-added", about, told.fields)
        return [said.verdict for said in report.instructions]

    async def attempt(
        self, provider: Provider, request: Request, profile: Profile, report: Report
    ) -> Grant | None:
        """None when the attempt must not be made. A grant's tokens are the caller's to release."""
        said = self.hooks.review_attempt(provider, request, profile)
        if not said:
            return FREE
        vetoes = [cast("Said[Rejection]", each) for each in said if isinstance(each.verdict, Rejection)]
        wanted = [cast("Said[Reservation]", each) for each in said if isinstance(each.verdict, Reservation)]
        tokens = [] if vetoes else await self._reserve(wanted, vetoes)
        if not vetoes:
            drops = tuple(each.verdict for each in said if isinstance(each.verdict, Drop))
            return Grant(drops, tuple(each.verdict for each in wanted), tuple(tokens))
        self.release(tokens)
        for veto in vetoes:
            self.reject(veto, profile, report)
        return None

    def reject(self, said: Said[Rejection], profile: Profile, report: Report) -> None:
        """Tell of a rejection that was made after the chain was."""
        self.chains.say_rejected(said, profile)
        report.rejected.append(said)

    def release(self, tokens: Sequence[str]) -> None:
        """Let go of what is held."""
        for token in tokens:
            self._held.pop(token, None)
            self.ledger.release(token)

    def held(self, counter: str) -> float:
        """What attempts under way in this process hold of `counter`."""
        return sum(hold.amount for hold in self._held.values() if hold.counter == counter)

    async def _reserve(self, wanted: Sequence[Said[Reservation]], vetoes: list[Said[Rejection]]) -> list[str]:
        """Tokens of what could be held; what could not becomes a veto."""
        tokens: list[str] = []
        for each in wanted:
            hold = each.verdict
            try:
                token = await self.ledger.reserve(hold.counter, hold.amount, hold.cap)
            except BaseException:
                # The client left while the second of two was asked for: the first must not stay held.
                self.release(tokens)
                raise
            if token is None:
                vetoes.append(Said(each.plugin, hold.rejection))
                break
            tokens.append(token)
            self._held[token] = hold
        return tokens
