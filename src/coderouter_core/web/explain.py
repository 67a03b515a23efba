"""The way a request took, for whoever may use this router."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from coderouter_core.model import Fault, Ledger

#: In place of an id: the newest.
LAST = "last"


async def trace_of(ledger: Ledger, request_id: str) -> Mapping[str, Any] | None:
    """`request_id`, `at` and `facts`; None for a request that the ledger does not know. Its file is read in a thread."""
    wanted = None if request_id == LAST else request_id
    found = await asyncio.to_thread(ledger.traces, wanted, 1)
    return found[0] if found else None


def unknown(request_id: str) -> Fault:
    """That nothing is known of a request, and why that may be."""
    if request_id == LAST:
        return Fault(404, "not_found_error", "no request has ended yet; ask again when one has")
    return Fault(
        404,
        "not_found_error",
        f"no request {request_id[:100]!r} is known: take the x-request-id of its answer; a request is known when it"
        " has ended, for as long as the ledger keeps it",
    )
