"""Whether there are prices to hold a cap by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from coderouter_core.api import Config, Cost, Problem, Provider, Usage
from coderouter_guard_budget.caps import Budget, ProviderBudget

#: What a request is asked for at the least; its price tells whether a provider has one.
ONE = Usage(input=1, output=1, reported=True)

Price = Callable[[Provider, Usage], Cost]


def costs_money(provider: Provider, price: Price) -> bool:
    """Whether the provider has a price that is not zero, be it for input or output alone."""
    parts = (Usage(input=1, reported=True), Usage(output=1, reported=True))
    return any(price(provider, part).usd for part in parts)


def problems(config: Config, price: Price) -> Iterator[Problem]:
    """A cap that cannot hold would be worse than none."""
    named = {provider.name: provider for provider in config.providers}
    for at, provider in enumerate(config.providers):
        if provider.option(ProviderBudget).monthly_budget_usd is not None and _is_unpriced(provider, price):
            yield Problem(
                f"provider {provider.name!r} has no prices to count by; write input_tokens_per_million and "
                "output_tokens_per_million beside it, or remove the budget",
                path=f"providers[{at}].cost.monthly_budget_usd",
            )
    for at, profile in enumerate(config.profiles):
        if profile.option(Budget).monthly_budget_usd is not None:
            chain = [named[name] for name in dict.fromkeys(profile.providers)]
            yield from _uncounted(chain, price, f"profiles[{at}].monthly_budget_usd")
    for at, key in enumerate(config.auth_keys):
        if key.option(Budget).monthly_budget_usd is not None:
            yield from _uncounted(config.providers, price, f"auth.keys[{at}].monthly_budget_usd")


def _uncounted(chain: Sequence[Provider], price: Price, path: str) -> Iterator[Problem]:
    """Whom the cap at `path` cannot hold back, though it should."""
    for provider in chain:
        if provider.paid and _is_unpriced(provider, price):
            yield Problem(
                f"provider {provider.name!r} is paid and has no prices to count by; write them under its cost, "
                "0 where it is free, or remove the budget",
                path=path,
            )
    if all(_is_unpriced(provider, price) for provider in chain) and not any(each.paid for each in chain):
        yield Problem("no provider that it is for has prices; write them under cost", path=path)


def _is_unpriced(provider: Provider, price: Price) -> bool:
    return price(provider, ONE).usd is None
