"""What spans and metrics both tell of requests and attempts."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from coderouter_core.api import Attempt, Operation, Provider
from coderouter_observer_otel import names

#: A status of the router's that tells of its own failure, not of the client's mistake.
FAILED_FROM = 500


@functools.lru_cache(maxsize=1000)
def of_attempt(provider: Provider, operation: Operation) -> tuple[tuple[str, Any], ...]:
    """Who was asked what; all of it from the configuration, so that metrics may be told apart by it."""
    return (
        (names.OPERATION, names.OPERATIONS.get(operation.value, "chat")),
        (names.PROVIDER, names.provider_name(provider)),
        (names.REQUEST_MODEL, provider.model),
        (names.PROVIDER_NAME, provider.name),
        *names.server(provider).items(),
    )


def error_type(attempt: Attempt) -> str:
    """The status that the upstream answered with, else what went wrong."""
    if attempt.error_kind in ("status", "context") and attempt.status is not None:
        return str(attempt.status)
    return attempt.error_kind or "_OTHER"


def error_of_request(finished: Mapping[str, Any]) -> str | None:
    """How the router failed a request; None where it did not."""
    if finished["outcome"] == "broken":
        return "broken"
    return str(finished["status"]) if finished["status"] >= FAILED_FROM else None
