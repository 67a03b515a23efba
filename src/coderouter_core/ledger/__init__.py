"""The durable record of attempts, and the counters and marks that guards share."""

from coderouter_core.ledger.memory import MemoryLedger
from coderouter_core.ledger.opening import default_path, open_ledger, path_of
from coderouter_core.ledger.report import attempts_of, traces_of
from coderouter_core.ledger.sqlite import SqliteLedger
from coderouter_core.ledger.sums import GROUPS, Sums, sums_of

__all__ = [
    "GROUPS",
    "MemoryLedger",
    "SqliteLedger",
    "Sums",
    "attempts_of",
    "default_path",
    "open_ledger",
    "path_of",
    "sums_of",
    "traces_of",
]
