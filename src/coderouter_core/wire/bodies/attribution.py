"""The system block by which a client says whose it is."""

from __future__ import annotations

from typing import Any

from coderouter_core.wire.lenient import string, table

_BEGINS = "x-anthropic-billing-header"


def is_attribution(block: Any) -> bool:
    """Whether a system block only tells whose client asks. Anthropic reads it; to others it is a prompt that may change
    with every request, and costs them their prefix cache."""
    return string(table(block).get("text")).startswith(_BEGINS)
