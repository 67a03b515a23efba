"""The schemas of tools, for engines that turn a schema into a grammar.

What such an engine cannot turn it refuses, and the whole request with it. A simple schema says the structure in the
few keywords that all of them take; what else the schema demanded is told to the model in its description.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any
from urllib.parse import unquote

from coderouter_core.wire.lenient import string, table

Schema = dict[str, Any]

#: All that a simple schema is made of.
KEYWORDS = frozenset({"type", "description", "properties", "required", "items", "enum", "anyOf"})
TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")

#: Levels below the root; what is deeper may be anything. JSON of twice as many levels is read everywhere.
MOST_DEPTH = 24
#: Schemas in one schema, references followed: a few that refer to each other twice would else become millions. What
#: is as large as many counts as many.
MOST_NODES = 2_000
#: Characters of a demand that are told in a description.
MOST_TOLD = 120

#: Demands that are told in the description, in this order.
_TOLD = (
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
    "additionalProperties",
    "default",
    "examples",
)
_DEMANDS = frozenset(_TOLD)
#: Keywords for keys that are not named.
_OTHER_KEYS = ("additionalProperties", "patternProperties")
#: Keywords by which a schema is made of others, or says in another way what `KEYWORDS` say.
_COMPOSED = frozenset({"$ref", "allOf", "anyOf", "oneOf", "const", "prefixItems"})


def simple_schema(schema: Mapping[str, Any]) -> Schema:
    """The schema of a tool's arguments, which are an object, in `KEYWORDS` alone.

    The same schema always gives the same bytes. Takes anything that is JSON, and time in proportion to its size.
    """
    return _Simplifier(schema).root()


class _Simplifier:
    """Works through one schema. `_left` is how many schemas it may still contain."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._left = MOST_NODES

    def root(self) -> Schema:
        """Arguments are one object: alternatives of it become one with the keys of all."""
        flat, above = self._flat(self._root, frozenset({"#"}))
        flat = self._joined(flat, above)
        return self._written({**flat, "type": "object", "nullable": False, "enum": None}, 0, above)

    def _simple(self, schema: Any, depth: int, above: frozenset[str]) -> Schema:
        self._left -= 1
        if not isinstance(schema, dict) or depth >= MOST_DEPTH or self._left <= 0:
            return {}
        flat, above = self._flat(schema, above)
        if "properties" in flat:
            flat = self._joined(flat, above)
        if branches := flat.get("anyOf"):
            return self._either(flat, branches, depth, above)
        return self._written(flat, depth, above)

    # ---- references and compositions

    def _flat(self, schema: Mapping[str, Any], above: frozenset[str]) -> tuple[Schema, frozenset[str]]:
        """`schema` with what it refers to and all that it is made of as one; and the references that led here.

        A reference that leads back into itself is cut: only the type of what it names is kept.
        """
        if _COMPOSED.isdisjoint(schema) and not isinstance(schema.get("items"), list):
            self._left -= _weight(schema)
            return dict(schema), above
        flat: Schema = {}
        waiting: list[Any] = [schema]
        followed: set[str] = set()
        while waiting and self._left > 0:
            part = waiting.pop()
            if not isinstance(part, dict):
                continue
            self._left -= _weight(part)
            _merge(flat, part)
            every = part.get("allOf")
            waiting += reversed(every) if isinstance(every, list) else ()
            reference = part.get("$ref")
            if isinstance(reference, str) and reference not in followed:
                target = self._target(reference)
                if reference in above or self._left <= 0:
                    target = {"type": target["type"]} if "type" in target else {}
                followed.add(reference)
                waiting.append(target)
        return flat, above | followed

    def _target(self, reference: str) -> Schema:
        """What a reference into the same document names; an empty schema, which allows anything, for any other."""
        if reference != "#" and not reference.startswith("#/"):
            return {}
        found: Any = self._root
        for step in reference[1:].split("/")[1:]:
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(found, list):
                found = (
                    found[int(name)] if name.isdecimal() and len(name) < 6 and int(name) < len(found) else {}
                )
            else:
                found = table(found).get(name)
        return table(found)

    def _joined(self, flat: Schema, above: frozenset[str]) -> Schema:
        """An object whose alternatives add their keys to it; only what all of them require is required."""
        branches = [
            self._flat(branch, above)[0] for branch in flat.get("anyOf", ()) if isinstance(branch, dict)
        ]
        if not branches:
            return flat
        flat = {key: value for key, value in flat.items() if key != "anyOf"}
        for branch in branches:
            _merge(flat, {"properties": branch.get("properties")})
        needed = set.intersection(*(set(_names(branch)) for branch in branches))
        _merge(flat, {"required": [name for name in _names(branches[0]) if name in needed]})
        return flat

    def _either(self, flat: Schema, branches: list[Any], depth: int, above: frozenset[str]) -> Schema:
        """One of several: a single one, one list of values, or the different ones."""
        different: dict[str, Schema] = {}
        for branch in branches:
            simple = self._simple(branch, depth + 1, above)
            different.setdefault(repr(simple), simple)
        found = list(different.values())
        if {} in found:
            found = []
        if len(found) == 1:
            (out,) = found
        elif found and all("enum" in each for each in found):
            out = {"enum": [value for each in found for value in each["enum"]]}
        else:
            out = {"anyOf": found} if found else {}
        told = _description(flat)
        return {**out, "description": told} if told else out

    # ---- one schema

    def _written(self, flat: Schema, depth: int, above: frozenset[str]) -> Schema:
        out: Schema = {}
        types = _types(flat)
        if types:
            out["type"] = types[0] if len(types) == 1 else types
        if told := _description(flat):
            out["description"] = told
        values = flat.get("enum")
        if isinstance(values, list) and values and all(map(_is_scalar, values)):
            out["enum"] = values
            return out
        if "object" in types and ("properties" in flat or _names(flat)):
            properties = self._properties(flat, depth, above)
            # An engine takes an empty list of keys at its word; what has keys of any name must do without it.
            if properties or not any(isinstance(flat.get(key), dict) for key in _OTHER_KEYS):
                out["properties"] = properties
            if required := [name for name in _names(flat) if name in properties]:
                out["required"] = required
        if "array" in types and isinstance(items := flat.get("items"), dict):
            out["items"] = self._simple(items, depth + 1, above)
        return out

    def _properties(self, flat: Schema, depth: int, above: frozenset[str]) -> Schema:
        """Each key and its schema. What is required is a key, whether its schema stands there or not; a key that may
        have no value at all is none."""
        said = table(flat.get("properties"))
        found = {
            name: self._simple(inner, depth + 1, above) for name, inner in said.items() if inner is not False
        }
        for name in _names(flat):
            if name not in said:
                found[name] = {}
        return found


def _weight(part: Mapping[str, Any]) -> int:
    """How many schemas `part` counts as, without those in it."""
    size = 0
    for value in part.values():
        if isinstance(value, str):
            size += len(value)
        elif isinstance(value, list | dict):
            size += 32 * len(value)
    return 1 + size // 256


def _merge(flat: Schema, part: Mapping[str, Any]) -> None:
    """Add what `part` says to `flat`, whose lists are its own; where both say something, what was said first holds."""
    for key, value in part.items():
        if key == "properties":
            known = flat.setdefault(key, {})
            for name, schema in table(value).items():
                known[name] = {"allOf": [known[name], schema]} if name in known else schema
        elif key in ("required", "anyOf", "oneOf"):
            said = flat.setdefault("required" if key == "required" else "anyOf", [])
            said += value if isinstance(value, list) else ()
        elif key == "const":
            flat.setdefault("enum", [value])
        elif key in ("items", "prefixItems"):
            # Of a tuple it is only said what may be in it.
            flat.setdefault("items", {"anyOf": value} if isinstance(value, list) else value)
        elif key not in ("$ref", "allOf", "$defs", "definitions"):
            flat.setdefault(key, value)


def _types(flat: Schema) -> list[str]:
    said = flat.get("type")
    names = [string(each).lower() for each in (said if isinstance(said, list) else [said])]
    types = [name for name in dict.fromkeys(names) if name in TYPES]
    if not types and "enum" not in flat:
        types = (
            ["object"] if "properties" in flat else ["array"] if isinstance(flat.get("items"), dict) else []
        )
    if types and flat.get("nullable") is True and "null" not in types:
        types.append("null")
    return types


def _names(flat: Mapping[str, Any]) -> list[str]:
    """What is required, each once."""
    required = flat.get("required")
    said = required if isinstance(required, list) else ()
    return list(dict.fromkeys(each for each in said if isinstance(each, str)))


def _description(flat: Schema) -> str:
    """The schema's own description, and what it demands beyond its structure."""
    demands = []
    for key in _TOLD if not _DEMANDS.isdisjoint(flat) else ():
        value = flat.get(key)
        if key == "additionalProperties":
            # Only a schema says more than the keys do, and of that its type is what matters.
            value = table(value).get("type")
        values = value if isinstance(value, list) else [value]
        if value is None or not all(map(_is_scalar, islice(values, MOST_TOLD))):
            continue
        shown = ", ".join(each if isinstance(each, str) else json.dumps(each) for each in values[:MOST_TOLD])
        if 0 < len(shown) <= MOST_TOLD:
            demands.append(f"{key}: {shown}")
    told = f"({'; '.join(demands)})" if demands else ""
    return " ".join(text for text in (string(flat.get("description")), told) if text)


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)
