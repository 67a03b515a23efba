"""The rules of ``model-capabilities.yaml``: the user's first, then the bundled ones."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from attrs import evolve, field, fields, frozen, validators

from coderouter_core.config.document import Document
from coderouter_core.config.owners import normal
from coderouter_core.config.structure import MistakesError, structure
from coderouter_core.config.words import near_or_all, quote
from coderouter_core.model import Capabilities, Provider

#: The rules that come with the package.
BUNDLED = Path(__file__).with_name("model-capabilities.yaml")
#: The kind of a rule that holds for providers of every kind.
ANY = "any"


@frozen
class Flags:
    """What is known of a model. None: nobody said. `max_context_tokens` counts prompt and answer together;
    `claude_code_suitability` is how it copes with a coding agent's long prompts; `tool_schema` is ``simple`` for
    engines that turn the schemas of tools into a grammar."""

    thinking: bool | None = None
    reasoning_passthrough: bool | None = None
    tools: bool | None = None
    vision: bool | None = None
    max_context_tokens: int | None = field(default=None, validator=validators.optional(validators.ge(1)))
    claude_code_suitability: Literal["ok", "degraded"] | None = None
    cache_control: bool | None = None
    tool_schema: Literal["full", "simple"] | None = None

    def over(self, other: Flags) -> Flags:
        """These flags, and `other`'s where these say nothing."""
        missing = {flag: getattr(other, flag) for flag in _FLAGS if getattr(self, flag) is None}
        return evolve(self, **missing)


_FLAGS = tuple(flag.name for flag in fields(Flags))


@frozen
class ModelRule:
    """Flags of the models that `match` names: a glob, case counts, ``*`` crosses ``/`` and ``:``."""

    match: str = field(validator=validators.min_len(1))
    capabilities: Flags
    kind: str = field(default=ANY, converter=normal)

    def holds(self, kind: str, model: str) -> bool:
        return self.kind in (ANY, kind) and fnmatchcase(model, self.match)


@frozen
class RegistryFile:
    """The keys of the file. `kinds` says what holds for any model of a kind as long as nobody knows better."""

    version: Literal[1] = 1
    rules: tuple[ModelRule, ...] = ()
    kinds: Mapping[str, Flags] = field(factory=dict)


@frozen
class Registry:
    """Rules in order, and what is assumed by kind."""

    rules: tuple[ModelRule, ...] = ()
    kinds: Mapping[str, Flags] = field(factory=dict)
    # Providers are few and asked about in every request.
    _known: dict[tuple[str, str], Flags] = field(factory=dict, init=False, repr=False, eq=False)

    @classmethod
    def load(cls, user_file: Path | None, kinds: Collection[str] | None = None) -> Registry:
        """The user's rules, if the file is there, then the bundled ones.

        With `kinds`, those of the installed adapters, a user's rule of another kind is a mistake.
        Raises `ConfigError` with everything that is wrong with the user's file.
        """
        bundled = _bundled()
        if user_file is None or not user_file.exists():
            return cls(bundled.rules, bundled.kinds)
        user = _read(user_file, kinds)
        return cls(user.rules + bundled.rules, {**bundled.kinds, **user.kinds})

    def lookup(self, kind: str, model: str) -> Flags:
        """What the rules say of `model` at a provider of `kind`: for each flag the first rule that has it."""
        if (kind, model) not in self._known:
            found = Flags()
            for rule in self.rules:
                if rule.holds(normal(kind), model):
                    found = found.over(rule.capabilities)
            self._known[kind, model] = found
        return self._known[kind, model]

    def assumed(self, kind: str) -> Flags:
        """What holds for a kind where no rule says anything."""
        return self.kinds.get(normal(kind), Flags())


def effective(provider: Provider, registry: Registry) -> Capabilities:
    """What `provider` can do: as configured, an explicit ``false`` included; else as the registry says."""
    said = provider.capabilities
    known = registry.lookup(provider.kind, provider.model).over(registry.assumed(provider.kind))
    answers: dict[str, Any] = {
        "tools": known.tools,
        "vision": known.vision,
        "thinking": known.thinking,
        "reasoning_passthrough": known.reasoning_passthrough,
        "prompt_cache": known.cache_control,
        "max_context_tokens": known.max_context_tokens,
        "tool_schema": known.tool_schema,
    }
    unsaid = {name: value for name, value in answers.items() if getattr(said, name) is None}
    return evolve(said, **unsaid)


@functools.cache
def _bundled() -> RegistryFile:
    """The package's own file, which does not change while a process lives."""
    return _read(BUNDLED, None)


def _read(path: Path, kinds: Collection[str] | None) -> RegistryFile:
    document = Document.read(path)
    try:
        read = structure({} if document.tree is None else document.tree, RegistryFile)
    except MistakesError as found:
        for item in found.items:
            document.problem(item.path, item.message, key=item.key)
        read = RegistryFile()
    if kinds is not None:
        _check_kinds(document, read, kinds)
    document.raise_problems()
    return evolve(read, kinds={normal(kind): flags for kind, flags in read.kinds.items()})


def _check_kinds(document: Document, read: RegistryFile, kinds: Collection[str]) -> None:
    known = [*kinds, ANY]
    for index, rule in enumerate(read.rules):
        if rule.kind not in known:
            message = f"no adapter is of kind {quote(rule.kind)}{near_or_all(rule.kind, known)}"
            document.problem(("rules", index, "kind"), message)
    for kind in read.kinds:
        if normal(kind) not in kinds:
            message = f"no adapter is of kind {quote(kind)}{near_or_all(kind, kinds)}"
            document.problem(("kinds", kind), message, key=True)
