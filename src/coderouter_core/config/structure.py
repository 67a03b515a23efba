"""Make typed values of plain ones, and collect every mistake on the way."""

from __future__ import annotations

import collections.abc
import math
import types
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs
from attrs import NOTHING, Attribute, frozen

from coderouter_core.config.tree import KeyPath
from coderouter_core.config.validation import complaint, type_name
from coderouter_core.config.words import near_or_all, one_of, quote

if TYPE_CHECKING:
    from cattrs import BaseConverter

T = TypeVar("T")
Hook = Callable[[Any, Any], Any]

_SEQUENCES: dict[Any, type] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    collections.abc.Sequence: tuple,
    collections.abc.Iterable: tuple,
    collections.abc.Set: frozenset,
}
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


@frozen
class Mistake:
    """What is wrong at `path` (below the value that was read), or with the key there."""

    path: KeyPath
    message: str
    key: bool = False

    def below(self, step: str | int) -> Mistake:
        return Mistake((step, *self.path), self.message, self.key)


class MistakesError(Exception):
    """Everything that is wrong with one value."""

    def __init__(self, items: Iterable[Mistake]) -> None:
        self.items = tuple(items)
        super().__init__("; ".join(item.message for item in self.items))


def wrong(message: str) -> MistakesError:
    return MistakesError([Mistake((), message)])


def structure(raw: Any, kind: type[T]) -> T:
    """`raw`, as it came from YAML, as a `kind`. Nothing is coerced, no key is ignored.

    Raises `MistakesError` with all that is wrong; TypeError for a `kind` that no file can say.
    """
    result: T = _converter().structure(raw, kind)
    return result


def can_structure(kind: Any) -> bool:
    """Whether anything in a file can become a `kind`; of containers only the outside is judged."""
    from cattrs import StructureHandlerNotFoundError

    try:
        _converter().get_structure_hook(kind)
    except StructureHandlerNotFoundError:
        return False
    return True


@cache
def _converter() -> BaseConverter:
    # Imported here: it costs more than the rest of the package, and not every command reads a file.
    from cattrs import BaseConverter

    converter = BaseConverter(detailed_validation=False)
    for scalar, hook in _SCALARS.items():
        converter.register_structure_hook(scalar, hook)
    for holds, factory in _FACTORIES:
        converter.register_structure_hook_factory(holds, factory)
    return converter


def _exactly(kind: type) -> Hook:
    def hook(raw: Any, wanted: Any) -> Any:
        # cattrs takes an enumeration of texts for text.
        if issubclass(wanted, Enum):
            return _enum(wanted)(raw, wanted)
        if isinstance(raw, kind) and not (kind is int and isinstance(raw, bool)):
            return raw
        advice = "; put it in quotes" if kind is str and isinstance(raw, bool | int | float) else ""
        raise wrong(f"must be {type_name(kind)}, not {quote(raw)}{advice}")

    return hook


def _float(raw: Any, _: Any) -> float:
    try:
        if isinstance(raw, int | float) and not isinstance(raw, bool) and math.isfinite(raw):
            return float(raw)
    except OverflowError:
        pass
    raise wrong(f"must be a number, not {quote(raw)}")


_SCALARS: dict[type, Hook] = {
    bool: _exactly(bool),
    int: _exactly(int),
    str: _exactly(str),
    float: _float,
}


def _literal(kind: Any) -> Hook:
    def hook(raw: Any, _: Any) -> Any:
        # Compared with their types, since True == 1.
        for choice in get_args(kind):
            if type(choice) is type(raw) and choice == raw:
                return choice
        raise wrong(one_of(raw, get_args(kind)))

    return hook


def _enum(kind: Any) -> Hook:
    def hook(raw: Any, _: Any) -> Any:
        choices = {member.value: member for member in kind}
        if isinstance(raw, str | int) and raw in choices:
            return choices[raw]
        raise wrong(one_of(raw, choices))

    return hook


def _union(kind: Any) -> Hook:
    members = [member for member in get_args(kind) if member is not types.NoneType]

    def hook(raw: Any, _: Any) -> Any:
        if raw is None and len(members) < len(get_args(kind)):
            return None
        said: list[MistakesError] = []
        for member in members:
            try:
                return structure(raw, member)
            except MistakesError as mistakes:
                said.append(mistakes)
        if len(said) == 1:
            raise said[0]
        # The member that got furthest into the value is the one that was meant.
        deepest = max(said, key=lambda one: max(len(item.path) for item in one.items))
        if any(item.path for item in deepest.items):
            raise deepest
        raise wrong(f"must be {' or '.join(type_name(member) for member in members)}, not {quote(raw)}")

    return hook


def _sequence(kind: Any) -> Hook:
    build = _SEQUENCES[get_origin(kind) or kind]
    inner = next((arg for arg in get_args(kind) if arg is not Ellipsis), Any)

    def hook(raw: Any, _: Any) -> Any:
        if not isinstance(raw, list):
            raise wrong(f"must be a list, not {quote(raw)}")
        return build(_all(enumerate(raw), inner).values())

    return hook


def _mapping(kind: Any) -> Hook:
    inner = (get_args(kind) or (str, Any))[1]

    def hook(raw: Any, _: Any) -> Any:
        if not isinstance(raw, dict):
            raise wrong(f"must be a mapping, not {quote(raw)}")
        return _all(raw.items(), inner)

    return hook


def _all(items: Iterable[tuple[Any, Any]], kind: Any) -> dict[Any, Any]:
    """Every value as a `kind`, by its key or index."""
    done: dict[Any, Any] = {}
    mistakes: list[Mistake] = []
    for step, raw in items:
        try:
            done[step] = structure(raw, kind)
        except MistakesError as found:
            mistakes += [item.below(step) for item in found.items]
    if mistakes:
        raise MistakesError(mistakes)
    return done


def key_fields(cls: type) -> dict[str, Attribute[Any]]:
    """The attrs fields of `cls` that a file can set, by the keys it sets them with."""
    return {field.alias: field for field in attrs.fields(cls) if field.init and field.alias}


def _record(cls: Any) -> Hook:
    types_of = get_type_hints(cls)
    known = key_fields(cls)

    def hook(raw: Any, _: Any) -> Any:
        if not isinstance(raw, dict):
            raise wrong(f"must be a mapping, not {quote(raw)}")
        mistakes = [
            Mistake((key,), f"unknown key{near_or_all(key, known)}", key=True)
            for key in raw
            if key not in known
        ]
        values: dict[str, Any] = {}
        for key, field in known.items():
            try:
                if key in raw:
                    values[key] = structure(raw[key], types_of[field.name])
                elif field.default is NOTHING:
                    mistakes.append(Mistake((key,), "missing; it has no default"))
            except MistakesError as found:
                mistakes += [item.below(key) for item in found.items]
        mistakes += _complaints(cls, values, raw.keys() - values.keys())
        if mistakes:
            raise MistakesError(mistakes)
        try:
            return cls(**values)
        except (ValueError, TypeError) as error:
            raise wrong(str(error)) from None

    return hook


def _complaints(cls: Any, values: Mapping[str, Any], broken: Iterable[str]) -> list[Mistake]:
    """What validators hold against `values`: all of them, where attrs would stop at the first."""
    draft = _draft(cls, values, broken)
    mistakes: list[Mistake] = []
    for key, field in key_fields(cls).items():
        if field.validator is not None and hasattr(draft, field.name):
            try:
                said = complaint(field.validator, draft, field, getattr(draft, field.name))
            except AttributeError:
                # It looks at another field, which has a mistake of its own.
                continue
            if said:
                mistakes.append(Mistake((key,), said))
    return mistakes


def _draft(cls: Any, values: Mapping[str, Any], broken: Iterable[str]) -> Any:
    """An instance that was not validated, without the fields that are broken, for validators to look at."""
    draft = object.__new__(cls)
    for key, field in key_fields(cls).items():
        if key in values:
            object.__setattr__(draft, field.name, values[key])
        elif key not in broken and field.default is not NOTHING:
            object.__setattr__(draft, field.name, _default(field.default, draft))
    return draft


def _default(default: Any, draft: Any) -> Any:
    if not isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return default
    return default.factory(draft) if default.takes_self else default.factory()


def _is_one_of(kinds: Iterable[Any]) -> Callable[[Any], bool]:
    found = tuple(kinds)
    return lambda kind: (get_origin(kind) or kind) in found


_FACTORIES: tuple[tuple[Callable[[Any], bool], Callable[[Any], Hook]], ...] = (
    (_is_one_of(_SEQUENCES), _sequence),
    (_is_one_of(_MAPPINGS), _mapping),
    (_is_one_of([Literal]), _literal),
    (_is_one_of([Union, types.UnionType]), _union),
    (lambda kind: isinstance(kind, type) and issubclass(kind, Enum), _enum),
    (attrs.has, _record),
)
