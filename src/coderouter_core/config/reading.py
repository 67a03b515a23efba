"""One reading of one file: which keys stand where, what they mean, what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, TypeVar

from attrs import define, field

from coderouter_core.config.document import Document
from coderouter_core.config.features import Features, belongs, owner_of
from coderouter_core.config.owners import Owned, Owners
from coderouter_core.config.structure import MistakesError, structure
from coderouter_core.config.tree import KeyPath
from coderouter_core.config.words import near_or_all, quote
from coderouter_core.errors import Problem
from coderouter_core.model import Option, Scope

T = TypeVar("T")


@define
class Reading:
    """`active` and `idle` are the options of plugins that are switched on and off;
    `disabled` says of each name that is switched off where that is written."""

    document: Document
    environ: Mapping[str, str]
    active: Owners
    idle: tuple[tuple[str, Option], ...] = ()
    disabled: Mapping[str, str] = field(factory=dict)
    plugins: frozenset[str] = frozenset()

    @cached_property
    def features(self) -> Features:
        return Features.of_installation()

    def problem(self, path: KeyPath, message: str, *, key: bool = False) -> None:
        self.document.problem(path, message, key=key)

    def elsewhere(self, name: str, message: str) -> None:
        """Note what is wrong outside the file, such as with the environment variable `name`."""
        self.document.problems.append(Problem(message, name))

    def mistakes(self, path: KeyPath, found: MistakesError) -> None:
        """Note what was wrong below `path`."""
        for item in found.items:
            self.problem((*path, *item.path), item.message, key=item.key)

    def mapping(self, path: KeyPath, raw: Any) -> dict[str, Any]:
        """`raw` when it is a mapping; else a problem and nothing."""
        if isinstance(raw, dict):
            return raw
        self.problem(path, f"must be a mapping, not {quote(raw)}")
        return {}

    def sequence(self, path: KeyPath, raw: Any) -> list[Any]:
        """`raw` when it is a list; else a problem and nothing."""
        if isinstance(raw, list):
            return raw
        self.problem(path, f"must be a list, not {quote(raw)}")
        return []

    def section(
        self, path: KeyPath, scope: Scope, raw: Mapping[str, Any], kind: str | None = None
    ) -> dict[type, Any]:
        """Every option of `scope`, by class, from the keys of `raw`.

        Mistakes are noted.
        """
        found: dict[type, Any] = {}
        serving = self.active.serving(scope, kind)
        for owned in serving:
            part = {key: raw[key] for key in owned.keys if key in raw}
            value = self.option(path, owned.option.cls, part)
            if value is not None:
                found[owned.option.cls] = value
        self.unknown_keys(path, raw, serving)
        return found

    def option(self, path: KeyPath, cls: type[T], raw: Any) -> T | None:
        """`raw` as a `cls`. Mistakes are noted, and the rest is taken as if they were not written, so that
        what depends on it can be checked too; None when that is not possible."""
        try:
            return structure(raw, cls)
        except MistakesError as found:
            self.mistakes(path, found)
            bad = {item.path[0] for item in found.items if item.path}
        good = {key: value for key, value in raw.items() if key not in bad} if isinstance(raw, dict) else {}
        try:
            return structure(good, cls)
        except MistakesError:
            return None

    def unknown_keys(self, path: KeyPath, raw: Mapping[str, Any], serving: Iterable[Owned]) -> None:
        """Note each key of `raw` that none of `serving` owns."""
        known = [key for owned in serving for key in owned.keys]
        for key in raw:
            if key not in known:
                self.problem((*path, key), self._why_unknown(key, known), key=True)

    def _why_unknown(self, key: str, known: list[str]) -> str:
        if said := self._is_disabled(key):
            return said
        if place := self.active.elsewhere(key):
            return f"this key belongs {place}, not here"
        names = [name for name in self.features.extras if name not in self.plugins]
        if name := owner_of(key, names):
            return self.features.advice(name)
        return f"unknown key{near_or_all(key, known, 'known here')}"

    def _is_disabled(self, key: str) -> str | None:
        owners = [owner for owner, option in self.idle if key in Owned(owner, option).keys]
        owners += [name for name in self.disabled if belongs(key, name)]
        return self.disabled_words(owners[0], "key") if owners else None

    def disabled_words(self, name: str, what: str) -> str:
        """That something is of a plugin that is switched off, and what to do."""
        where = self.disabled[name]
        shown = quote(name)
        return f"comes with the plugin {shown}, which is disabled; remove the {what}, or {shown} from {where}"
