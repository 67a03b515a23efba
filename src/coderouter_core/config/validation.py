"""Say in our words what an attrs validator holds against a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import validators

from coderouter_core.config.words import looks_secret, one_of, quote

# The classes of these validators have no public names; their attributes are part of their repr.
_AND: Any = type(validators.and_(validators.ge(0)))
_IN: Any = type(validators.in_([0]))
_INSTANCE = type(validators.instance_of(int))
_LONGEST: Any = type(validators.max_len(1))
_NUMBER = type(validators.ge(0))
_OPTIONAL: Any = type(validators.optional(validators.ge(0)))
_PATTERN = type(validators.matches_re(""))
_SHORTEST: Any = type(validators.min_len(1))

_SIGNS = {">=": "≥", "<=": "≤", "<": "<", ">": ">"}
_TYPES: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    tuple: "a list",
    dict: "a mapping",
}


def complaint(validator: Any, instance: Any, attribute: Any, value: Any) -> str | None:
    """What `validator` holds against `value`, or None. `instance` is for validators of a plugin's own."""
    if isinstance(validator, _AND):
        found = (complaint(each, instance, attribute, value) for each in validator._validators)
        return next((message for message in found if message), None)
    if isinstance(validator, _OPTIONAL):
        inner = validator.validator
        return None if value is None else complaint(inner, instance, attribute, value)
    try:
        validator(instance, attribute, value)
    except (ValueError, TypeError) as error:
        for kind, words in _WORDS.items():
            if isinstance(validator, kind):
                return words(validator, value)
        said = str(error) or "is not accepted"
        return said.replace(value, "(not shown)") if isinstance(value, str) and looks_secret(value) else said
    return None


def type_name(kind: Any) -> str:
    """A type as people call it; ``a number`` for a tuple of number types."""
    if isinstance(kind, tuple):
        return " or ".join(dict.fromkeys(type_name(one) for one in kind))
    return _TYPES.get(kind, f"a {getattr(kind, '__name__', kind)}")


def _number(validator: Any, value: Any) -> str:
    return f"must be {_SIGNS[validator.compare_op]} {quote(validator.bound)}, not {quote(value)}"


def _pattern(validator: Any, value: Any) -> str:
    return f"must match the pattern {validator.pattern.pattern}, not {quote(value)}"


def _shortest(validator: Any, value: Any) -> str:
    least = validator.min_length
    return "must not be empty" if least == 1 else f"must have at least {least} entries, not {len(value)}"


_WORDS: dict[type, Callable[[Any, Any], str]] = {
    _NUMBER: _number,
    _IN: lambda validator, value: one_of(value, validator.options),
    _INSTANCE: lambda validator, value: f"must be {type_name(validator.type)}, not {quote(value)}",
    _PATTERN: _pattern,
    _SHORTEST: _shortest,
    _LONGEST: lambda validator, value: f"must have at most {validator.max_length} entries, not {len(value)}",
}
