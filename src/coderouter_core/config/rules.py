"""Read ``auto_router:``: rules in both their spellings, and the rules that apply where none are written."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

from coderouter_core.config.document import Document
from coderouter_core.config.owners import Owned
from coderouter_core.config.profiles import AUTO, unknown_profile
from coderouter_core.config.reading import Reading
from coderouter_core.config.schema import AutoRouterKeys
from coderouter_core.config.tree import KeyPath
from coderouter_core.config.words import near_or_all, quote, shown_key
from coderouter_core.model import AutoRouter, Rule, Scope

PATH: KeyPath = ("auto_router",)

#: What applies under ``default_profile: auto`` where no rules are written.
BUNDLED = Path(__file__).with_name("bundled-rules.yaml")

#: Keys of a rule, each with its other spelling.
_SPELLINGS = {"profile": "route_to", "match": "if"}


def read_auto_router(
    reading: Reading, raw: Any, profiles: Collection[str], default: str, tell: Callable[[str], None]
) -> AutoRouter | None:
    """The rules, None where nothing asks for any. `default` is the default profile; `tell` notes a problem
    with it."""
    if raw is None:
        if default != AUTO:
            return None
        keys = AutoRouterKeys()
        return AutoRouter(
            _bundled(reading, tell, profiles, keys.default_rule_profile), keys.default_rule_profile
        )
    if not isinstance(raw, dict):
        reading.problem(PATH, f"must be a mapping, not {quote(raw)}")
        return None
    keys = reading.option(PATH, AutoRouterKeys, raw) or AutoRouterKeys()
    fallback = keys.default_rule_profile
    if profiles and fallback not in profiles:
        _unknown_fallback(reading, fallback, profiles)
    rules = _rules(reading, keys.rules, profiles)
    if not keys.rules and not keys.disabled and default == AUTO:
        rules = _bundled(reading, partial(reading.problem, PATH), profiles)
    return AutoRouter(rules, fallback, keys.disabled, keys.sticky)


def _unknown_fallback(reading: Reading, name: str, profiles: Collection[str]) -> None:
    path = (*PATH, "default_rule_profile")
    told = "" if reading.document.has(path) else " (the default of this key; write another)"
    reading.problem(path, f"{unknown_profile(name, profiles)}{told}")


def _bundled(
    reading: Reading, tell: Callable[[str], None], profiles: Collection[str], *fallback: str
) -> tuple[Rule, ...]:
    """The bundled rules, as far as plugins that judge them are there.

    All their profiles must be there, whichever of the rules applies today.
    """
    entries = Document.read(BUNDLED).tree["rules"]
    needed = [*(entry["profile"] for entry in entries), *fallback]
    missing = [name for name in needed if name not in profiles]
    if missing and profiles:
        tell(
            f"without rules of your own, {AUTO!r} chooses among the profiles {', '.join(needed)}; missing: "
            f"{', '.join(missing)}; add them, or write auto_router.rules, or set default_profile to one of "
            f"{', '.join(map(shown_key, profiles))}",
        )
    rules: list[Rule] = []
    for entry in entries:
        for owned in reading.active.serving(Scope.RULE):
            if entry["match"].keys() <= set(owned.keys):
                condition = reading.option(PATH, owned.option.cls, entry["match"])
                rules.append(_made(entry["id"], entry["profile"], condition, owned))
    return tuple(rules)


def _made(rule_id: str, profile: str, condition: Any, owned: Owned) -> Rule:
    return Rule(rule_id, profile, condition, owned.option.facts, owned.option.content)


def _rules(reading: Reading, raw: Any, profiles: Collection[str]) -> tuple[Rule, ...]:
    path = (*PATH, "rules")
    items = [] if raw is None else reading.sequence(path, raw)
    read = (_rule(reading, (*path, index), item, profiles) for index, item in enumerate(items))
    return tuple(rule for rule in read if rule is not None)


def _rule(reading: Reading, path: KeyPath, item: Any, profiles: Collection[str]) -> Rule | None:
    if not isinstance(item, dict):
        reading.problem(path, f"must be a mapping, not {quote(item)}")
        return None
    known = ["id", *_SPELLINGS, *_SPELLINGS.values()]
    for key in item:
        if key not in known:
            reading.problem((*path, key), f"unknown key{near_or_all(key, known)}", key=True)
    profile = _profile(reading, path, item, profiles)
    condition = _condition(reading, path, item)
    rule_id = item.get("id")
    if rule_id is None:
        rule_id = f"user:{int(path[-1]) + 1}"
    if not isinstance(rule_id, str) or not rule_id.strip():
        reading.problem((*path, "id"), f"must be text that is not empty, not {quote(rule_id)}")
        return None
    if profile is None or condition is None:
        return None
    owned, value = condition
    return _made(rule_id, profile, value, owned)


def _spelled(reading: Reading, path: KeyPath, item: dict[str, Any], key: str) -> str | None:
    """Which spelling of `key` the rule uses."""
    other = _SPELLINGS[key]
    if key in item and other in item:
        reading.problem((*path, other), f"says the same as {key!r}; keep one of them", key=True)
    if key in item or other in item:
        return key if key in item else other
    reading.problem(path, f"a rule needs {key!r} (or {other!r})")
    return None


def _profile(reading: Reading, path: KeyPath, item: dict[str, Any], profiles: Collection[str]) -> str | None:
    key = _spelled(reading, path, item, "profile")
    if key is None:
        return None
    name = item[key]
    if isinstance(name, str) and (name in profiles or not profiles):
        return name
    is_text = isinstance(name, str)
    message = unknown_profile(name, profiles) if is_text else f"must be text, not {quote(name)}"
    reading.problem((*path, key), message)
    return None


def _condition(reading: Reading, path: KeyPath, item: dict[str, Any]) -> tuple[Owned, Any] | None:
    """The one condition of a rule, and the option it is an instance of."""
    key = _spelled(reading, path, item, "match")
    if key is None:
        return None
    path = (*path, key)
    # An empty value counts as not written, as it did in 1.10.
    given = {name: value for name, value in reading.mapping(path, item[key]).items() if value is not None}
    serving = reading.active.serving(Scope.RULE)
    before = len(reading.document.problems)
    reading.unknown_keys(path, given, serving)
    meant = [owned for owned in serving if any(name in given for name in owned.keys)]
    if len(meant) > 1:
        names = ", ".join(name for owned in meant for name in owned.keys if name in given)
        message = f"a rule has one condition, this has {len(meant)} ({names}); write a rule for each"
        reading.problem(path, message)
    elif not meant and len(reading.document.problems) == before and isinstance(item[key], dict):
        known = ", ".join(reading.active.keys(Scope.RULE)) or "none, since no matcher is installed"
        reading.problem(path, f"a rule needs one condition; known: {known}")
    elif meant and (value := reading.option(path, meant[0].option.cls, given)) is not None:
        return meant[0], value
    return None
