"""A whole Messages answer whose calls are not written as clients read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coderouter_core.wire.arguments import parsed
from coderouter_core.wire.lenient import table


def mended(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """`body` with calls whose input is an object, and with a stop reason that tells of them; everything else as it
    came. None where that is so already."""
    content = body.get("content")
    if not isinstance(content, list):
        return None
    fixed: dict[str, Any] = {}
    blocks = [_block(block) for block in content]
    if any(new is not old for new, old in zip(blocks, content, strict=True)):
        fixed["content"] = blocks
    called = any(table(block).get("type") == "tool_use" for block in blocks)
    if called and body.get("stop_reason") in (None, "", "end_turn"):
        fixed["stop_reason"] = "tool_use"
    return {**body, **fixed} if fixed else None


def _block(block: Any) -> Any:
    said = table(block)
    if said.get("type") != "tool_use" or not isinstance(text := said.get("input"), str | None):
        return block
    return {**said, "input": parsed(text or "")}
