"""What an image in a prompt costs, by its size in pixels."""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any

IMAGE_TYPES = frozenset({"image", "image_url", "input_image"})
#: Pixels of a token (https://docs.claude.com/en/docs/build-with-claude/vision, read 2025-11): width x height / 750.
PIXELS_PER_TOKEN = 750
#: Larger images are scaled down to about this many tokens; one whose size cannot be read counts as this.
IMAGE_TOKENS = 1_590
#: An OpenAI image that is asked for with ``detail: low``
#: (https://platform.openai.com/docs/guides/images-vision, read 2025-11).
LOW_DETAIL_TOKENS = 85

#: Base64 characters of an image that are looked at: a JPEG's size can stand behind a camera's notes.
_HEAD = 88_000
#: Frames of a JPEG that tell its size.
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def payload_of(block: Mapping[str, Any]) -> str:
    """An image's data or address, wherever its dialect puts it."""
    source = block.get("source", block.get("image_url"))
    if isinstance(source, Mapping):
        source = source.get("data", source.get("url"))
    return source if isinstance(source, str) else ""


def image_tokens(block: Mapping[str, Any]) -> int:
    """About the tokens of the image in `block`; never decodes more than its head."""
    inner = block.get("image_url")
    if "low" in (block.get("detail"), inner.get("detail") if isinstance(inner, Mapping) else None):
        return LOW_DETAIL_TOKENS
    size = pixels(payload_of(block))
    if size is None:
        return IMAGE_TOKENS
    width, height = size
    return min(IMAGE_TOKENS, max(1, -(-width * height // PIXELS_PER_TOKEN)))


def pixels(payload: str) -> tuple[int, int] | None:
    """Width and height of a PNG, JPEG, GIF or WebP image in base64 or in a ``data:`` URL; None when it is
    something else."""
    start = payload.find(",", 0, 200) + 1 if payload.startswith("data:") else 0
    if payload.startswith(("http://", "https://")):
        return None
    head = payload[start : start + _HEAD]
    try:
        raw = binascii.a2b_base64(head[: len(head) // 4 * 4])
    except (ValueError, binascii.Error):
        return None
    for read in (_png, _gif, _webp, _jpeg):
        if (size := read(raw)) is not None:
            return size if 0 not in size else None
    return None


def _png(raw: bytes) -> tuple[int, int] | None:
    if raw[:8] != b"\x89PNG\r\n\x1a\n" or len(raw) < 24:
        return None
    return int.from_bytes(raw[16:20], "big"), int.from_bytes(raw[20:24], "big")


def _gif(raw: bytes) -> tuple[int, int] | None:
    if raw[:4] != b"GIF8" or len(raw) < 10:
        return None
    return int.from_bytes(raw[6:8], "little"), int.from_bytes(raw[8:10], "little")


def _webp(raw: bytes) -> tuple[int, int] | None:
    if raw[:4] != b"RIFF" or raw[8:12] != b"WEBP" or len(raw) < 30:
        return None
    if raw[12:16] == b"VP8X":
        return int.from_bytes(raw[24:27], "little") + 1, int.from_bytes(raw[27:30], "little") + 1
    if raw[12:16] == b"VP8L":
        bits = int.from_bytes(raw[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(raw[26:28], "little") & 0x3FFF, int.from_bytes(raw[28:30], "little") & 0x3FFF


def _jpeg(raw: bytes) -> tuple[int, int] | None:
    at = 2 if raw[:2] == b"\xff\xd8" else len(raw)
    while at + 9 <= len(raw) and raw[at] == 0xFF:
        marker = raw[at + 1]
        if marker in _SIZES:
            return int.from_bytes(raw[at + 7 : at + 9], "big"), int.from_bytes(raw[at + 5 : at + 7], "big")
        at += 2 + max(2, int.from_bytes(raw[at + 2 : at + 4], "big"))
    return None
