"""Ids in the form a dialect has them, made up where an upstream gave none."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex

#: Makes an id of a tool call.
Mint = Callable[[], str]


def call_id() -> str:
    """An id for a tool call; unique in a conversation, as clients require."""
    return f"call_{token_hex(12)}"


def message_id(identity: str) -> str:
    """The id of a Messages answer."""
    return identity if identity.startswith("msg_") else f"msg_{identity or token_hex(12)}"


def completion_id(identity: str) -> str:
    """The id of a Chat Completions answer: a server's own, unless it is of another dialect."""
    if identity and not identity.startswith(("msg_", "resp_")):
        return identity
    return f"chatcmpl-{identity or token_hex(12)}"


def response_id(identity: str) -> str:
    """The id of a Responses answer."""
    return identity if identity.startswith("resp_") else f"resp_{identity or token_hex(12)}"


def item_id(kind: str) -> str:
    """An id for an item of a Responses answer; `kind` is its prefix."""
    return f"{kind}_{token_hex(12)}"


class UniqueIds:
    """The ids of one answer's tool calls: what the upstream said, where nobody had it before."""

    def __init__(self, mint: Mint = call_id) -> None:
        self._mint = mint
        self._taken: set[str] = set()

    def of(self, said: str) -> str:
        identity = said if said and said not in self._taken else self._mint()
        self._taken.add(identity)
        return identity
