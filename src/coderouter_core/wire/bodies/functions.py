"""The functions that a model is told of, whatever a request calls its tools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import field, frozen

from coderouter_core.model import Dialect
from coderouter_core.wire.bodies.names import fitting
from coderouter_core.wire.bodies.to_chat import SHORT, defined_amid
from coderouter_core.wire.lenient import string, table
from coderouter_core.wire.responses.tools import Tools


@frozen
class Function:
    """`name` stands in the events of a call, `told` is what a model may know it by; `schema` is that of its arguments."""

    name: str
    told: str
    schema: Mapping[str, Any] = field(factory=dict, repr=False)


def functions(body: Mapping[str, Any], dialect: Dialect) -> Iterator[Function]:
    """Those that the client runs. What the upstream runs itself, and what takes free text where that is not made a
    function, is none of them."""
    if dialect is Dialect.RESPONSES:
        yield from (Function(tool.sent, tool.sent, tool.schema) for tool in Tools(body))
        return
    for entry in _objects(body.get("tools")):
        # A tool that has no schema is known to the upstream alone.
        if found := _function(entry, needs_schema=entry.get("type") != "function"):
            yield found
    for entry in _objects(body.get("functions")):
        if found := _function(entry):
            yield found
    if dialect is Dialect.MESSAGES:
        yield from filter(None, map(_function, defined_amid(_objects(body.get("messages")))))


def _objects(entries: Any) -> Iterator[dict[str, Any]]:
    yield from (entry for entry in (entries if isinstance(entries, list) else ()) if isinstance(entry, dict))


def _function(entry: dict[str, Any], *, needs_schema: bool = False) -> Function | None:
    about = table(entry.get("function")) or entry
    name, schema = string(about.get("name")), about.get("input_schema", about.get("parameters"))
    if not name or (needs_schema and not isinstance(schema, dict)):
        return None
    return Function(name, fitting(name, SHORT), table(schema))
