"""The one loop over a chain: try, commit, fall over, settle."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence

from attrs import define, field

from coderouter_core.engine.chain import CORE, Chains
from coderouter_core.engine.client import Client
from coderouter_core.engine.failure import (
    Failed,
    brief,
    forgotten,
    is_clients_fault,
    refuses_usage,
    says_context,
    verdict,
    without_key,
)
from coderouter_core.engine.preparing import Preparation
from coderouter_core.engine.report import Planned, Report
from coderouter_core.engine.review import Grant, Review
from coderouter_core.engine.settling import Settlement
from coderouter_core.engine.slices import turn
from coderouter_core.errors import RequestError, UpstreamError
from coderouter_core.events import Events
from coderouter_core.hooks import Hooks, Said
from coderouter_core.model import (
    Adapter,
    Clock,
    Fault,
    Ledger,
    Profile,
    Provider,
    Rejection,
    Request,
    Settings,
)

#: Why nobody else was tried.
STOPPED = "the request itself was refused, as any other provider would refuse it"

Finish = Callable[[], Awaitable[None]]


@define(eq=False)
class Engine:
    """Serves requests. Holds nothing of any one request."""

    adapters: Mapping[str, Adapter]
    chains: Chains
    hooks: Hooks
    events: Events
    ledger: Ledger
    clock: Clock
    settings: Settings
    find_window: Callable[[Provider], Awaitable[int | None]]
    review: Review = field(init=False)
    preparation: Preparation = field(init=False)
    settlement: Settlement = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.review = Review(self.hooks, self.events, self.ledger, self.chains)
        self.preparation = Preparation(self.adapters, self.chains, self.hooks, self.events, self.clock)
        self.settlement = Settlement(self.hooks, self.events, self.ledger, self.settings)

    async def serve(self, request: Request, profile: Profile, client: Client, report: Report) -> None:
        """Answer `request` from the chain of `profile`. Raises `RequestError` when nobody can."""
        self.review.request(request, profile, report)
        await turn(len(request.raw))
        await self.chains.prepare(request, profile)
        report.chain = chain = self.chains.resolve(request, profile)
        report.rejected += chain.rejected
        failed: list[Failed] = []
        waiting = deque(chain.providers)
        while waiting:
            provider = waiting.popleft()
            if failed and not await self._may_try(provider, request, profile, failed, report):
                continue
            grant = await self.review.attempt(provider, request, profile, report)
            if grant is None:
                continue
            try:
                await turn(len(request.raw))
                finish = await self._attempt(provider, request, profile, client, report, grant)
            except UpstreamError as error:
                if refuses_usage(error) and provider.name not in self.preparation.without_usage:
                    self.preparation.without_usage.add(provider.name)
                    waiting.appendleft(provider)
                    continue
                if error.window is not None:
                    self.chains.gates.told(provider, error.window)
                failed.append(Failed(provider, forgotten(error)))
                if not report.fallback_reason:
                    words = brief(error, self.settings.log_upstream_errors)
                    report.fallback_reason = f"{provider.name}: {words}"
                if is_clients_fault(error):
                    report.stopped = STOPPED
                    break
                continue
            finally:
                self.review.release(grant.tokens)
            await finish()
            return
        raise RequestError(self._no_answer(profile, failed, report))

    async def plan(self, request: Request, profile: Profile, report: Report) -> None:
        """As `serve`, without calling anybody: `report.planned` is who would be tried, each for a moment with what
        would be held for it. Raises `RequestError` when nobody would be."""
        self.review.request(request, profile, report)
        await self.chains.prepare(request, profile)
        report.chain = chain = self.chains.resolve(request, profile)
        report.rejected += chain.rejected
        for provider in chain.providers:
            grant = await self.review.attempt(provider, request, profile, report)
            if grant is not None:
                self.review.release(grant.tokens)
                try:
                    dropped = self.preparation.outgoing(provider, request, profile, grant, report).dropped
                except UpstreamError as error:
                    self._cannot_take(provider, profile, error, report)
                    continue
                report.planned.append(Planned(provider, dropped, grant.reservations))
        if not report.planned:
            raise RequestError(verdict(profile.name, (), _verdicts(report)))

    def _cannot_take(
        self, provider: Provider, profile: Profile, error: UpstreamError, report: Report
    ) -> None:
        """The request cannot be put into words for `provider`."""
        reason = brief(error, self.settings.log_upstream_errors)
        self.review.reject(Said(CORE, Rejection(provider, reason)), profile, report)

    async def _may_try(
        self,
        provider: Provider,
        request: Request,
        profile: Profile,
        failed: Sequence[Failed],
        report: Report,
    ) -> bool:
        """After a prompt was too long for somebody, only a provider with a larger window is tried."""
        too_long = [each for each in failed if says_context(each.error)]
        if not too_long:
            return True
        window, told = await self.find_window(provider), "is not known"
        if window is not None:
            beaten = [each.error.window or await self.find_window(each.provider) for each in too_long]
            known = [each for each in beaten if each is not None]
            if not known:
                await request.prepare(("tokens",))
            if window > (max(known) if known else request.tokens):
                return True
            told = f"of {window} tokens is no larger"
        reason = f"the prompt was too long for {too_long[-1].provider.name}, and its context window {told}"
        self.review.reject(Said(CORE, Rejection(provider, reason)), profile, report)
        return False

    async def _attempt(
        self,
        provider: Provider,
        request: Request,
        profile: Profile,
        client: Client,
        report: Report,
        grant: Grant,
    ) -> Finish:
        try:
            running = self.preparation.attempt(
                provider,
                request,
                profile,
                client,
                report,
                grant,
                on_content=lambda begun: self.settlement.content(begun, report),
            )
        except UpstreamError as error:
            # Nobody was asked: it is no attempt, and without an event nobody would know why.
            self._cannot_take(provider, profile, error, report)
            raise
        await turn(len(request.raw))
        report.provider = provider
        report.attempts += 1
        self.settlement.begun(running)
        failure: BaseException | None = None
        try:
            return await running.run()
        except UpstreamError as error:
            error.fault = without_key(error.fault, provider)
            failure = error
            raise
        except BaseException as error:
            failure = error
            raise
        finally:
            self.settlement.ended(running, failure, report)
            # An error holds its frames, and this frame the error: together they would keep the request's body.
            del failure

    # ---- when nobody answered

    def _no_answer(self, profile: Profile, failed: Sequence[Failed], report: Report) -> Fault:
        statuses = {each.error.status for each in failed}
        providers = report.chain.providers if report.chain is not None else ()
        if len(statuses) == 1 and statuses <= {401, 403} and len(failed) == len(providers):
            self.events.emit(
                "chain-uniform-auth-failure",
                profile=profile.name,
                status=next(iter(statuses)),
                count=len(failed),
                providers=[each.provider.name for each in failed],
                hint="probable-misconfig",
            )
        names = {each.provider.name for each in failed}
        # Who could not be sent the request is among both.
        left_out = [each for each in _verdicts(report) if each.provider.name not in names]
        return verdict(profile.name, failed, left_out)


def _verdicts(report: Report) -> list[Rejection]:
    return [said.verdict for said in report.rejected]
