"""The hooks as typed methods: how answers combine, and who gave them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import pluggy

from coderouter_core.errors import ConfigError, PluginError, Problem
from coderouter_core.events import Event, Events, EventSpec
from coderouter_core.hooks.answers import checked_cost, checked_headers
from coderouter_core.hooks.counting import Counter
from coderouter_core.hooks.filters import Named
from coderouter_core.hooks.implementations import (
    Failures,
    Implementation,
    at_start,
    collected,
    expected,
    implementations,
    verdicts,
)
from coderouter_core.model import (
    Adapter,
    Attempt,
    BudgetStanding,
    Config,
    Cost,
    Demotion,
    Drop,
    Instruction,
    Option,
    Profile,
    Provider,
    Refusal,
    Rejection,
    Request,
    Reservation,
    Router,
    Said,
    Standing,
    StreamFilter,
    Usage,
)

if TYPE_CHECKING:
    import httpx
    from starlette.routing import BaseRoute

NO_HEADERS: Mapping[str, str] = {}


class Hooks:
    """Calls the hooks of every registered plugin."""

    def __init__(self, manager: pluggy.PluginManager, events: Events) -> None:
        self._failures = Failures(events)
        self._observing = False
        self._table = implementations(manager)
        self._match = self._table["match_rule"]
        # A condition's class belongs to one plugin at most: whoever judged one is asked about the others.
        self._owners: dict[type, Sequence[Implementation]] = {}
        self._filter = self._table["filter_chain"]
        self._reorder = self._table["reorder_chain"]
        self._attempt = self._table["review_attempt"]
        self._trace = self._table["trace_context"]
        self._cost = self._table["compute_cost"]
        self._observe_attempt = self._table["observe_attempt"]
        self._observe_event = self._table["observe_event"]

    def implemented_by(self, plugin: str) -> list[str]:
        """The hooks that `plugin` implements, sorted."""
        return sorted(
            hook for hook, found in self._table.items() if any(each.plugin == plugin for each in found)
        )

    # ---- start

    def declare_options(self) -> list[Said[Option]]:
        return collected(self._table, "declare_options", Option)

    def declare_events(self) -> list[Said[EventSpec]]:
        return collected(self._table, "declare_events", EventSpec)

    def configure(self, config: Config, router: Router) -> None:
        problems: list[Problem] = []
        for each in self._table["configure"]:
            try:
                at_start(each, "configure", partial(each.call, config, router))
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(*problems)

    def make_adapter(self, provider: Provider, transport: httpx.AsyncBaseTransport) -> Adapter | None:
        for each in self._table["make_adapter"]:
            adapter = at_start(each, "make_adapter", partial(_adapter, each, provider, transport))
            if adapter is not None:
                return adapter
        return None

    def services(self, router: Router) -> list[Said[AbstractAsyncContextManager[Any]]]:
        found = [
            (each.plugin, at_start(each, "service", partial(_service, each, router)))
            for each in self._table["service"]
        ]
        return [Said(plugin, service) for plugin, service in found if service is not None]

    def routes(self) -> list[Said[BaseRoute]]:
        return collected(self._table, "routes")

    def open_paths(self) -> list[Said[str]]:
        return collected(self._table, "open_paths", str)

    def token_counter(self, otherwise: Callable[[str], int]) -> Counter | None:
        """The plugins' counter of tokens; `otherwise` tells them where it cannot."""
        for each in self._table["token_counter"]:
            count = at_start(each, "token_counter", each.call)
            if count is not None:
                return Counter(count, otherwise, partial(self._failures.deciding, each, "token_counter"))
        return None

    # ---- when somebody looks

    def standings(self) -> list[Said[Standing | BudgetStanding]]:
        """What plugins tell of providers and budgets; one that raises is left out, and at last switched off."""
        said: list[Said[Standing | BudgetStanding]] = []
        for each in self._table["report_standing"]:
            if each.switched_off:
                continue
            try:
                told = [expected(one, Standing, BudgetStanding) for one in each.call() or ()]
            except Exception as error:
                self._failures.observing(each, "report_standing", error)
            else:
                each.failures = 0
                said += [Said(each.plugin, one) for one in told]
        return said

    # ---- request

    def match_rule(self, condition: Any, request: Request) -> bool:
        """Whether a condition holds. Who answered for its class once is the one to ask from then on; where it was
        nobody's, nobody is."""
        kind, raised = type(condition), False
        for each in self._owners.get(kind, self._match):
            try:
                answer = each.call(condition, request)
                if not (answer is True or answer is False or answer is None):
                    expected(answer, bool)
            except Exception as error:
                self._failures.deciding(each, "match_rule", error)
                raised = True
                continue
            if answer is not None:
                self._owners.setdefault(kind, (each,))
                return answer  # type: ignore[no-any-return]
        if not raised:
            self._owners.setdefault(kind, ())
        return False

    def review_request(self, request: Request, profile: Profile) -> list[Said[Refusal | Instruction]]:
        """Everything that was said; the first Refusal is last in the list and ends it."""
        said: list[Said[Refusal | Instruction]] = []
        for each in self._table["review_request"]:
            try:
                answer = each.call(request, profile)
                if answer is not None:
                    expected(answer, Refusal, Instruction)
            except Exception as error:
                raise PluginError(each.plugin, "review_request", error) from error
            if answer is not None:
                said.append(Said(each.plugin, answer))
                if isinstance(answer, Refusal):
                    break
        return said

    def filter_chain(
        self, chain: Sequence[Provider], request: Request, profile: Profile
    ) -> list[Said[Rejection]]:
        return verdicts("filter_chain", (Rejection,), self._filter, chain, request, profile)

    def reorder_chain(
        self, chain: Sequence[Provider], request: Request, profile: Profile
    ) -> list[Said[Demotion]]:
        said: list[Said[Demotion]] = []
        for each in self._reorder:
            try:
                answer = each.call(chain, request, profile) or ()
                said += [Said(each.plugin, expected(one, Demotion)) for one in answer]
            except Exception as error:
                self._failures.deciding(each, "reorder_chain", error)
        return said

    # ---- attempt

    def review_attempt(
        self, provider: Provider, request: Request, profile: Profile
    ) -> list[Said[Rejection | Drop | Reservation]]:
        kinds = (Rejection, Drop, Reservation)
        return verdicts("review_attempt", kinds, self._attempt, provider, request, profile)

    def stream_filters(self, provider: Provider, request: Request) -> list[StreamFilter]:
        found: list[Named] = []
        for each in self._table["stream_filter"]:
            try:
                answer = each.call(provider, request)
                if answer is not None:
                    found.append(Named(each.plugin, answer))
            except Exception as error:
                raise PluginError(each.plugin, "stream_filter", error) from error
        return [*sorted(found, key=attrgetter("stage", "plugin"))]

    def trace_context(self, attempt: Attempt, request: Request) -> Mapping[str, str]:
        """Headers that let an upstream continue the trace; only the standard's own."""
        for each in self._trace:
            if each.switched_off:
                continue
            try:
                answer = each.call(attempt, request)
                headers = None if answer is None else checked_headers(answer)
            except Exception as error:
                self._failures.observing(each, "trace_context", error)
                continue
            each.failures = 0
            if headers is not None:
                return headers
        return NO_HEADERS

    def compute_cost(self, provider: Provider, usage: Usage) -> Cost | None:
        for each in self._cost:
            try:
                answer = each.call(provider, usage)
                cost = None if answer is None else checked_cost(answer)
            except Exception as error:
                self._failures.deciding(each, "compute_cost", error)
                return Cost(usd=None)
            if cost is not None:
                return cost
        return None

    def observe_attempt(self, attempt: Attempt) -> None:
        self._observe(self._observe_attempt, "observe_attempt", attempt)

    def observe_event(self, event: Event) -> None:
        # An observer that fails is told of by an event, which observers must not be asked about again.
        if self._observing:
            return
        self._observing = True
        try:
            self._observe(self._observe_event, "observe_event", event)
        finally:
            self._observing = False

    def _observe(self, asked: Iterable[Implementation], hook: str, fact: Any) -> None:
        for each in asked:
            if each.switched_off:
                continue
            try:
                each.call(fact)
            except Exception as error:
                self._failures.observing(each, hook, error)
            else:
                each.failures = 0


def _adapter(each: Implementation, provider: Provider, transport: httpx.AsyncBaseTransport) -> Adapter | None:
    adapter = each.call(provider, transport)
    return None if adapter is None else expected(adapter, Adapter)


def _service(each: Implementation, router: Router) -> AbstractAsyncContextManager[Any] | None:
    service = each.call(router)
    return None if service is None else expected(service, AbstractAsyncContextManager)
