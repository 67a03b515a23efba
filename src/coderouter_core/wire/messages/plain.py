"""The plainest of whole Messages answers, told apart at a glance: one block of text, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coderouter_core.wire.codec import Plain
from coderouter_core.wire.messages.usage import merged

_ENDS = ("end_turn", "max_tokens", "stop_sequence")


def plain(body: Mapping[str, Any]) -> Plain | None:
    """The text and usage of an answer that says no more; None for any other, which must be read as events."""
    content = body.get("content")
    if type(content) is not list or len(content) != 1 or type(content[0]) is not dict:
        return None
    block = content[0]
    text = block.get("text")
    if block.get("type") != "text" or type(text) is not str or not text:
        return None
    if body.get("stop_reason") not in _ENDS or body.get("type") == "error" or body.get("error"):
        return None
    if any(value and key not in ("type", "text") for key, value in block.items()):
        return None
    return Plain(text, merged(body.get("usage")))
