"""Beta values of a header and the fields of a body that go with them: a provider gets both or neither."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from coderouter_core.wire.lenient import table

HEADER = "anthropic-beta"

#: The beginning of a beta value, and the fields that it allows. ``tools.x`` is a field of any tool.
PAIRS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("context-management-", ("context_management",)),
    ("compact-", ("context_management",)),
    ("effort-", ("output_config.effort",)),
    ("task-budgets-", ("output_config.task_budget",)),
    ("structured-outputs-", ("output_config.format", "output_format", "tools.strict")),
    ("advanced-tool-use-", ("tools.defer_loading", "tools.allowed_callers", "tools.input_examples")),
    ("fine-grained-tool-streaming-", ("tools.eager_input_streaming",)),
    ("interleaved-thinking-", ("thinking",)),
    ("thinking-token-count-", ("thinking",)),
    ("mcp-client-", ("mcp_servers",)),
    ("code-execution-", ("container",)),
    ("skills-", ("container",)),
    ("fast-mode-", ("speed",)),
)


def without_unpaired(value: str, body: Mapping[str, Any], dropped: Iterable[str]) -> str:
    """The header's `value` without what went with one of the fields that were `dropped`, where `body` holds no other
    field of the pair."""
    gone = tuple(dropped)
    return ",".join(
        each
        for each in _values(value)
        if not (fields := _fields(each))
        or not any(_touches(field, lost) for field in fields for lost in gone)
        or any(_holds(body, field) for field in fields)
    )


def without_values(value: str, unwanted: str) -> str:
    """The header's `value` without the beta values that begin with `unwanted`."""
    return ",".join(each for each in _values(value) if not each.startswith(unwanted))


def fields_of(unwanted: str) -> tuple[str, ...]:
    """The fields that go with beta values that begin with `unwanted`; all of `PAIRS` where that says nothing."""
    found = (
        field
        for prefix, fields in PAIRS
        if prefix.startswith(unwanted) or unwanted.startswith(prefix)
        for field in fields
    )
    return tuple(dict.fromkeys(found))


def without_field(body: dict[str, Any], field: str) -> dict[str, Any]:
    """`body` without a field as `PAIRS` names it; the same object where it holds none."""
    if not _holds(body, field):
        return body
    top, _, key = field.partition(".")
    if not key:
        return {name: value for name, value in body.items() if name != top}
    if isinstance(body[top], list):
        return {**body, top: [_without_key(item, key) for item in body[top]]}
    left = _without_key(body[top], key)
    return {**body, top: left} if left else without_field(body, top)


def _without_key(value: Any, key: str) -> Any:
    return {name: each for name, each in value.items() if name != key} if isinstance(value, dict) else value


def _values(value: str) -> list[str]:
    return [each for part in value.split(",") if (each := part.strip())]


def _fields(beta: str) -> tuple[str, ...]:
    return next((fields for prefix, fields in PAIRS if beta.startswith(prefix)), ())


def _touches(field: str, lost: str) -> bool:
    return field == lost or field.startswith(f"{lost}.") or lost.startswith(f"{field}.")


def _holds(body: Mapping[str, Any], field: str) -> bool:
    top, _, key = field.partition(".")
    value = body.get(top)
    if not key:
        return value is not None
    return any(key in table(item) for item in (value if isinstance(value, list) else [value]))
