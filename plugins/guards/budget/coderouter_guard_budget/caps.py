"""Who may spend how much in a month."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import field, frozen, validators

from coderouter_core.api import Spender, spending


def _cap() -> float | None:
    return field(default=None, validator=validators.optional(validators.ge(0)))


@frozen
class ProviderBudget:
    """Keys under a provider's `cost`, in US dollars and tokens."""

    monthly_budget_usd: float | None = _cap()
    budget_reserve_tokens: int = field(default=4096, validator=validators.ge(1))


@frozen
class Budget:
    """Key on a profile, and on an entry of ``auth.keys``, in US dollars."""

    monthly_budget_usd: float | None = _cap()


@frozen(eq=False)
class Cap:
    """What `name` may spend in a month."""

    spender: Spender
    name: str
    usd: float
    _counter: str = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_counter", spending(self.spender, self.name, ""))

    def counter(self, month: str) -> str:
        return self._counter + month

    @property
    def whose(self) -> str:
        """Who spends, as a reason begins; a provider is named beside its reasons anyway."""
        return "" if self.spender is Spender.PROVIDER else f"{self.spender.value} {self.name!r} "


def caps_of(spender: Spender, written: Iterable[tuple[str, ProviderBudget | Budget]]) -> dict[str, Cap]:
    """Whoever has a cap, by name."""
    caps = ((name, said.monthly_budget_usd) for name, said in written)
    return {name: Cap(spender, name, usd) for name, usd in caps if usd is not None}
