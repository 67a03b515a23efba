"""The tools that a request declares, and whether a call fits one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import chain
from typing import Any

import orjson
from attrs import field, frozen

from coderouter_core.api import Dialect, Request
from coderouter_core.wire import functions

#: Schemas are looked into no further than this.
DEEPEST = 8
#: Values in the arguments of a call; more would take too long to compare with a schema.
MOST_VALUES = 4096

_KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}


class MismatchError(Exception):
    """What was written is no call of a declared tool; the message says why, without any of its values."""


@frozen
class Tool:
    """A tool that the client can run. `schema` is the JSON schema of its arguments; `told` another name by which a model
    may know it."""

    name: str
    schema: Mapping[str, Any] = field(factory=dict, repr=False)
    told: str = ""


@frozen
class Call:
    """A call whose arguments fit; they are JSON."""

    tool: str
    arguments: str


def folded(name: str) -> str:
    """A name without the differences that models make: case, and ``-`` for ``_``."""
    return name.strip().lower().replace("-", "_")


class Tools:
    """The tools of one request, by name; looked through when somebody asks, which most answers do not."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._declared = tools

    @cached_property
    def _exact(self) -> Mapping[str, Tool]:
        tools = list(self._declared)
        return {**{tool.told: tool for tool in tools if tool.told}, **{tool.name: tool for tool in tools}}

    @cached_property
    def _folded(self) -> Mapping[str, list[Tool]]:
        """By names as models may write them."""
        found: dict[str, list[Tool]] = {}
        for name, tool in self._exact.items():
            found.setdefault(folded(name), []).append(tool)
        return found

    @classmethod
    def of(cls, request: Request) -> Tools | None:
        """What `request` declares, in any dialect; None where nothing is, or no tool may be called."""
        choice = request.body.get("tool_choice")
        if choice == "none" or (isinstance(choice, dict) and choice.get("type") == "none"):
            return None
        told = functions(request.body, request.dialect)
        declared = (Tool(function.name, function.schema, function.told) for function in told)
        if request.dialect is Dialect.RESPONSES:
            # Its first tool costs as much as all of them: most answers ask for none.
            return cls(declared) if request.has_tools else None
        first = next(declared, None)
        return None if first is None else cls(chain((first,), declared))

    def named(self, said: str) -> Tool:
        """The one tool that `said` can mean."""
        if (tool := self._exact.get(said)) is not None:
            return tool
        found = self._folded.get(folded(said.removeprefix("functions.")), [])
        if len(found) != 1:
            raise MismatchError("several tools have that name" if found else "no tool has that name")
        return found[0]

    def knows(self, said: str) -> bool:
        try:
            self.named(said)
        except MismatchError:
            return False
        return True

    def may_become(self, beginning: str) -> bool:
        """Whether a tool's name can begin with this."""
        start = folded(beginning.removeprefix("functions."))
        return any(name.startswith(start) for name in self._folded) or "functions.".startswith(beginning)

    def call(self, said: str, arguments: Any) -> Call:
        """A call of the tool that `said` means, if its arguments fit."""
        tool = self.named(said)
        if isinstance(arguments, str):
            arguments = _decoded(arguments) if arguments.strip() else {}
        if arguments is None:
            arguments = {}
        if not isinstance(arguments, dict):
            raise MismatchError("the arguments are not an object")
        if _is_large(arguments):
            raise MismatchError(f"the arguments hold more than {MOST_VALUES} values")
        fitting = _fit(arguments, tool.schema, "arguments", 0)
        try:
            return Call(tool.name, orjson.dumps(fitting).decode())
        except TypeError:
            raise MismatchError("the arguments cannot be written as JSON") from None


def _is_large(arguments: dict[str, Any]) -> bool:
    left = MOST_VALUES
    waiting: list[Any] = [arguments]
    while waiting and left >= 0:
        value = waiting.pop()
        if isinstance(value, dict | list):
            left -= len(value)
            waiting += value.values() if isinstance(value, dict) else value
    return left < 0


def _fit(value: Any, schema: Any, where: str, depth: int) -> Any:
    """`value`, with what is plainly meant put right; `MismatchError` where the schema does not take it."""
    if not isinstance(schema, dict) or depth > DEEPEST:
        return value
    kinds = schema.get("type")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if isinstance(kinds, list) and kinds and not any(_is(value, kind) for kind in kinds):
        value = _coerced(value, kinds, where)
    choices = schema.get("enum")
    if isinstance(choices, list) and not any(type(one) is type(value) and one == value for one in choices):
        raise MismatchError(f"{where} is none of its choices")
    if isinstance(value, dict):
        return _object(value, schema, where, depth)
    if isinstance(value, list):
        return [_fit(item, schema.get("items"), f"{where}[]", depth + 1) for item in value]
    return value


def _object(value: dict[str, Any], schema: dict[str, Any], where: str, depth: int) -> dict[str, Any]:
    required = schema.get("required")
    for key in required if isinstance(required, list) else ():
        if key not in value:
            raise MismatchError(f"{where} lack {str(key)[:60]!r}")
    properties = schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    # Keys that the schema does not know are the model's words: they are not repeated.
    return {
        key: _fit(one, properties[key], f"{where}.{key[:60]}", depth + 1) if key in properties else one
        for key, one in value.items()
    }


def _is(value: Any, kind: Any) -> bool:
    types = _KINDS.get(kind) if isinstance(kind, str) else None
    if types is None:
        return True
    if isinstance(value, bool):
        return bool(kind == "boolean")
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return bool(isinstance(value, types))


def _coerced(value: Any, kinds: list[Any], where: str) -> Any:
    """Text that spells a number, a boolean or a structure, and a number where text is wanted."""
    meant: Any = MismatchError
    if isinstance(value, str) and "string" not in kinds:
        meant = _decoded(value.strip())
        if meant is MismatchError and value.strip() in ("True", "False", "None"):
            meant = {"True": True, "False": False, "None": None}[value.strip()]
    elif isinstance(value, int) and not isinstance(value, bool) and "string" in kinds:
        meant = str(value)
    if meant is MismatchError or not any(_is(meant, kind) for kind in kinds):
        raise MismatchError(f"{where} is not of type {' or '.join(str(kind)[:20] for kind in kinds)}")
    return meant


def _decoded(text: str) -> Any:
    """The JSON in `text`; `MismatchError` itself where there is none, since None is a value."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return MismatchError
