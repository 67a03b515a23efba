"""Keep what is spent in a month below a cap: of a provider, of a profile, of a client's key."""

from coderouter_guard_budget.guard import HINT, BudgetGuard

__all__ = ["HINT", "BudgetGuard"]
