"""Holds money for each attempt, and leaves out providers whose cap is reached."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence

from coderouter_core.api import (
    Attempt,
    BudgetStanding,
    Config,
    ConfigError,
    EventSpec,
    Level,
    Operation,
    Option,
    Profile,
    Provider,
    Rejection,
    Request,
    Reservation,
    Router,
    Scope,
    Spender,
    Usage,
    hookimpl,
    month_of,
    rough_prompt,
)
from coderouter_guard_budget.caps import Budget, Cap, ProviderBudget, caps_of
from coderouter_guard_budget.prices import costs_money, problems

#: The share of a cap from which on it is told that the rest is small.
NEAR = 0.8
#: A mark that outlives every month; its key names the month.
MARKED_S = 32 * 86_400.0
#: Seconds after which to ask again while the ledger is down.
RETRY_S = 5.0
HINT = "raise monthly_budget_usd, wait for the next month (UTC), or add a provider that costs nothing"


class BudgetGuard:
    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [
            Option(Scope.COST, ProviderBudget),
            Option(Scope.PROFILE, Budget),
            Option(Scope.KEY, Budget),
        ]

    @hookimpl
    def declare_events(self) -> Iterable[EventSpec]:
        spent = ("monthly_budget_usd", "current_total_usd", "month", "scope", "budget_of")
        return [
            EventSpec("skip-budget-exceeded", Level.INFO, ("provider", "profile", *spent), "a provider was left out: a budget of this month is used up"),
            EventSpec("skip-budget-unknown", Level.WARNING, ("provider", "profile"), "a provider was left out: the ledger is down and ledger.on_failure is closed"),
            EventSpec("chain-budget-exceeded", Level.WARNING, ("profile", "blocked_providers", "month", "hint"), "nobody was left after the budgets"),
            EventSpec("budget-near-limit", Level.WARNING, ("provider", "profile", *spent), "80 % of a budget is spent"),
        ]  # fmt: skip

    @hookimpl
    def configure(self, config: Config, router: Router) -> None:
        self._router = router
        self._closed = config.ledger_on_failure == "closed"
        self._costs = {provider.name: costs_money(provider, router.price) for provider in config.providers}
        self._of_providers = caps_of(
            Spender.PROVIDER, ((each.name, each.option(ProviderBudget)) for each in config.providers)
        )
        self._of_profiles = caps_of(
            Spender.PROFILE, ((each.name, each.option(Budget)) for each in config.profiles)
        )
        self._of_keys = caps_of(Spender.KEY, ((each.name, each.option(Budget)) for each in config.auth_keys))
        if found := list(problems(config, router.price)):
            raise ConfigError(*found)

    @hookimpl
    def filter_chain(
        self, chain: Sequence[Provider], request: Request, profile: Profile
    ) -> Iterable[Rejection]:
        caps = [(provider, self._caps(provider, profile, request.client_key)) for provider in chain]
        if not any(held for _, held in caps):
            return ()
        month = self._month()
        rejections = list(self._judge(caps, profile, month))
        gone = {rejection.provider.name for rejection in rejections}
        if gone and all(provider.name in gone for provider in chain):
            blocked = list(dict.fromkeys(provider.name for provider in chain))
            self._router.emit(
                "chain-budget-exceeded",
                profile=profile.name,
                blocked_providers=blocked,
                month=month,
                hint=HINT,
            )
        return rejections

    @hookimpl
    def review_attempt(
        self, provider: Provider, request: Request, profile: Profile
    ) -> Iterable[Rejection | Reservation]:
        caps = self._caps(provider, profile, request.client_key)
        if not caps:
            return
        if self._is_blind():
            yield self._unknown(provider, profile)
            return
        month, amount = self._month(), self._price(provider, request)
        for cap in caps:
            total = self._router.ledger.total(cap.counter(month))
            yield Reservation(
                provider,
                cap.counter(month),
                amount,
                cap.usd,
                _rejection(provider, profile, cap, total, month),
            )

    @hookimpl
    def observe_attempt(self, attempt: Attempt) -> None:
        if attempt.cost is None or not attempt.cost.usd:
            return
        ledger = self._router.ledger
        # The month in which the attempt began is the one that its cost was added to.
        month = month_of(dt.datetime.fromtimestamp(attempt.started_at, dt.UTC))
        for cap in self._caps(attempt.provider, attempt.profile, attempt.client_key):
            total = ledger.total(cap.counter(month))
            told = f"budget-near-limit:{cap.counter(month)}:{cap.usd:g}"
            if total >= NEAR * cap.usd > 0 and not ledger.marked(told):
                ledger.mark(told, MARKED_S)
                spent = _fields(attempt.provider, attempt.profile, cap, total, month)
                self._router.emit("budget-near-limit", **spent)

    @hookimpl
    def report_standing(self) -> Iterator[BudgetStanding]:
        month = self._month()
        for cap in (*self._of_providers.values(), *self._of_profiles.values(), *self._of_keys.values()):
            counter = cap.counter(month)
            spent, held = self._router.ledger.total(counter), self._router.held(counter)
            yield BudgetStanding(cap.spender.value, cap.name, cap.usd, spent, held, month)

    # ---- which caps hold

    def _caps(self, provider: Provider, profile: Profile, key: str | None) -> list[Cap]:
        """Those that an attempt at `provider` counts for. One that costs nothing counts for its own alone."""
        caps = [self._of_providers.get(provider.name)]
        if self._costs.get(provider.name):
            caps.append(self._of_profiles.get(profile.name))
            if key is not None:
                caps.append(self._of_keys.get(key))
        return [cap for cap in caps if cap is not None]

    def _judge(
        self, chain: Sequence[tuple[Provider, Sequence[Cap]]], profile: Profile, month: str
    ) -> Iterator[Rejection]:
        blind, ledger = self._is_blind(), self._router.ledger
        # The caps of the profile and of the key are the same for every provider.
        totals: dict[Cap, float] = {}
        for provider, caps in chain:
            if blind and caps:
                yield self._unknown(provider, profile)
                continue
            for cap in caps:
                if (total := totals.get(cap)) is None:
                    total = totals[cap] = ledger.total(cap.counter(month))
                if total >= cap.usd:
                    yield _rejection(provider, profile, cap, total, month)

    def _is_blind(self) -> bool:
        """Whether budgets must not be judged by what was known before the ledger's store went down."""
        return self._closed and not self._router.ledger.health()["ok"]

    def _unknown(self, provider: Provider, profile: Profile) -> Rejection:
        return Rejection(
            provider,
            "it has a budget, the ledger is down, and ledger.on_failure is closed",
            event="skip-budget-unknown",
            fields={"provider": provider.name, "profile": profile.name},
            retry_after_s=RETRY_S,
        )

    def _month(self) -> str:
        return month_of(self._router.clock.utc())

    # ---- money

    def _price(self, provider: Provider, request: Request) -> float:
        """What the request will cost at the most, for all that can be known before it is asked."""
        output = provider.option(ProviderBudget).budget_reserve_tokens
        for key in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
            asked = request.body.get(key)
            if isinstance(asked, int) and asked > 0:
                output = min(output, asked)
        usage = Usage(input=rough_prompt(request), output=output * _answers(request), reported=True)
        return self._router.price(provider, usage).usd or 0.0


def _answers(request: Request) -> int:
    """How many answers the request will be billed for; an embedding has no output."""
    if request.operation is Operation.EMBED:
        return 0
    asked = (request.body.get(key) for key in ("n", "best_of"))
    each = max((count for count in asked if isinstance(count, int)), default=1)
    prompts = request.body.get("prompt") if request.operation is Operation.COMPLETE else None
    if not isinstance(prompts, list) or all(isinstance(one, int) for one in prompts):
        return max(1, each)
    return max(1, each) * len(prompts)


def _rejection(provider: Provider, profile: Profile, cap: Cap, total: float, month: str) -> Rejection:
    if not cap.usd:
        reason = f"{cap.whose}may spend nothing: monthly_budget_usd is 0"
    elif total >= cap.usd:
        reason = f"{cap.whose}spent ${total:.2f} of ${cap.usd:.2f} this month"
    else:
        reason = (
            f"{cap.whose}spent ${total:.2f} of ${cap.usd:.2f} this month, and what is left is held by others"
        )
    return Rejection(
        provider,
        reason,
        event="skip-budget-exceeded",
        fields=_fields(provider, profile, cap, total, month),
        status=402,
    )


def _fields(
    provider: Provider, profile: Profile, cap: Cap, total: float, month: str
) -> dict[str, str | float]:
    return {
        "provider": provider.name,
        "profile": profile.name,
        "monthly_budget_usd": cap.usd,
        "current_total_usd": round(total, 6),
        "month": month,
        "scope": cap.spender.value,
        "budget_of": cap.name,
    }
