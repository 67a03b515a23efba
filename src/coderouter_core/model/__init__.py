"""Every value that crosses a boundary of the house: frozen, typed, without behaviour that acts."""

from coderouter_core.model.attempt import Answer, Attempt, Call, Limits, Outcome
from coderouter_core.model.choice import Choice, ChosenBy
from coderouter_core.model.config import AuthKey, AutoRouter, Config, Settings
from coderouter_core.model.provider import (
    Capabilities,
    Option,
    Prices,
    Profile,
    Provider,
    Rule,
    Scope,
)
from coderouter_core.model.request import Dialect, Operation, Request
from coderouter_core.model.rough import rough_prompt, rough_tokens, size_of
from coderouter_core.model.seams import Adapter, Clock, Ledger, Router, StreamFilter, operations_of
from coderouter_core.model.spending import Spender, month_of, spending
from coderouter_core.model.stream import Block, Fault, StreamEvent
from coderouter_core.model.usage import CacheOutcome, Cost, Usage, cache_outcome
from coderouter_core.model.verdicts import (
    Demotion,
    Drop,
    Instruction,
    Refusal,
    Rejection,
    Reservation,
    Said,
)
from coderouter_core.model.views import BudgetStanding, ChainView, LeftOut, Live, MovedBack, Standing

__all__ = [
    "Adapter",
    "Answer",
    "Attempt",
    "AuthKey",
    "AutoRouter",
    "Block",
    "BudgetStanding",
    "CacheOutcome",
    "Call",
    "Capabilities",
    "ChainView",
    "Choice",
    "ChosenBy",
    "Clock",
    "Config",
    "Cost",
    "Demotion",
    "Dialect",
    "Drop",
    "Fault",
    "Instruction",
    "Ledger",
    "LeftOut",
    "Limits",
    "Live",
    "MovedBack",
    "Operation",
    "Option",
    "Outcome",
    "Prices",
    "Profile",
    "Provider",
    "Refusal",
    "Rejection",
    "Request",
    "Reservation",
    "Router",
    "Rule",
    "Said",
    "Scope",
    "Settings",
    "Spender",
    "Standing",
    "StreamEvent",
    "StreamFilter",
    "Usage",
    "cache_outcome",
    "month_of",
    "operations_of",
    "rough_prompt",
    "rough_tokens",
    "size_of",
    "spending",
]
