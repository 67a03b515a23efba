"""Check that a class of options can be read from a file, before there is a file."""

from __future__ import annotations

import types
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

import attrs

from coderouter_core.config.structure import can_structure, key_fields
from coderouter_core.config.validation import type_name


@cache
def unreadable(cls: type) -> str | None:
    """Why no file can say a `cls`, in words for its author; None when one can."""
    if not attrs.has(cls):
        return f"{cls.__name__} must be an attrs class"
    checked: list[type] = [cls]
    for record in checked:
        try:
            types_of = get_type_hints(record)
        except NameError as error:
            return f"the types of {record.__name__} are not known: {error}"
        for key, field in key_fields(record).items():
            for kind in _parts(types_of.get(field.name, Any)):
                if attrs.has(kind):
                    checked += [] if kind in checked else [kind]
                elif not can_structure(kind):
                    return f"{record.__name__}.{key}: no file can hold {type_name(kind)}"
    return None


def _parts(kind: Any) -> Iterator[Any]:
    """The types that a type is made of."""
    inner = [] if get_origin(kind) is Literal else get_args(kind)
    if not inner:
        yield kind
    for part in inner:
        if part is not Ellipsis and part is not types.NoneType:
            yield from _parts(part)
