"""Read ``profiles:``, and check the names that other keys give to providers and profiles."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from coderouter_core.config.reading import Reading
from coderouter_core.config.schema import ProfileKeys
from coderouter_core.config.tree import KeyPath
from coderouter_core.config.words import near_or_all, quote
from coderouter_core.model import Profile, Scope

#: The profile name that leaves the choice to rules.
AUTO = "auto"


def names_in(raw: Any) -> list[str]:
    """The names that a list of providers or profiles gives, mistakes or not."""
    entries = raw if isinstance(raw, list) else []
    names = [entry.get("name") for entry in entries if isinstance(entry, dict)]
    return [name for name in names if isinstance(name, str)]


def check_unique(reading: Reading, section: str, raw: Any) -> None:
    """Note names that two entries of `section` share."""
    first: dict[str, int] = {}
    for index, entry in enumerate(raw if isinstance(raw, list) else []):
        name = entry.get("name") if isinstance(entry, dict) else None
        if isinstance(name, str) and first.setdefault(name, index) != index:
            message = f"{quote(name)} is the name of {section}[{first[name]}] already; rename one"
            reading.problem((section, index, "name"), message)


def unknown_profile(name: str, profiles: Collection[str]) -> str:
    return f"no profile is named {quote(name)}{near_or_all(name, profiles)}"


def read_profiles(reading: Reading, raw: Any, providers: Collection[str]) -> tuple[Profile, ...]:
    """The profiles without mistakes; those with mistakes are noted. `providers` are known names."""
    path: KeyPath = ("profiles",)
    items = reading.sequence(path, raw)
    if raw == []:
        reading.problem(path, "must have at least one entry")
    read = (_profile(reading, (*path, index), item, providers) for index, item in enumerate(items))
    return tuple(profile for profile in read if profile is not None)


def _profile(reading: Reading, path: KeyPath, item: Any, providers: Collection[str]) -> Profile | None:
    if not isinstance(item, dict):
        reading.problem(path, f"must be a mapping with a name, not {quote(item)}")
        return None
    if item.get("name") == AUTO:
        message = f"{AUTO!r} is reserved for choosing by rules (default_profile: auto); rename the profile"
        reading.problem((*path, "name"), message)
    _check_chain(reading, (*path, "providers"), item.get("providers"), providers)
    options = reading.section(path, Scope.PROFILE, item)
    keys: ProfileKeys | None = options.pop(ProfileKeys, None)
    if keys is None:
        return None
    return Profile(
        name=keys.name,
        providers=keys.providers,
        timeout_s=keys.timeout_s,
        append_system_prompt=keys.append_system_prompt,
        on_empty_answer=keys.on_empty_answer,
        instruction_place=keys.instruction_place,
        options=options,
    )


def _check_chain(reading: Reading, path: KeyPath, raw: Any, providers: Collection[str]) -> None:
    for index, name in enumerate(raw if isinstance(raw, list) else []):
        if isinstance(name, str) and providers and name not in providers:
            message = f"no provider is named {quote(name)}{near_or_all(name, providers)}"
            reading.problem((*path, index), message)
