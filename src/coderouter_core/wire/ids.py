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
    """The id of a Chat Completions answer."""
    return identity if identity.startswith("chatcmpl-") else f"chatcmpl-{identity or token_hex(12)}"


class UniqueIds:
    """The ids of one answer's tool calls: what the upstream said, where nobody had it before."""

    def __init__(self, mint: Mint = call_id) -> None:
        self._mint = mint
        self._taken: set[str] = set()

    def of(self, said: str) -> str:
        identity = said if said and said not in self._taken else self._mint()
        self._taken.add(identity)
        return identity
