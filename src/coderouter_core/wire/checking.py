"""What every dialect's check of a request needs: say where, what, and what would be right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coderouter_core.errors import RequestError
from coderouter_core.model import Fault

_JSON_NAMES = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}


def refusal(where: str, what: str) -> RequestError:
    """A 400 that names the place and what belongs there."""
    return RequestError(Fault(400, "invalid_request_error", f"{where}: {what}"))


def named(value: Any) -> str:
    """What a value is, by its JSON type: its text may be the prompt and is not quoted."""
    return _JSON_NAMES.get(type(value), "a number")


def turns(body: Mapping[str, Any], roles: Sequence[str]) -> list[Mapping[str, Any]]:
    """The ``messages`` of a request: at least one, each an object with a known role."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        said = f"not {named(messages)}" if "messages" in body else "it is missing"
        raise refusal("messages", f"must be a list of turns; {said}")
    if not messages:
        raise refusal("messages", "must hold at least one turn")
    if not _all_objects(messages) or not {str(turn.get("role")) for turn in messages}.issubset(roles):
        _refuse_turn(messages, roles)
    return messages


def _all_objects(items: Sequence[Any]) -> bool:
    # As sets, since the history of an agent is long.
    return {*map(type, items)} == {dict}


def _refuse_turn(messages: Sequence[Any], roles: Sequence[str]) -> None:
    """Name the first that is wrong."""
    for at, turn in enumerate(messages):
        if not isinstance(turn, dict):
            raise refusal(f"messages.{at}", f"must be an object with role and content, not {named(turn)}")
        if turn.get("role") not in roles:
            raise refusal(f"messages.{at}.role", f"must be one of {', '.join(roles)}{_not(turn.get('role'))}")


def _not(role: Any) -> str:
    """The wrong role, quoted where it is a word; anything else might be a piece of the prompt."""
    return f", not {role!r}" if isinstance(role, str) and role.isidentifier() and len(role) <= 32 else ""


def content(where: str, value: Any, *, optional: bool) -> None:
    """A turn's content: a string, or a list of objects that each have a type."""
    if isinstance(value, str) or (value is None and optional):
        return
    if not isinstance(value, list):
        raise refusal(where, f"must be a string or a list of blocks, not {named(value)}")
    for at, block in enumerate(value):
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise refusal(f"{where}.{at}", "must be an object with a type")


def kind(body: Mapping[str, Any], key: str, *allowed: type, what: str) -> None:
    """An optional field is null or of an allowed JSON type."""
    value = body.get(key)
    if value is not None and type(value) not in allowed:
        raise refusal(key, f"must be {what}, not {named(value)}")


def objects(body: Mapping[str, Any], key: str) -> None:
    """An optional field is null or a list of objects."""
    kind(body, key, list, what="a list")
    items = body.get(key)
    if not items or _all_objects(items):
        return
    for at, item in enumerate(items):
        if not isinstance(item, dict):
            raise refusal(f"{key}.{at}", f"must be an object, not {named(item)}")


def positive(body: Mapping[str, Any], key: str, *, required: bool = False) -> None:
    """A field is a whole number above zero."""
    value = body.get(key)
    if value is None and not required:
        return
    if type(value) is not int or value < 1:
        said = "it is missing" if key not in body else f"not {value if type(value) is int else named(value)}"
        raise refusal(key, f"must be a whole number of at least 1; {said}")
