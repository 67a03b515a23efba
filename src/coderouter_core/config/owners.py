"""Which keys a configuration may have, and whose they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from attrs import field, frozen

from coderouter_core.config.readable import unreadable
from coderouter_core.config.structure import key_fields
from coderouter_core.errors import ConfigError
from coderouter_core.model import Option, Scope

#: The owner of the keys that are always there.
CORE = "coderouter-core"

_PLACES = {
    Scope.ROUTER: "at the top level",
    Scope.PROVIDER: "on a provider",
    Scope.COST: "under a provider's cost",
    Scope.PROFILE: "on a profile",
    Scope.RULE: "in a rule's condition",
    Scope.KEY: "on an entry of auth.keys",
}


def normal(name: str) -> str:
    """A plugin's name or a kind as it is compared: ``-`` and ``_`` are the same."""
    return name.strip().lower().replace("_", "-")


@frozen
class Owned:
    """An option, its owner, and its keys."""

    owner: str
    option: Option
    keys: tuple[str, ...] = field(init=False)

    def __attrs_post_init__(self) -> None:
        if reason := unreadable(self.option.cls):
            raise ConfigError(f"plugin {self.owner!r} declares an option that cannot be read: {reason}")
        object.__setattr__(self, "keys", tuple(key_fields(self.option.cls)))

    @property
    def kind(self) -> str | None:
        return None if self.option.kind is None else normal(self.option.kind)

    def serves(self, scope: Scope, kind: str | None) -> bool:
        """Whether its keys may stand in `scope`, on a provider of `kind` where that matters."""
        return self.option.scope is scope and self.kind in (None, kind)


class Owners:
    """All options, the core's included. Raises `ConfigError` where two own the same key or kind."""

    def __init__(self, options: Iterable[tuple[str, Option]]) -> None:
        self._owned = [Owned(owner, option) for owner, option in options]
        clashes = list(self._clashes())
        if clashes:
            raise ConfigError(*clashes)

    def serving(self, scope: Scope, kind: str | None = None) -> Sequence[Owned]:
        """The options whose keys may stand in `scope`."""
        return [owned for owned in self._owned if owned.serves(scope, kind)]

    def keys(self, scope: Scope) -> list[str]:
        """The keys that may stand in `scope`."""
        return [key for owned in self.serving(scope) for key in owned.keys]

    def kinds(self) -> dict[str, list[Owned]]:
        """The kinds of providers, and the options that make each of them."""
        found: dict[str, list[Owned]] = {}
        for owned in self._owned:
            if owned.kind is not None:
                found.setdefault(owned.kind, []).append(owned)
        return found

    def elsewhere(self, key: str) -> str | None:
        """Where `key` would be at home, in words."""
        for owned in self._owned:
            if key in owned.keys:
                if owned.kind is not None:
                    return f"on a provider of kind {owned.kind!r}"
                return _PLACES[owned.option.scope]
        return None

    def _clashes(self) -> Iterator[str]:
        seen: dict[tuple[Scope, str], list[Owned]] = {}
        for owned in self._owned:
            scope = owned.option.scope
            for key in owned.keys:
                for other in seen.setdefault((scope, key), []):
                    if other.kind is None or owned.kind is None or other.kind == owned.kind:
                        yield _clash(f"the key {key!r} {_PLACES[scope]}", other, owned)
                seen[scope, key].append(owned)
        for kind, owners in self.kinds().items():
            for other in owners[1:]:
                if other.owner != owners[0].owner:
                    yield _clash(f"the kind {kind!r}", owners[0], other)


def _clash(what: str, one: Owned, other: Owned) -> str:
    return f"{what} is declared by {one.owner!r} and by {other.owner!r}; uninstall or disable one of them"
