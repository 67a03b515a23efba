"""Read ``providers:``."""

from __future__ import annotations

from typing import Any

from coderouter_core.config.owners import normal
from coderouter_core.config.reading import Reading
from coderouter_core.config.schema import USUAL_KIND, ProviderKeys
from coderouter_core.config.tree import KeyPath
from coderouter_core.config.words import near_or_all, quote
from coderouter_core.model import Prices, Provider, Scope


def read_providers(reading: Reading, raw: Any) -> tuple[Provider, ...]:
    """The providers without mistakes; those with mistakes are noted."""
    path: KeyPath = ("providers",)
    items = reading.sequence(path, raw)
    if raw == []:
        reading.problem(path, "must have at least one entry")
    read = (_provider(reading, (*path, index), item) for index, item in enumerate(items))
    return tuple(provider for provider in read if provider is not None)


def _provider(reading: Reading, path: KeyPath, item: Any) -> Provider | None:
    if not isinstance(item, dict):
        reading.problem(path, f"must be a mapping with a name, not {quote(item)}")
        return None
    kind = _kind(reading, path, item)
    # Where the kind is unknown, so are its keys: one problem is enough.
    meant = [key for owners in reading.active.kinds().values() for owned in owners for key in owned.keys]
    raw = item if kind else {key: value for key, value in item.items() if key not in meant}
    options = reading.section(path, Scope.PROVIDER, raw, kind)
    cost, cost_options = _cost(reading, (*path, "cost"), item.get("cost"))
    if kind:
        _require(reading, path, item, kind)
    keys: ProviderKeys | None = options.pop(ProviderKeys, None)
    if keys is None or kind is None:
        return None
    return Provider(
        name=keys.name,
        kind=kind,
        base_url=keys.base_url or "",
        model=keys.model or "",
        api_key_env=keys.api_key_env,
        paid=keys.paid,
        timeout_s=keys.timeout_s,
        connect_timeout_s=keys.connect_timeout_s,
        first_byte_timeout_s=keys.first_byte_timeout_s,
        trust_env=keys.trust_env,
        extra_body=keys.extra_body,
        append_system_prompt=keys.append_system_prompt,
        capabilities=keys.capabilities,
        cost=cost,
        options=options | cost_options,
    )


def _kind(reading: Reading, path: KeyPath, item: dict[str, Any]) -> str | None:
    """The provider's kind, None when no installed adapter speaks it."""
    said = item.get("kind", USUAL_KIND)
    if not isinstance(said, str):
        return None
    kind, known = normal(said), reading.active.kinds()
    if kind in known:
        return kind
    at = (*path, "kind")
    if kind in reading.disabled:
        reading.problem(at, f"{said!r} {reading.disabled_words(kind, 'provider')}")
    elif kind in reading.features.extras and kind not in reading.plugins:
        reading.problem(at, f"{said!r} {reading.features.advice(kind)}")
    else:
        reading.problem(at, f"no adapter is of kind {quote(said)}{near_or_all(kind, known)}")
    return None


def _require(reading: Reading, path: KeyPath, item: dict[str, Any], kind: str) -> None:
    for owned in reading.active.kinds()[kind]:
        for key in owned.option.requires:
            if item.get(key) is None:
                reading.problem((*path, key), f"missing; a provider of kind {kind!r} needs it")


def _cost(reading: Reading, path: KeyPath, raw: Any) -> tuple[Prices | None, dict[type, Any]]:
    if raw is None:
        return None, {}
    options = reading.section(path, Scope.COST, reading.mapping(path, raw))
    return options.pop(Prices, None), options
