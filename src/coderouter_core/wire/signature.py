"""Signatures of thinking blocks that this router minted, so that they are told from a provider's own."""

from __future__ import annotations

_MARK = "coderouter:"
#: What stands in a thinking block that was made of another dialect's reasoning.
MINTED = f"{_MARK}unsigned"


def is_ours(signature: str) -> bool:
    """Whether a thinking block with `signature` was made here; no provider would accept it."""
    return signature.startswith(_MARK)
