"""Who signed a thinking block: a block whose signature its provider would refuse is kept from it."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any

#: What begins every signature that is made here.
MARK = "coderouter:"
#: What stands in a thinking block that was made of another dialect's reasoning.
MINTED = f"{MARK}unsigned"

#: Digests and ids, which other servers write where Anthropic has base64.
_HEX = re.compile(r"[0-9a-f-]+", re.IGNORECASE)


def is_ours(signature: str) -> bool:
    """Whether a thinking block with `signature` was made here; no provider would accept it."""
    return signature.startswith(MARK)


def is_foreign(signature: str) -> bool:
    """Whether `signature` cannot be Anthropic's, whose signatures are base64: ours, none, an id, a digest."""
    if not signature or _HEX.fullmatch(signature):
        return True
    try:
        binascii.a2b_base64(signature, strict_mode=True)
    except ValueError:
        return True
    return False


def without_our_thinking(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """A Messages request without the thinking blocks that were made here; None where it holds none.

    For providers that verify signatures. A turn that held nothing else is left out.
    """
    return _without(body, is_ours)


def without_foreign_thinking(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """A Messages request without the thinking blocks that Anthropic cannot have signed; None where it holds none."""
    return _without(body, is_foreign)


def _without(body: Mapping[str, Any], refused: Callable[[str], bool]) -> dict[str, Any] | None:
    turns = body.get("messages")
    if not isinstance(turns, list):
        return None
    kept = [_cleaned(turn, refused) for turn in turns]
    if all(new is old for new, old in zip(kept, turns, strict=True)):
        return None
    return {**body, "messages": [turn for turn in kept if turn is not None]}


def _cleaned(turn: Any, refused: Callable[[str], bool]) -> Any:
    content = turn.get("content") if isinstance(turn, dict) else None
    if not isinstance(content, list) or turn.get("role") != "assistant":
        return turn
    kept = [block for block in content if not _is_refused(block, refused)]
    if len(kept) == len(content):
        return turn
    return {**turn, "content": kept} if kept else None


def _is_refused(block: Any, refused: Callable[[str], bool]) -> bool:
    if not isinstance(block, dict) or block.get("type") != "thinking":
        return False
    signature = block.get("signature", "")
    return isinstance(signature, str) and refused(signature)
