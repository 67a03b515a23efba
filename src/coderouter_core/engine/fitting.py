"""What the model behind a provider wants of a request that is in the provider's dialect already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from coderouter_core.model import Dialect, Drop, Operation, Provider, Request
from coderouter_core.wire import betas, native
from coderouter_core.wire.bodies.losses import Losses
from coderouter_core.wire.bodies.reasoning import with_reasoning

#: What goes with a field that this router wrote itself, where Anthropic wants it.
EFFORT_BETA = "effort-2025-11-24"


def is_claude(provider: Provider, request: Request) -> bool:
    """Whether Claude answers: told by the host, or by the model's name, which gateways and clouds keep in some form."""
    host = urlsplit(provider.base_url).hostname or ""
    model = (provider.model or request.model).lower()
    return host == "anthropic.com" or host.endswith(".anthropic.com") or "claude" in model


def fitted(
    body: Mapping[str, Any], request: Request, provider: Provider, dialect: Dialect, losses: Losses
) -> Mapping[str, Any]:
    """`body`, which is in `dialect`, as the provider's model takes it; the same object where nothing is in the way."""
    if request.operation is not Operation.GENERATE:
        return body
    thoughts = provider.capabilities.reasoning_passthrough is True
    if dialect is Dialect.CHAT:
        return with_reasoning(body) if thoughts else body
    if dialect is not Dialect.MESSAGES:
        return body
    if is_claude(provider, request):
        return native.for_claude(body, losses, made=dialect is not request.dialect)
    return native.for_others(body, losses, thoughts=thoughts)


def without_betas(body: dict[str, Any], drops: Sequence[Drop], losses: Losses) -> dict[str, Any]:
    """`body` without the fields whose beta value a plugin dropped (``anthropic-beta``, or one value behind a dot)."""
    for drop in drops:
        header, _, value = drop.field.partition(".")
        if header != betas.HEADER:
            continue
        losses.add(drop.field, drop.reason)
        for field in betas.fields_of(value):
            if (left := betas.without_field(body, field)) is not body:
                losses.add(field, f"goes with {drop.field}, which was left out")
                body = left
    return body


def headers(
    request: Request, dialect: Dialect, body: Mapping[str, Any], dropped: Iterable[str] = ()
) -> dict[str, str]:
    """The client's ``anthropic-*`` headers for a provider of `dialect`, without the beta values whose fields it does not
    get. They are an open list: what is not known here travels."""
    if dialect is not Dialect.MESSAGES:
        return {}
    out = {name: value for name, value in request.headers.items() if name.startswith("anthropic-")}
    dropped = tuple(dropped)
    value = out.pop(betas.HEADER, "")
    for field in dropped:
        header, _, unwanted = field.partition(".")
        if header == betas.HEADER:
            value = betas.without_values(value, unwanted)
    if dropped:
        value = betas.without_unpaired(value, body, dropped)
    if request.dialect is not dialect and "effort" in (body.get("output_config") or ()):
        value = f"{value},{EFFORT_BETA}" if value else EFFORT_BETA
    return {**out, betas.HEADER: value} if value else out
