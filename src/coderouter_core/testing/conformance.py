"""Check that a plugin fits the house, without a router."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from coderouter_core.errors import ConfigError, listing
from coderouter_core.events import CORE_EVENTS, EventSpec, Level
from coderouter_core.model import Option, Provider, Scope
from coderouter_core.plugins import register

_KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_CORE_EVENT_NAMES = frozenset(spec.name for spec in CORE_EVENTS)
_PROVIDER_KEYS = frozenset(each.name for each in attrs.fields(Provider))


def conformance(plugin: Any) -> None:
    """Check a plugin object: its hooks, the options and the events it declares.

    Raises AssertionError that lists everything that is wrong.
    """
    problems = [*_hook_problems(plugin)]
    if not problems:
        problems += [*_option_problems(plugin), *_event_problems(plugin)]
    if problems:
        name = type(plugin).__name__
        raise AssertionError(listing(f"{name} does not conform", [(name, each) for each in problems]))


def _hook_problems(plugin: Any) -> Iterator[str]:
    if inspect.isclass(plugin):
        yield "it is a class; give an instance, as the router makes one"
        return
    try:
        manager = register({"plugin": plugin})
    except ConfigError as error:
        yield str(error)
        return
    if not manager.get_hookcallers(plugin):
        yield "it implements no hook; is @hookimpl missing?"


def _option_problems(plugin: Any) -> Iterator[str]:
    kinds = False
    for option in _declared(plugin, "declare_options"):
        if not isinstance(option, Option):
            yield f"declare_options: {option!r} is not an Option"
            continue
        kinds = kinds or option.kind is not None
        name = getattr(option.cls, "__name__", repr(option.cls))
        yield from (f"declare_options: {name}: {each}" for each in _problems_of(option))
    if kinds != hasattr(plugin, "make_adapter"):
        yield "make_adapter and an Option with a kind come together: one is missing"


def _problems_of(option: Option) -> Iterator[str]:
    if not isinstance(option.scope, Scope):
        yield f"the scope must be one of {', '.join(f'Scope.{each.name}' for each in Scope)}, not {option.scope!r}"
        return
    if not (inspect.isclass(option.cls) and attrs.has(option.cls)):
        yield "the class must be an attrs class, whose fields are the keys"
        return
    fields = attrs.fields(option.cls)
    if option.scope is Scope.RULE and len(fields) != 1:
        yield f"a rule has one condition, so the class must have one field, not {len(fields)}"
    for each in fields:
        if option.scope is not Scope.RULE and each.init and each.default is attrs.NOTHING:
            yield f"{each.name} has no default; `option()` needs one where the file says nothing"
    if option.kind is not None and option.scope is not Scope.PROVIDER:
        yield f"only a Scope.PROVIDER option has a kind, not Scope.{option.scope.name}"
    if option.facts and option.scope is not Scope.RULE:
        yield f"only a Scope.RULE option has facts, not Scope.{option.scope.name}"
    for key in option.requires:
        if key not in _PROVIDER_KEYS:
            yield f"requires {key!r}, which is no key of a provider"


def _event_problems(plugin: Any) -> Iterator[str]:
    seen = set(_CORE_EVENT_NAMES)
    for spec in _declared(plugin, "declare_events"):
        if not isinstance(spec, EventSpec):
            yield f"declare_events: {spec!r} is not an EventSpec"
            continue
        where = f"declare_events: {spec.name}"
        if not _KEBAB.fullmatch(spec.name):
            yield f"{where}: names are kebab-case: lower-case words joined by '-'"
        if spec.name in seen:
            owner = "the core" if spec.name in _CORE_EVENT_NAMES else "this plugin"
            yield f"{where}: declared by {owner} already"
        seen.add(spec.name)
        if not isinstance(spec.level, Level):
            yield f"{where}: the level must be one of {', '.join(f'Level.{each.name}' for each in Level)}"
        if not spec.text:
            yield f"{where}: says nothing; the text is its line in the reference"
        for field in spec.fields:
            if not field.isidentifier():
                yield f"{where}: field {field!r} is not a name"


def _declared(plugin: Any, hook: str) -> Iterable[Any]:
    declare = getattr(plugin, hook, None)
    return (declare() or ()) if declare else ()
