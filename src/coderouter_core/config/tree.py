"""Turn the nodes of a YAML parser into plain values and their places."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from attrs import Factory, define

from coderouter_core.config.words import quote

#: A node of ruamel.yaml, whose types do not tell a scalar from a mapping.
Node: TypeAlias = Any
#: The way to a value: keys of mappings, indexes of lists.
KeyPath = tuple[str | int, ...]
#: Line and column, counted from 1.
Place = tuple[int, int]

#: Bounds on what aliases can blow a small file up to.
MOST_VALUES = 20_000
DEEPEST = 100

_STANDARD = "tag:yaml.org,2002:"
_CONTAINERS = {"mapping": "map", "sequence": "seq"}
#: Files of CodeRouter 1.10 were read by the rules of YAML 1.1, where these are booleans too.
_SWITCHES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_HALF = re.compile("[\ud800-\udfff]")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_NUMBERS = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}


class OvergrownError(Exception):
    """The file holds more than a configuration can."""


def _integer(text: str) -> int:
    digits = text.replace("_", "").lower()
    return int(digits, 0 if digits.lstrip("+-")[:2] in {"0b", "0o", "0x"} else 10)


def _number(text: str) -> float:
    return float(_NUMBERS.get(text.lower(), text.replace("_", "")))


def _switch(text: str) -> bool:
    return _SWITCHES[text.lower()]


_READERS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": _integer,
    "float": _number,
    "bool": _switch,
    "null": lambda _: None,
    # A date is text to us, as are the lone signs that YAML gives a meaning.
    "timestamp": str,
    "merge": str,
    "value": str,
}


def _whole(text: str) -> str:
    """JSON escapes a character beyond the first 65,536 as two halves, which the parser leaves as they are."""
    return _PAIR.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)


def _place(node: Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


@define
class TreeBuilder:
    """Builds values; `values` and `keys` say where each stood, `mistakes` what is wrong by itself."""

    values: dict[KeyPath, Place] = Factory(dict)
    keys: dict[KeyPath, Place] = Factory(dict)
    mistakes: list[tuple[KeyPath, Place, str]] = Factory(list)
    _count: int = 0
    _depth: int = 0

    def build(self, node: Node, path: KeyPath) -> Any:
        """The value of `node`. Raises `OvergrownError`."""
        with self._deeper():
            self.values[path] = self._value_place(node, path)
            self._check_tag(node, path)
            if node.id == "mapping":
                return self._mapping(node, path)
            if node.id == "sequence":
                return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
            return self._scalar(node, path)

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self._count += 1
        self._depth += 1
        if self._count > MOST_VALUES or self._depth > DEEPEST:
            raise OvergrownError
        try:
            yield
        finally:
            self._depth -= 1

    def _value_place(self, node: Node, path: KeyPath) -> Place:
        # The parser puts a value that is not written to where the next thing begins.
        unwritten = node.id == "scalar" and node.value == "" and node.style is None
        return self.keys.get(path, _place(node)) if unwritten else _place(node)

    def _check_tag(self, node: Node, path: KeyPath) -> None:
        tag = str(node.tag)
        kind = tag.removeprefix(_STANDARD)
        expected = _CONTAINERS.get(node.id)
        if kind != expected if expected else kind not in _READERS:
            shown = f"!!{kind}" if tag.startswith(_STANDARD) else tag
            self.mistakes.append(
                (path, _place(node), f"the tag {quote(shown)} has no meaning here; remove it")
            )

    def _scalar(self, node: Node, path: KeyPath) -> Any:
        text = _whole(str(node.value))
        if _HALF.search(text):
            self.mistakes.append((path, _place(node), "an escape in it names half a character; write both"))
        kind = str(node.tag).removeprefix(_STANDARD)
        if kind == "str" and node.style is None and text.lower() in _SWITCHES:
            kind = "bool"
        try:
            return _READERS.get(kind, str)(text)
        except (ValueError, KeyError):
            message = f"cannot be read as !!{kind}; put it in quotes if it is text"
            self.mistakes.append((path, _place(node), message))
            return text

    def _mapping(self, node: Node, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node, own in self._pairs(node, path):
            key = _whole(str(key_node.value))
            inner = (*path, key)
            if key_node.id != "scalar":
                self.mistakes.append((path, _place(key_node), "a key must be text"))
            elif key not in result:
                self.keys[inner] = _place(key_node)
                result[key] = self.build(value_node, inner)
            elif own:
                line = self.keys[inner][0]
                message = f"stands here twice, first in line {line}; keep one"
                self.mistakes.append((inner, _place(key_node), message))
        return result

    def _pairs(self, node: Node, path: KeyPath, *, own: bool = True) -> Iterator[tuple[Node, Node, bool]]:
        """Keys and values of a mapping: its own, then those that ``<<`` brings in."""
        sources: list[Node] = []
        with self._deeper():
            for key_node, value_node in node.value:
                if str(key_node.tag) != f"{_STANDARD}merge":
                    yield key_node, value_node, own
                elif value_node.id == "sequence":
                    sources += value_node.value
                else:
                    sources.append(value_node)
            for source in sources:
                if source.id == "mapping":
                    yield from self._pairs(source, path, own=False)
                else:
                    message = "'<<' takes a mapping, or a list of mappings"
                    self.mistakes.append((path, _place(source), message))
