"""Signatures of thinking blocks that this router minted, so that they are told from a provider's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MARK = "coderouter:"
#: What stands in a thinking block that was made of another dialect's reasoning.
MINTED = f"{_MARK}unsigned"


def is_ours(signature: str) -> bool:
    """Whether a thinking block with `signature` was made here; no provider would accept it."""
    return signature.startswith(_MARK)


def without_our_thinking(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """A Messages request without the thinking blocks that were made here; None where it holds none.

    For providers that verify signatures. A turn that held nothing else is left out.
    """
    turns = body.get("messages")
    if not isinstance(turns, list):
        return None
    kept = [_cleaned(turn) for turn in turns]
    if all(new is old for new, old in zip(kept, turns, strict=True)):
        return None
    return {**body, "messages": [turn for turn in kept if turn is not None]}


def _cleaned(turn: Any) -> Any:
    content = turn.get("content") if isinstance(turn, dict) else None
    if not isinstance(content, list) or turn.get("role") != "assistant":
        return turn
    kept = [block for block in content if not _is_minted(block)]
    if len(kept) == len(content):
        return turn
    return {**turn, "content": kept} if kept else None


def _is_minted(block: Any) -> bool:
    if not isinstance(block, dict) or block.get("type") != "thinking":
        return False
    signature = block.get("signature")
    return isinstance(signature, str) and is_ours(signature)
