"""The list of models: profiles and providers, in the shape the client reads."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from attrs import frozen
from starlette.exceptions import HTTPException

from coderouter_core.model import Profile, Provider
from coderouter_core.router import CodeRouter


@frozen
class Offer:
    """One name a client may put into ``model``."""

    id: str
    display_name: str
    window: int | None


def offers(router: CodeRouter) -> list[Offer]:
    """Profiles first, then providers that no profile shadows, each in configured order."""
    found = [
        Offer(profile.name, f"{profile.name} (profile)", _window(router, profile))
        for profile in router.routing.profiles.values()
    ]
    taken = {offer.id for offer in found}
    found += [
        Offer(provider.name, _title(provider), router.window(provider))
        for provider in router.providers.values()
        if provider.name not in taken
    ]
    return found


def _title(provider: Provider) -> str:
    return f"{provider.model} ({provider.name})" if provider.model else provider.name


def _window(router: CodeRouter, profile: Profile) -> int | None:
    """What fits every provider of the chain; None unless all are known."""
    windows = [router.window(router.providers[name]) for name in profile.providers]
    known = [window for window in windows if window is not None]
    return min(known) if known and len(known) == len(windows) else None


def models(router: CodeRouter, headers: Mapping[str, str], wanted: str | None) -> dict[str, Any]:
    """The list, or the one called `wanted`: in the Anthropic shape for who sends ``anthropic-version``."""
    shape = _anthropic if "anthropic-version" in headers else _openai
    found = [shape(offer) for offer in offers(router)]
    if wanted is not None:
        for model in found:
            if model["id"] == wanted:
                return model
        raise HTTPException(404, f"no model is called {wanted[:100]!r}; GET /v1/models lists those there are")
    if shape is _openai:
        return {"object": "list", "data": found}
    ends = {"first_id": found[0]["id"], "last_id": found[-1]["id"]} if found else {}
    return {"data": found, "has_more": False, **ends}


def _anthropic(offer: Offer) -> dict[str, Any]:
    model: dict[str, Any] = {
        "type": "model",
        "id": offer.id,
        "display_name": offer.display_name,
        "created_at": "1970-01-01T00:00:00Z",
    }
    if offer.window is not None:
        model["max_input_tokens"] = offer.window
    return model


def _openai(offer: Offer) -> dict[str, Any]:
    model: dict[str, Any] = {
        "id": offer.id,
        "object": "model",
        "created": int(time.time()),
        "owned_by": "coderouter",
        "display_name": offer.display_name,
    }
    if offer.window is not None:
        model["context_window"] = offer.window
    return model
