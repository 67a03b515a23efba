"""The tools of a Responses request as functions, and the way back from a function's name to its tool.

Other dialects know functions only, in one flat list. A custom tool, which takes free text, becomes a function with
one string; groups of tools are flattened. Both sides read the names from the request, so nothing is kept between.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from attrs import evolve, frozen

from coderouter_core.wire.lenient import string, table
from coderouter_core.wire.responses.builtin import BUILTINS, is_clients

Kind = Literal["function", "custom", "tool_search", "builtin"]

#: The one argument of a function that stands for a custom tool.
INPUT = "input"
#: The group that models know as the top level.
_TOP = "functions"
_MOST_NAME = 64
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_EMPTY: Mapping[str, Any] = {"type": "object", "properties": {}}
_FREE_TEXT: Mapping[str, Any] = {
    "type": "object",
    "properties": {INPUT: {"type": "string", "description": "The whole input of the tool, as plain text."}},
    "required": [INPUT],
    "additionalProperties": False,
}
#: Items of a request that declare tools beside its ``tools``.
_DECLARING = ("additional_tools", "tool_search_output")


@frozen
class Tool:
    """One tool: what the client calls it (`name`, in `namespace`), and what the model does (`sent`)."""

    kind: Kind
    name: str
    namespace: str = ""
    sent: str = ""
    description: str = ""
    schema: Mapping[str, Any] = _EMPTY
    strict: bool = False


class Tools:
    """All tools that a request declares. `left_out` are the types of those that no function can stand for."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.left_out: list[str] = []
        self._by_place: dict[tuple[str, str], Tool] = {}
        self._by_sent: dict[str, Tool] = {}
        self._declare(body.get("tools"))
        items = body.get("input")
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict) and item.get("type") in _DECLARING:
                self._declare(item.get("tools"))

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._by_place.values())

    def called(self, sent: str) -> Tool:
        """The tool that a model means by `sent`; a function of that name where it was never declared."""
        return self._by_sent.get(sent) or Tool("function", sent, sent=sent)

    def sent(self, name: str, namespace: str = "") -> str:
        """The name under which a model knows a tool, declared or not."""
        known = self._by_place.get((namespace, name))
        return known.sent if known else _flat(name, namespace)

    def only(self, wanted: Iterable[Mapping[str, Any]]) -> list[Tool]:
        """The tools that a list of references names."""
        names = [self.sent_for(reference) for reference in wanted]
        return [tool for tool in self if tool.sent in names]

    def sent_for(self, reference: Mapping[str, Any]) -> str:
        """The name for a reference to a tool, as in ``tool_choice``; empty where none is declared for it."""
        name = string(reference.get("name")) or string(reference.get("type"))
        sent = self.sent(name, string(reference.get("namespace")))
        return sent if sent in self._by_sent else ""

    def _declare(self, tools: Any, namespace: str = "", about: str = "") -> None:
        for tool in tools if isinstance(tools, list) else ():
            tool = table(tool)
            kind = string(tool.get("type")) or "function"
            if kind == "namespace":
                self._declare(tool.get("tools"), string(tool.get("name")), string(tool.get("description")))
            elif found := _tool(kind, tool):
                if about:
                    # What is said of the group is said once, with its first tool.
                    found = evolve(found, description=f"{about}\n\n{found.description}".rstrip())
                    about = ""
                self._add(evolve(found, namespace=namespace))
            elif kind not in self.left_out:
                self.left_out.append(kind)

    def _add(self, tool: Tool) -> None:
        place = (tool.namespace, tool.name)
        sent = _flat(tool.name, tool.namespace)
        holder = self._by_sent.get(sent)
        if holder and (holder.namespace, holder.name) != place:
            sent = _hashed(tool.name, tool.namespace)
        tool = evolve(tool, sent=sent)
        self._by_place[place] = self._by_sent[sent] = tool


def _tool(kind: str, tool: dict[str, Any]) -> Tool | None:
    name, description = string(tool.get("name")), string(tool.get("description"))
    schema: Mapping[str, Any] = table(tool.get("parameters")) or _EMPTY
    if kind == "function" and name:
        return Tool("function", name, "", "", description, schema, tool.get("strict") is True)
    if kind == "custom" and name:
        return Tool("custom", name, "", "", _explained(description, table(tool.get("format"))), _FREE_TEXT)
    if kind == "tool_search" and tool.get("execution") == "client":
        return Tool("tool_search", kind, "", "", description, schema)
    if is_clients(kind, tool):
        return Tool("builtin", kind, "", "", BUILTINS[kind].about, BUILTINS[kind].schema)
    return None


def _explained(description: str, grammar: Mapping[str, Any]) -> str:
    """What a custom tool is for, and how a function call can carry its text."""
    told = [
        description,
        f"Call this as a function: put the text, unchanged, into the one argument `{INPUT}`.",
    ]
    if definition := string(grammar.get("definition")):
        told.append(f"The text must follow this {string(grammar.get('syntax'))} grammar:\n{definition}")
    return "\n\n".join(filter(None, told))


def _flat(name: str, namespace: str) -> str:
    """One name of the letters and the length that every server takes."""
    whole = f"{namespace}__{name}" if namespace and namespace != _TOP else name
    if len(whole) > _MOST_NAME or _NOT_IN_A_NAME.search(whole):
        return _hashed(name, namespace)
    return whole


def _hashed(name: str, namespace: str) -> str:
    mark = hashlib.sha256(f"{namespace}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{_NOT_IN_A_NAME.sub('_', name)[: _MOST_NAME - len(mark) - 1]}_{mark}"
