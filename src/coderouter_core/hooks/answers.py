"""Answers of plugins that go straight into an attempt: what cannot be used there is the plugin's failure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from coderouter_core.hooks.implementations import expected
from coderouter_core.model import Cost

#: Headers of W3C Trace Context.
TRACE_HEADERS = ("traceparent", "tracestate")


def checked_cost(answer: Any) -> Cost:
    """A cost that can be added to others. TypeError or ValueError otherwise."""
    cost: Cost = expected(answer, Cost)
    for usd in (cost.usd, cost.savings_usd):
        if usd is not None and not 0 <= expected(usd, int, float) < math.inf:
            raise ValueError("answered a cost that is no amount of money")
    return cost


def checked_headers(answer: Any) -> Mapping[str, str]:
    """The headers that may travel. TypeError where they are none."""
    headers: Mapping[str, Any] = expected(answer, Mapping)
    return {name: expected(value, str) for name, value in headers.items() if name in TRACE_HEADERS}
