"""A CodeRouter guard that keeps spending below a monthly cap."""


class BudgetGuard: ...
