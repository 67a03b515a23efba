"""The one loop over a chain: try, commit, fall over, settle."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from attrs import define, evolve, field

from coderouter_core.costs import price
from coderouter_core.engine.attempt import Try
from coderouter_core.engine.billing import cache_observed
from coderouter_core.engine.chain import Chain, Chains
from coderouter_core.engine.client import Client
from coderouter_core.engine.failure import (
    Failed,
    is_clients_fault,
    says_context,
    summary,
    verdict,
)
from coderouter_core.engine.outgoing import outgoing
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
    Drop,
    Fault,
    Instruction,
    Ledger,
    Limits,
    Outcome,
    Profile,
    Provider,
    Refusal,
    Rejection,
    Request,
    Reservation,
    Settings,
    Usage,
)
from coderouter_core.model.attempt import VIA
from coderouter_core.model.usage import NOTHING

#: Seconds, where the configuration says nothing (the sources stand in docs/reference/limits.md).
CONNECT_S = 5.0
FIRST_BYTE_LOCAL_S = 600.0
FIRST_BYTE_REMOTE_S = 60.0
IDLE_S = 120.0

Finish = Callable[[], Awaitable[None]]


@define(eq=False)
class Report:
    """What became of one request so far; the response headers are made of it."""

    request: Request
    began: float = field(factory=time.perf_counter)
    profile: Profile | None = None
    provider: Provider | None = None
    attempts: int = 0
    fallback_reason: str = ""
    waited_s: float = 0.0
    overhead_s: float | None = None
    last: Attempt | None = None
    usage: Usage = NOTHING
    cost: Cost | None = None


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

    async def serve(self, request: Request, profile: Profile, client: Client, report: Report) -> None:
        """Answer `request` from the chain of `profile`. Raises `RequestError` when nobody can."""
        instructions = self._reviewed(request, profile)
        chain = self.chains.resolve(request, profile)
        rejected = list(chain.rejected)
        failed: list[Failed] = []
        for provider in chain.providers:
            if not await self._may_try(provider, request, failed):
                continue
            held = await self._review(provider, request, profile, rejected)
            if held is None:
                continue
            drops, tokens = held
            try:
                finish = await self._attempt(provider, request, profile, client, report, drops, instructions)
            except UpstreamError as error:
                failed.append(Failed(provider, error))
                report.fallback_reason = report.fallback_reason or f"{provider.name}: {summary(error)}"
                if is_clients_fault(error):
                    break
                continue
            finally:
                for token in tokens:
                    self.ledger.release(token)
            await finish()
            return
        raise RequestError(self._no_answer(chain, profile, failed, rejected))

    # ---- before an attempt

    def _reviewed(self, request: Request, profile: Profile) -> list[Instruction]:
        instructions: list[Instruction] = []
        for said in self.hooks.review_request(request, profile):
            told = said.verdict
            if isinstance(told, Refusal):
                self.events.emit(
                    told.event or "request-refused",
                    **{"plugin": said.plugin, "reason": told.message, **told.fields},
                )
                raise RequestError(
                    Fault(
                        told.status, told.kind, told.message, told.code, None, told.should_retry, told.extra
                    )
                )
            instructions.append(told)
            self.events.emit(
                told.event or "instruction-added",
                **{"plugin": said.plugin, "reason": told.reason, **told.fields},
            )
        return instructions

    async def _may_try(self, provider: Provider, request: Request, failed: Sequence[Failed]) -> bool:
        """After a prompt was too long for somebody, only a provider with a larger window is tried."""
        too_long = [each for each in failed if says_context(each.error)]
        if not too_long:
            return True
        window = await self.find_window(provider)
        if window is None:
            return False
        beaten = [each.error.window or await self.find_window(each.provider) for each in too_long]
        return window > max((known for known in beaten if known is not None), default=request.tokens)

    async def _review(
        self, provider: Provider, request: Request, profile: Profile, rejected: list[Rejection]
    ) -> tuple[list[Drop], list[str]] | None:
        """Drops for this attempt and tokens of what is reserved for it; None when it must not be made."""
        said = self.hooks.review_attempt(provider, request, profile)
        if not said:
            return [], []
        drops = [each.verdict for each in said if isinstance(each.verdict, Drop)]
        vetoes = [each for each in said if isinstance(each.verdict, Rejection)]
        tokens: list[str] = []
        for each in said:
            if vetoes or not isinstance(each.verdict, Reservation):
                continue
            wanted = each.verdict
            try:
                token = await self.ledger.reserve(wanted.counter, wanted.amount, wanted.cap)
            except BaseException:
                # The client left while the second of two was asked for: the first must not stay held.
                for held in tokens:
                    self.ledger.release(held)
                raise
            if token is None:
                vetoes.append(Said(each.plugin, wanted.rejection))
            else:
                tokens.append(token)
        if not vetoes:
            return drops, tokens
        for token in tokens:
            self.ledger.release(token)
        for veto in vetoes:
            self.chains.say_rejected(Said(veto.plugin, veto.verdict), profile)  # type: ignore[arg-type]
            rejected.append(veto.verdict)  # type: ignore[arg-type]
        return None

    # ---- the attempt

    async def _attempt(
        self,
        provider: Provider,
        request: Request,
        profile: Profile,
        client: Client,
        report: Report,
        drops: Sequence[Drop],
        instructions: Sequence[Instruction],
    ) -> Finish:
        report.provider = provider
        report.attempts += 1
        adapter = self.adapters[provider.name]
        dialect = _dialect(adapter, request)
        out = outgoing(request, provider, profile, dialect, drops, instructions)
        if out.dropped:
            self.events.emit(
                "capability-degraded",
                provider=provider.name,
                dropped=[field for field, _ in out.dropped],
                reason="; ".join(sorted({reason for _, reason in out.dropped})),
            )
        call = Call(
            provider,
            request.id,
            dialect,
            request.operation,
            out.body,
            request.stream,
            limits(provider, profile, stream=request.stream),
            {name: value for name, value in request.headers.items() if name.startswith("anthropic-")},
            f"{came}, {VIA}" if (came := request.headers.get("via")) else VIA,
        )
        record = Attempt(
            id=new_id(),
            request_id=request.id,
            profile=profile,
            provider=provider,
            number=report.attempts,
            dialect=request.dialect,
            stream=request.stream,
            started_at=self.clock.utc().timestamp(),
            model=request.model[:200],
            session_id=request.session_id,
            client_key=request.client_key,
        )
        running = Try(
            record,
            request,
            out,
            call,
            adapter,
            client,
            self.hooks.stream_filters(provider, request),
            accept_empty=profile.on_empty_answer == "accept",
            on_content=lambda begun: self._content(begun, report),
        )
        self.ledger.start(record)
        self.events.emit(
            "try-provider",
            provider=provider.name,
            profile=profile.name,
            attempt=report.attempts,
            stream=request.stream,
        )
        failure: BaseException | None = None
        try:
            return await running.run()
        except BaseException as error:
            failure = error
            raise
        finally:
            self._settle(running, failure, report)

    def _content(self, running: Try, report: Report) -> None:
        """First content: who answers is decided, and the headers can be written."""
        report.waited_s += running.waited_s
        running.waited_s = 0.0
        report.overhead_s = time.perf_counter() - report.began - report.waited_s
        record = running.record
        self.events.emit(
            "provider-ok",
            provider=record.provider.name,
            profile=record.profile.name,
            attempt=record.number,
            stream=record.stream,
            ttft_ms=round((time.perf_counter() - report.began) * 1000, 1),
        )

    def _settle(self, running: Try, failure: BaseException | None, report: Report) -> None:
        """The one place where an attempt ends, whatever its end. Nothing here may raise or wait."""
        record = running.settled(failure)
        if record.outcome is not Outcome.FAILED or record.usage.reported or record.estimated:
            record = evolve(record, cost=self.price(record.provider, record.usage, record.estimated))
        report.waited_s += running.waited_s
        report.last = record
        report.usage = record.usage
        report.cost = record.cost
        if record.outcome in (Outcome.FAILED, Outcome.BROKEN):
            broken = record.outcome is Outcome.BROKEN
            self.events.emit(
                "provider-failed-midstream" if broken else "provider-failed",
                provider=record.provider.name,
                profile=record.profile.name,
                attempt=record.number,
                status=record.status,
                retryable=not (isinstance(failure, UpstreamError) and is_clients_fault(failure)),
                error=self._quoted(record.error_text),
                error_kind=record.error_kind,
            )
        if record.usage.reported or record.first_token_s is not None:
            self.events.emit("cache-observed", **cache_observed(record, report.request))
        self.ledger.settle(record)
        self.hooks.observe_attempt(record)

    def price(self, provider: Provider, usage: Usage, estimated: bool = False) -> Cost:
        """What `usage` costs: the plugins' answer, else the core's from the ``cost:`` table."""
        cost = self.hooks.compute_cost(provider, usage)
        return price(usage, provider.cost, estimated=estimated) if cost is None else cost

    def _quoted(self, text: str) -> str:
        """An upstream's words, which may quote the prompt, cut as the operator wants them."""
        how = self.settings.log_upstream_errors
        return "" if how == "none" else text if how == "full" else text[:200]

    # ---- when nobody answered

    def _no_answer(
        self, chain: Chain, profile: Profile, failed: Sequence[Failed], rejected: Sequence[Rejection]
    ) -> Fault:
        statuses = {each.error.status for each in failed}
        if len(statuses) == 1 and statuses <= {401, 403} and len(failed) == len(chain.providers):
            self.events.emit(
                "chain-uniform-auth-failure",
                profile=profile.name,
                status=next(iter(statuses)),
                count=len(failed),
                providers=[each.provider.name for each in failed],
                hint="probable-misconfig",
            )
        return verdict(profile.name, failed, rejected)


def _dialect(adapter: Adapter, request: Request) -> Dialect:
    """The client's own dialect where the adapter speaks it, else the adapter's best."""
    return request.dialect if request.dialect in adapter.dialects else adapter.dialects[0]


def limits(provider: Provider, profile: Profile, *, stream: bool) -> Limits:
    """How long this provider may take, by the profile's and the provider's words, else by its place.

    An answer that is not streamed sends its first byte with its last token; without a word in the
    configuration it may take as long from anywhere as a local one.
    """
    said = profile.timeout_s or provider.timeout_s
    place = FIRST_BYTE_LOCAL_S if provider.is_local or not stream else FIRST_BYTE_REMOTE_S
    return Limits(
        connect_s=provider.connect_timeout_s or min(CONNECT_S, said or CONNECT_S),
        first_byte_s=provider.first_byte_timeout_s or said or place,
        idle_s=said or IDLE_S,
    )
