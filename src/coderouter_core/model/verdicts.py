"""What plugins answer. Each carries its reason, and the event that the core emits for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import attrs
from attrs import field, frozen, validators

from coderouter_core.model.provider import Provider

T = TypeVar("T")

# What is no provider, or no reason, is an error where the plugin says it, so that the plugin is named for it.
_PROVIDER = validators.instance_of(Provider)
_TEXT = validators.instance_of(str)
_NUMBER = validators.instance_of((int, float))
_STATUS = validators.in_(range(400, 600))


@frozen
class Said(Generic[T]):
    """A verdict and the plugin that gave it."""

    plugin: str
    verdict: T


@frozen
class Rejection:
    """`provider` is not tried. `status` is what the client gets when nobody else is left:
    402 for money, 503 for what passes; `retry_after_s` is when it passes, in seconds."""

    provider: Provider = field(validator=_PROVIDER)
    reason: str = field(validator=_TEXT)
    event: str = "skip-provider"
    fields: Mapping[str, Any] = field(factory=dict)
    status: int = field(default=503, validator=_STATUS)
    retry_after_s: float | None = None


@frozen
class Demotion:
    """`provider` moves back. Weights: slow 1, failing often 2, incapable 10, unhealthy 100."""

    provider: Provider = field(validator=_PROVIDER)
    weight: int = field(validator=validators.instance_of(int))
    reason: str = field(validator=_TEXT)
    event: str | None = None
    fields: Mapping[str, Any] = field(factory=dict)


@frozen
class Refusal:
    """The request is declined before any provider is tried. `kind` is an Anthropic error type,
    `code` the machine-readable word for OpenAI clients, `extra` joins the error object."""

    message: str = field(validator=_TEXT)
    status: int = field(default=400, validator=_STATUS)
    kind: str = "invalid_request_error"
    code: str | None = None
    extra: Mapping[str, Any] = field(factory=dict)
    event: str | None = None
    fields: Mapping[str, Any] = field(factory=dict)
    should_retry: bool | None = False


@frozen
class Drop:
    """`field` (a top-level key of the body) is left out of one attempt; shown as ``capability-degraded``."""

    provider: Provider = field(validator=_PROVIDER)
    field: str = attrs.field(validator=_TEXT)
    reason: str = attrs.field(validator=_TEXT)


@frozen
class Reservation:
    """Hold `amount` of `counter` for one attempt, if `counter` plus what others hold is below `cap`.

    `rejection` is what becomes of the provider when it is not.
    """

    provider: Provider = field(validator=_PROVIDER)
    counter: str = field(validator=_TEXT)
    amount: float = field(validator=_NUMBER)
    cap: float = field(validator=_NUMBER)
    rejection: Rejection = field(validator=validators.instance_of(Rejection))


@frozen
class Instruction:
    """`text` is added to the prompt, at its end, so that prompt caches keep their prefix."""

    text: str = field(validator=_TEXT)
    reason: str = field(validator=_TEXT)
    event: str | None = None
    fields: Mapping[str, Any] = field(factory=dict)
