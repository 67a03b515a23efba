"""Read the keys at the top level, and put the whole together."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from attrs import evolve, frozen

from coderouter_core.config.auth import read_auth
from coderouter_core.config.profiles import AUTO, check_unique, names_in, read_profiles, unknown_profile
from coderouter_core.config.providers import read_providers
from coderouter_core.config.reading import Reading
from coderouter_core.config.rules import read_auto_router
from coderouter_core.config.schema import RouterKeys
from coderouter_core.config.tree import KeyPath
from coderouter_core.config.words import did_you_mean, near_or_all, quote
from coderouter_core.model import Config, Scope, Settings

_SWITCH = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(("0", "false", "no", "off"), False)
_LEDGERS = ("memory:", "sqlite:")
_MODE = "CODEROUTER_MODE"


@frozen
class Default:
    """The default profile, who chose it, and how a problem with it is told."""

    name: str
    source: str
    tell: Callable[[str], None]


def read_router(reading: Reading, raw: Mapping[str, Any]) -> Config:
    """The configuration, as far as it has no mistakes; those are noted."""
    options = reading.section((), Scope.ROUTER, raw)
    keys: RouterKeys = options.pop(RouterKeys, None) or RouterKeys()
    settings: Settings = options.pop(Settings, None) or Settings()
    for section in ("providers", "profiles"):
        if raw.get(section) is None:
            reading.problem((section,), "missing; write at least one entry")
        else:
            check_unique(reading, section, raw[section])
    provider_names, profile_names = names_in(raw.get("providers")), names_in(raw.get("profiles"))
    providers = read_providers(reading, raw["providers"]) if raw.get("providers") is not None else ()
    profiles = (
        read_profiles(reading, raw["profiles"], provider_names) if raw.get("profiles") is not None else ()
    )
    _check_aliases(reading, keys.mode_aliases, profile_names)
    default = _default(reading, raw, keys, profile_names)
    return Config(
        providers=providers,
        profiles=profiles,
        default_profile=default.name,
        mode_aliases=keys.mode_aliases,
        auto_router=read_auto_router(reading, keys.auto_router, profile_names, default.name, default.tell),
        settings=_settings(reading, settings),
        auth_keys=read_auth(reading, keys.auth),
        ledger_url=_ledger(reading, keys.ledger.url),
        ledger_retention_months=keys.ledger.retention_months,
        ledger_on_failure=keys.ledger.on_failure,
        plugins_disabled=tuple(reading.disabled),
        mode_source=default.source,
        source=reading.document.file,
        places=reading.document.places(),
        options=options,
    )


def _default(
    reading: Reading, raw: Mapping[str, Any], keys: RouterKeys, profiles: Collection[str]
) -> Default:
    """CODEROUTER_MODE, a profile or an alias of one, before the file's own default."""
    aliases = raw.get("mode_aliases")
    aliases = aliases if isinstance(aliases, dict) else {}
    if mode := reading.environ.get(_MODE, "").strip():
        is_profile = mode in profiles or mode == AUTO
        name = mode if is_profile else aliases.get(mode)
        if not isinstance(name, str) and profiles:
            near = near_or_all(mode, [*profiles, *map(str, aliases)])
            reading.elsewhere(_MODE, f"no profile or mode alias is named {quote(mode)}{near}")
        return Default(str(name), "env", partial(reading.elsewhere, _MODE))
    name = keys.default_profile
    path: KeyPath = ("default_profile",)
    if profiles and name not in profiles and name != AUTO:
        told = "" if reading.document.has(path) else "; write default_profile: and the name of one"
        reading.problem(path, f"{unknown_profile(name, profiles)}{told}")
    return Default(name, "config", partial(reading.problem, path))


def _check_aliases(reading: Reading, aliases: Mapping[str, str], profiles: Collection[str]) -> None:
    for alias, name in aliases.items():
        if profiles and name not in profiles:
            reading.problem(("mode_aliases", alias), unknown_profile(name, profiles))


def _settings(reading: Reading, settings: Settings) -> Settings:
    """With ALLOW_PAID, which beats the file both ways; what it cannot mean is ignored, as in 1.10."""
    if settings.display_timezone is not None and not _is_zone(settings.display_timezone):
        message = (
            f"must be the name of a time zone, such as Asia/Tokyo, not {quote(settings.display_timezone)}"
        )
        near = did_you_mean(settings.display_timezone, zoneinfo.available_timezones())
        reading.problem(("display_timezone",), f"{message}{near}")
    paid = _SWITCH.get(reading.environ.get("ALLOW_PAID", "").strip().lower())
    return settings if paid is None else evolve(settings, allow_paid=paid)


def _is_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return False
    return True


def _ledger(reading: Reading, url: str) -> str:
    """CODEROUTER_LEDGER or what the file says. Not repeated in a problem: a URL can hold a password."""
    message = f"must begin with {' or '.join(_LEDGERS)}"
    if told := reading.environ.get("CODEROUTER_LEDGER", "").strip():
        if not told.startswith(_LEDGERS):
            reading.elsewhere("CODEROUTER_LEDGER", message)
        return told
    if url and not url.startswith(_LEDGERS):
        reading.problem(("ledger", "url"), message)
    return url
