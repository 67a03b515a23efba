"""About how many tokens something is, by its size alone: for what must be known at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coderouter_core.model.images import IMAGE_TOKENS, IMAGE_TYPES, payload_of
from coderouter_core.model.prompt import FILE_CHARACTERS_PER_TOKEN
from coderouter_core.model.request import Request, blocks

#: UTF-8 bytes of a token: English has about four letters to a token, Japanese one character of three bytes.
BYTES_PER_TOKEN = 4


def size_of(text: str) -> int:
    """The UTF-8 bytes of `text`."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def rough_tokens(size: int) -> int:
    """About the tokens of `size` UTF-8 bytes."""
    return -(-size // BYTES_PER_TOKEN)


def rough_prompt(request: Request) -> int:
    """About the tokens of the prompt: the estimate where somebody had it computed, else by the body's size,
    in which an image or a file counts as such and not as the text that it is sent as."""
    if request.prompt_size is not None:
        return request.tokens
    text, media = len(request.raw), 0
    for turn in request.turns:
        content = turn.get("content")
        if isinstance(content, list):
            for size, tokens in _media(content):
                text -= size
                media += tokens
    return rough_tokens(max(0, text)) + media


def _media(content: Any) -> Iterator[tuple[int, int]]:
    """Characters and tokens of each image and file in a message's content, those in tool results included."""
    for block in blocks(content):
        kind = block.get("type")
        if isinstance(kind, str) and kind in IMAGE_TYPES:
            yield len(payload_of(block)), IMAGE_TOKENS
        elif kind == "tool_result":
            if isinstance(block.get("content"), list):
                yield from _media(block["content"])
        elif kind != "text":
            holder = block.get("source", block.get("file", block.get("input_audio", block)))
            for key in ("data", "file_data"):
                payload = holder.get(key) if isinstance(holder, dict) else None
                if isinstance(payload, str) and (kind != "document" or holder.get("type") == "base64"):
                    yield len(payload), len(payload) // FILE_CHARACTERS_PER_TOKEN
