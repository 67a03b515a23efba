"""Which providers of a profile may serve a request, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from coderouter_core.capabilities import Gates, Registry
from coderouter_core.errors import PluginError
from coderouter_core.events import Events
from coderouter_core.hooks import Hooks, Said
from coderouter_core.model import (
    Adapter,
    ChainView,
    Demotion,
    LeftOut,
    MovedBack,
    Operation,
    Profile,
    Provider,
    Rejection,
    Request,
    Settings,
    operations_of,
)

#: Who is named where the core itself decides.
CORE = "core"

#: What other operations are called where somebody lacks them.
ASKED = {Operation.EMBED: "embeddings", Operation.COMPLETE: "legacy completions"}

_NO_ADAPTERS: Mapping[str, Adapter] = {}

PAID_HINT = "set ALLOW_PAID=true (or allow_paid: true), mark the provider as not paid, or add a free provider"


@frozen(eq=False)
class Chain:
    """Providers in the order in which they are tried; who was left out and who moved back, and by whom."""

    providers: tuple[Provider, ...]
    rejected: tuple[Said[Rejection], ...]
    demoted: tuple[Said[Demotion], ...] = ()


class Chains:
    """Gates of the core, then `filter_chain`, then `reorder_chain`; every verdict is an Event."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        settings: Settings,
        hooks: Hooks,
        events: Events,
        adapters: Mapping[str, Adapter] = _NO_ADAPTERS,
        gates: Gates | None = None,
    ) -> None:
        self.gates = gates or Gates(Registry())
        self._providers = providers
        self._settings = settings
        self._hooks = hooks
        self._events = events
        self._adapters = adapters

    async def prepare(self, request: Request, profile: Profile) -> None:
        """Compute what `resolve` must know of the request."""
        await self.gates.prepare(request, profile, self._providers)

    def resolve(self, request: Request, profile: Profile) -> Chain:
        left: list[Provider] = []
        rejected: list[Said[Rejection]] = []
        for name in profile.providers:
            provider = self._providers[name]
            rejection = (
                self.gate(provider, profile)
                or self._cannot(provider, request, profile)
                or self.gates.too_long(provider, request, profile)
            )
            if rejection is None:
                left.append(provider)
            else:
                rejected.append(Said(CORE, rejection))
                self._events.emit_verdict(rejection.event, {}, rejection.fields)
        if not left:
            self._say_blocked(profile, rejected)
            return Chain((), tuple(rejected))
        vetoes = self._hooks.filter_chain(tuple(left), request, profile)
        if vetoes:
            left = self._veto(left, vetoes, rejected, profile)
        demoted: list[Said[Demotion]] = []
        if len(left) > 1:
            left, demoted = self._reorder(left, request, profile)
        return Chain(tuple(left), tuple(rejected), tuple(demoted))

    def view(self, request: Request, profile: Profile) -> ChainView:
        """What `resolve` would give, for somebody who only looks: nothing is told of it."""
        configured = profile.providers
        with self._events.silence():
            try:
                chain = self.resolve(request, profile)
            except PluginError as error:
                why = f"{error.hook} failed"
                out = tuple(LeftOut(name, error.plugin, why, None) for name in configured)
                return ChainView(profile.name, configured, (), out)
        return ChainView(
            profile.name,
            configured,
            tuple(provider.name for provider in chain.providers),
            tuple(_left_out(said) for said in chain.rejected),
            tuple(_moved_back(said) for said in chain.demoted),
        )

    def gate(self, provider: Provider, profile: Profile) -> Rejection | None:
        """The core's own veto: a paid provider while paying is off, a provider whose key is not there."""
        fields = {"profile": profile.name, "provider": provider.name}
        if provider.paid and not self._settings.allow_paid:
            return Rejection(
                provider,
                "it is paid and allow_paid is off",
                event="skip-paid-provider",
                fields=fields,
                status=402,
            )
        if provider.api_key_env and provider.api_key() is None:
            return Rejection(
                provider,
                f"its key variable {provider.api_key_env} is not set",
                event="skip-missing-key",
                fields={**fields, "api_key_env": provider.api_key_env},
            )
        return None

    def _cannot(self, provider: Provider, request: Request, profile: Profile) -> Rejection | None:
        """The core's own veto: a provider that has nothing of the kind that is asked for."""
        operation = request.operation
        if operation is Operation.GENERATE or operation in operations_of(self._adapters[provider.name]):
            return None
        return Rejection(
            provider,
            f"providers of kind {provider.kind!r} have no {ASKED[operation]}",
            event="skip-unsupported-operation",
            fields={"profile": profile.name, "provider": provider.name, "operation": operation.value},
            status=501,
        )

    def _veto(
        self,
        left: Sequence[Provider],
        vetoes: Sequence[Said[Rejection]],
        rejected: list[Said[Rejection]],
        profile: Profile,
    ) -> list[Provider]:
        for said in vetoes:
            self.say_rejected(said, profile)
            rejected.append(said)
        gone = {id(said.verdict.provider) for said in vetoes}
        return [provider for provider in left if id(provider) not in gone]

    def say_rejected(self, said: Said[Rejection], profile: Profile) -> None:
        """Emit the event of a rejection."""
        rejection = said.verdict
        fields = {"profile": profile.name, "provider": rejection.provider.name, "plugin": said.plugin}
        self._events.emit_verdict(rejection.event, {"reason": rejection.reason, **fields}, rejection.fields)

    def _reorder(
        self, left: Sequence[Provider], request: Request, profile: Profile
    ) -> tuple[list[Provider], list[Said[Demotion]]]:
        said = [Said(CORE, demotion) for demotion in self.gates.demotions(left, request)]
        said += self._hooks.reorder_chain(tuple(left), request, profile)
        if not said:
            return list(left), []
        weights: dict[int, int] = {}
        for each in said:
            demotion = each.verdict
            weights[id(demotion.provider)] = weights.get(id(demotion.provider), 0) + demotion.weight
            fields = {
                "profile": profile.name,
                "provider": demotion.provider.name,
                "plugin": each.plugin,
                "reason": demotion.reason,
                "weight": demotion.weight,
            }
            self._events.emit_verdict(demotion.event or "demote-provider", fields, demotion.fields)
        ordered = sorted(left, key=lambda provider: weights.get(id(provider), 0))
        return ordered, said

    def _say_blocked(self, profile: Profile, rejected: Sequence[Said[Rejection]]) -> None:
        blocked = [
            said.verdict.provider.name for said in rejected if said.verdict.event == "skip-paid-provider"
        ]
        if blocked:
            self._events.emit(
                "chain-paid-gate-blocked",
                profile=profile.name,
                blocked_providers=blocked,
                hint=PAID_HINT,
            )


def _left_out(said: Said[Rejection]) -> LeftOut:
    rejection = said.verdict
    return LeftOut(rejection.provider.name, said.plugin, rejection.reason, rejection.retry_after_s)


def _moved_back(said: Said[Demotion]) -> MovedBack:
    demotion = said.verdict
    return MovedBack(demotion.provider.name, said.plugin, demotion.weight, demotion.reason)
