"""The one loop over a chain: try, commit, fall over, settle."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence

from attrs import define, evolve, field

from coderouter_core.costs import price
from coderouter_core.engine.attempt import Try
from coderouter_core.engine.billing import cache_observed
from coderouter_core.engine.chain import CORE, Chains
from coderouter_core.engine.client import Client
from coderouter_core.engine.failure import (
    Failed,
    brief,
    forgotten,
    is_clients_fault,
    quoted,
    refuses_usage,
    says_context,
    verdict,
    without_key,
)
from coderouter_core.engine.limits import limits
from coderouter_core.engine.outgoing import Outgoing, outgoing
from coderouter_core.engine.reduced import reduced
from coderouter_core.engine.renaming import Renaming
from coderouter_core.engine.report import Dropped, Planned, Report
from coderouter_core.engine.review import Grant, Review
from coderouter_core.engine.unreasoned import FIELDS, REASON, Unreasoned, hides_reasoning
from coderouter_core.errors import RequestError, UpstreamError
from coderouter_core.events import Events
from coderouter_core.hooks import Hooks, Said
from coderouter_core.ids import new_id
from coderouter_core.model import (
    Adapter,
    Attempt,
    Call,
    Clock,
    Cost,
    Dialect,
    Fault,
    Ledger,
    Operation,
    Outcome,
    Profile,
    Provider,
    Rejection,
    Request,
    Settings,
    StreamFilter,
    Usage,
)
from coderouter_core.model.attempt import VIA

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
    #: Providers that refused to be asked for the usage of a stream.
    without_usage: set[str] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self.review = Review(self.hooks, self.events, self.ledger, self.chains)

    async def serve(self, request: Request, profile: Profile, client: Client, report: Report) -> None:
        """Answer `request` from the chain of `profile`. Raises `RequestError` when nobody can."""
        self.review.request(request, profile, report)
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
                finish = await self._attempt(provider, request, profile, client, report, grant)
            except UpstreamError as error:
                if refuses_usage(error) and provider.name not in self.without_usage:
                    self.without_usage.add(provider.name)
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
                    dropped = self._outgoing(provider, request, profile, grant, report).dropped
                except UpstreamError as error:
                    self.review.reject(
                        Said(CORE, Rejection(provider, brief(error, self.settings.log_upstream_errors))),
                        profile,
                        report,
                    )
                    continue
                report.planned.append(Planned(provider, dropped, grant.reservations))
        if not report.planned:
            raise RequestError(verdict(profile.name, (), _verdicts(report)))

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
            if window > max((known for known in beaten if known is not None), default=request.tokens):
                return True
            told = f"of {window} tokens is no larger"
        reason = f"the prompt was too long for {too_long[-1].provider.name}, and its context window {told}"
        self.review.reject(Said(CORE, Rejection(provider, reason)), profile, report)
        return False

    # ---- the attempt

    async def _attempt(
        self,
        provider: Provider,
        request: Request,
        profile: Profile,
        client: Client,
        report: Report,
        grant: Grant,
    ) -> Finish:
        report.provider = provider
        report.attempts += 1
        adapter = self.adapters[provider.name]
        out = self._outgoing(provider, request, profile, grant, report)
        self._say_dropped(provider, out.dropped)
        record = self._record(provider, request, profile, report.attempts)
        call = _call(provider, request, profile, out, self.hooks.trace_context(record, request))
        running = Try(
            record,
            request,
            out,
            call,
            adapter,
            client,
            lambda: self._filters(provider, request, out),
            accept_empty=profile.on_empty_answer == "accept",
            on_content=lambda begun: self._content(begun, report),
            window=self.chains.gates.window(provider),
        )
        self.ledger.start(record)
        self.events.emit(
            "try-provider",
            provider=provider.name,
            profile=profile.name,
            attempt=report.attempts,
            stream=request.stream,
            native_anthropic=out.dialect is Dialect.MESSAGES,
            degraded=bool(out.dropped),
        )
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
            self._settle(running, failure, report, out.dropped)
            # An error holds its frames, and this frame the error: together they would keep the request's body.
            del failure

    def _filters(self, provider: Provider, request: Request, out: Outgoing) -> list[StreamFilter]:
        """A set of filters for one answer, or for one of its choices."""
        if request.operation is not Operation.GENERATE:
            return []
        found = self.hooks.stream_filters(provider, request)
        own: list[StreamFilter] = [Renaming(out.names)] if out.names else []
        if hides_reasoning(self.chains.gates.can(provider), request, out.dialect):
            told = ((field, REASON) for field in FIELDS)
            own.append(Unreasoned(lambda: self._say_dropped(provider, tuple(told))))
        return [*own, *found] if own else found

    def _record(self, provider: Provider, request: Request, profile: Profile, number: int) -> Attempt:
        return Attempt(
            id=new_id(),
            request_id=request.id,
            profile=profile,
            provider=provider,
            number=number,
            dialect=request.dialect,
            stream=request.stream,
            started_at=self.clock.utc().timestamp(),
            model=request.model[:200],
            session_id=request.session_id,
            client_key=request.client_key,
            operation=request.operation,
        )

    def _say_dropped(self, provider: Provider, dropped: Dropped) -> None:
        """One event for each reason, so that a reason can be counted and searched for."""
        for reason in sorted({reason for _, reason in dropped}):
            fields = [field for field, because in dropped if because == reason]
            self.events.emit("capability-degraded", provider=provider.name, dropped=fields, reason=reason)

    def _outgoing(
        self, provider: Provider, request: Request, profile: Profile, grant: Grant, report: Report
    ) -> Outgoing:
        dialect = _dialect(self.adapters[provider.name], request)
        added = [said.verdict for said in report.instructions]
        ask_usage = provider.name not in self.without_usage
        gates = self.chains.gates
        try:
            taken = reduced(request, gates.can(provider), gates.lacks(provider, request), dialect)
            known = evolve(provider, capabilities=gates.can(provider))
            return outgoing(request, known, profile, dialect, grant.drops, added, taken, ask_usage=ask_usage)
        except RequestError as error:
            raise UpstreamError("garbage", error.fault) from None
        except (TypeError, ValueError, RecursionError) as error:
            message = f"the request cannot be written for this provider ({type(error).__name__})"
            fault = Fault(400, "invalid_request_error", message, code="garbage")
            raise UpstreamError("garbage", fault) from None

    def _content(self, running: Try, report: Report) -> None:
        """First content: who answers is decided, and the headers can be written."""
        report.waited_s += running.patience.waited_s
        running.patience.waited_s = 0.0
        report.first_token_s = time.perf_counter() - report.began
        report.overhead_s = report.first_token_s - report.waited_s
        record = running.record
        self.events.emit(
            "provider-ok",
            provider=record.provider.name,
            profile=record.profile.name,
            attempt=record.number,
            stream=record.stream,
            native_anthropic=running.native_anthropic,
            ttft_ms=round(report.first_token_s * 1000, 1),
        )

    def _settle(self, running: Try, failure: BaseException | None, report: Report, dropped: Dropped) -> None:
        """The one place where an attempt ends, whatever its end. Nothing here may raise or wait."""
        record = running.settled(failure)
        if record.outcome is not Outcome.FAILED or record.usage.reported or record.estimated:
            record = evolve(record, cost=self.price(record.provider, record.usage, record.estimated))
        report.waited_s += running.patience.waited_s
        report.tried.append((record, dropped))
        words = quoted(record.error_text, self.settings.log_upstream_errors) if record.error_text else ""
        if record.outcome in (Outcome.FAILED, Outcome.BROKEN):
            broken = record.outcome is Outcome.BROKEN
            self.events.emit(
                "provider-failed-midstream" if broken else "provider-failed",
                provider=record.provider.name,
                profile=record.profile.name,
                attempt=record.number,
                status=record.status,
                retryable=not (isinstance(failure, UpstreamError) and is_clients_fault(failure)),
                error=words,
                error_kind=record.error_kind,
            )
            if broken and record.stream and record.dialect is Dialect.MESSAGES:
                self.events.emit("sse-midstream-error", provider=record.provider.name, original=words)
        if record.usage.reported or record.first_token_s is not None:
            self.events.emit("cache-observed", **cache_observed(record, report.request))
        self.ledger.settle(evolve(record, error_text=words) if words != record.error_text else record)
        self.hooks.observe_attempt(record)

    def price(self, provider: Provider, usage: Usage, estimated: bool = False) -> Cost:
        """What `usage` costs: the plugins' answer, else the core's from the ``cost:`` table."""
        cost = self.hooks.compute_cost(provider, usage)
        return price(usage, provider.cost, estimated=estimated) if cost is None else cost

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
        return verdict(profile.name, failed, _verdicts(report))


def _verdicts(report: Report) -> list[Rejection]:
    return [said.verdict for said in report.rejected]


def _dialect(adapter: Adapter, request: Request) -> Dialect:
    """The client's own dialect where the adapter speaks it, else the adapter's best."""
    return request.dialect if request.dialect in adapter.dialects else adapter.dialects[0]


def _call(
    provider: Provider, request: Request, profile: Profile, out: Outgoing, trace: Mapping[str, str]
) -> Call:
    came = request.headers.get("via")
    return Call(
        provider,
        request.id,
        out.dialect,
        request.operation,
        out.body,
        request.stream,
        limits(provider, profile, stream=request.stream),
        out.headers,
        f"{came}, {VIA}" if came else VIA,
        trace,
    )
