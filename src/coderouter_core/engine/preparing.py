"""What one attempt needs before it runs: its record, its body, its filters and its call."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import define, field

from coderouter_core.engine.attempt import Try
from coderouter_core.engine.chain import Chains
from coderouter_core.engine.client import Client
from coderouter_core.engine.limits import limits
from coderouter_core.engine.outgoing import Outgoing, outgoing
from coderouter_core.engine.reduced import reduced
from coderouter_core.engine.renaming import Renaming
from coderouter_core.engine.report import Dropped, Report
from coderouter_core.engine.review import Grant
from coderouter_core.engine.unreasoned import FIELDS, REASON, Unreasoned, hides_reasoning
from coderouter_core.errors import RequestError, UpstreamError
from coderouter_core.events import Events
from coderouter_core.hooks import Hooks
from coderouter_core.ids import new_id
from coderouter_core.model import (
    Adapter,
    Attempt,
    Call,
    Clock,
    Dialect,
    Fault,
    Operation,
    Profile,
    Provider,
    Request,
    StreamFilter,
)
from coderouter_core.model.attempt import VIA


@define(eq=False)
class Preparation:
    """Makes attempts ready. `without_usage` are providers that refused to be asked for the usage of a stream."""

    adapters: Mapping[str, Adapter]
    chains: Chains
    hooks: Hooks
    events: Events
    clock: Clock
    without_usage: set[str] = field(factory=set, init=False)

    def attempt(
        self,
        provider: Provider,
        request: Request,
        profile: Profile,
        client: Client,
        report: Report,
        grant: Grant,
        on_content: Callable[[Try], None],
    ) -> Try:
        """An attempt that can be run. Raises `UpstreamError` where the provider cannot be sent this request."""
        out = self.outgoing(provider, request, profile, grant, report)
        self._say_dropped(provider, out.dropped)
        record = self._record(provider, request, profile, report.attempts + 1)
        call = _call(provider, request, profile, out, self.hooks.trace_context(record, request))
        return Try(
            record,
            request,
            out,
            call,
            self.adapters[provider.name],
            client,
            lambda: self._filters(provider, request, out),
            accept_empty=profile.on_empty_answer == "accept",
            on_content=on_content,
            window=self.chains.gates.window(provider),
        )

    def outgoing(
        self, provider: Provider, request: Request, profile: Profile, grant: Grant, report: Report
    ) -> Outgoing:
        """The body for `provider`. Raises `UpstreamError` where it cannot be written."""
        dialect = _dialect(self.adapters[provider.name], request)
        added = [said.verdict for said in report.instructions]
        ask_usage = provider.name not in self.without_usage
        gates = self.chains.gates
        try:
            taken = reduced(request, gates.can(provider), gates.lacks(provider, request), dialect)
            known = gates.known(provider)
            return outgoing(request, known, profile, dialect, grant.drops, added, taken, ask_usage=ask_usage)
        except RequestError as error:
            raise UpstreamError("garbage", error.fault) from None
        except (TypeError, ValueError, RecursionError) as error:
            message = f"the request cannot be written for this provider ({type(error).__name__})"
            fault = Fault(400, "invalid_request_error", message, code="garbage")
            raise UpstreamError("garbage", fault) from None

    def _filters(self, provider: Provider, request: Request, out: Outgoing) -> list[StreamFilter]:
        """A set of filters for one answer, or for one of its choices."""
        if request.operation is not Operation.GENERATE:
            return []
        found = self.hooks.stream_filters(provider, request)
        own: list[StreamFilter] = [Renaming(out.names)] if out.names else []
        if hides_reasoning(self.chains.gates.can(provider), request, out.dialect):
            told = tuple((name, REASON) for name in FIELDS)
            own.append(Unreasoned(lambda: self._say_dropped(provider, told)))
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
