"""Values as OTLP writes them: mappings that its messages are made of, cheaper than messages that are copied."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

#: The field of ``AnyValue`` for each type; what is of none is text.
FIELDS = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value"}


def key_values(pairs: Iterable[tuple[str, Any]]) -> list[Any]:
    """Attributes, to make messages with; those without a value are left out."""
    return [
        {
            "key": name,
            "value": {FIELDS[value.__class__]: value} if value.__class__ in FIELDS else _other(value),
        }
        for name, value in pairs
        if value is not None
    ]


def _other(value: Any) -> dict[str, Any]:
    if isinstance(value, (list, tuple)):
        return {"array_value": {"values": [{"string_value": str(each)} for each in value]}}
    return {"string_value": str(value)}
