"""What plugins answer. Each carries its reason, and the event that the core emits for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from attrs import field, frozen

from coderouter_core.model.provider import Provider

T = TypeVar("T")


@frozen
class Said(Generic[T]):
    """A verdict and the plugin that gave it."""

    plugin: str
    verdict: T


@frozen
class Rejection:
    """`provider` is not tried. `status` is what the client gets when nobody else is left:
    402 for money, 503 for what passes; `retry_after_s` is when it passes, in seconds."""

    provider: Provider
    reason: str
    event: str = "skip-provider"
    fields: Mapping[str, Any] = field(factory=dict)
    status: int = 503
    retry_after_s: float | None = None


@frozen
class Demotion:
    """`provider` moves back. Weights: slow 1, failing often 2, incapable 10, unhealthy 100."""

    provider: Provider
    weight: int
    reason: str
    event: str | None = None
    fields: Mapping[str, Any] = field(factory=dict)


@frozen
class Refusal:
    """The request is declined before any provider is tried. `kind` is an Anthropic error type,
    `code` the machine-readable word for OpenAI clients, `extra` joins the error object."""

    message: str
    status: int = 400
    kind: str = "invalid_request_error"
    code: str | None = None
    extra: Mapping[str, Any] = field(factory=dict)
    event: str | None = None
    fields: Mapping[str, Any] = field(factory=dict)
    should_retry: bool | None = False


@frozen
class Drop:
    """`field` (a top-level key of the body) is left out of one attempt; shown as ``capability-degraded``."""

    provider: Provider
    field: str
    reason: str


@frozen
class Reservation:
    """Hold `amount` of `counter` for one attempt, if `counter` plus what others hold is below `cap`.

    `rejection` is what becomes of the provider when it is not.
    """

    provider: Provider
    counter: str
    amount: float
    cap: float
    rejection: Rejection


@frozen
class Instruction:
    """`text` is added to the prompt, at its end, so that prompt caches keep their prefix."""

    text: str
    reason: str
    event: str | None = None
    fields: Mapping[str, Any] = field(factory=dict)
