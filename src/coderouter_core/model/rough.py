"""About how many tokens something is, by its size alone: for what must be known at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from coderouter_core.model.request import IMAGE_TYPES, Request, blocks

#: UTF-8 bytes of a token: English has about four letters to a token, Japanese one character of three bytes.
BYTES_PER_TOKEN = 4
#: About what a 1,092 × 1,092 image costs (https://docs.claude.com/en/docs/build-with-claude/vision).
IMAGE_TOKENS = 1_590


def size_of(text: str) -> int:
    """The UTF-8 bytes of `text`."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def rough_tokens(size: int) -> int:
    """About the tokens of `size` UTF-8 bytes."""
    return -(-size // BYTES_PER_TOKEN)


def rough_prompt(request: Request) -> int:
    """About the tokens of the prompt: the estimate where somebody had it computed, else by the body's size,
    in which an image counts as an image and not as the text that it is sent as."""
    known = request.signals().get("estimated_tokens")
    if known is not None:
        return int(known)
    images = [size for turn in request.turns for size in _images(turn.get("content"))]
    return rough_tokens(max(0, len(request.raw) - sum(images))) + IMAGE_TOKENS * len(images)


def _images(content: Any) -> Iterator[int]:
    """The characters of each image in a message's content, those in tool results included."""
    if not isinstance(content, list):
        return
    for block in blocks(content):
        kind = block.get("type")
        if kind in IMAGE_TYPES:
            yield _payload(block)
        elif kind == "tool_result":
            yield from _images(block.get("content"))


def _payload(block: Mapping[str, Any]) -> int:
    """The characters of an image's data, wherever its dialect puts them."""
    source = block.get("source", block.get("image_url"))
    if isinstance(source, dict):
        source = source.get("data", source.get("url"))
    return len(source) if isinstance(source, str) else 0
