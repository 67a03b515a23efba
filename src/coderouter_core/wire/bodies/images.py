"""Images and documents, in Anthropic's blocks and OpenAI's parts."""

from __future__ import annotations

import re
from typing import Any

from coderouter_core.wire.lenient import table

_DATA = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*;base64,")
_PDF = "application/pdf"


def to_part(block: dict[str, Any]) -> dict[str, Any] | None:
    """An ``image`` block as an ``image_url`` part; None where its source is of another kind."""
    source = table(block.get("source"))
    if source.get("type") == "base64" and isinstance(data := source.get("data"), str):
        url = f"data:{source.get('media_type') or 'image/png'};base64,{data}"
    elif isinstance(source.get("url"), str):
        url = source["url"]
    else:
        return None
    return {"type": "image_url", "image_url": {"url": url}}


def to_block(part: dict[str, Any]) -> dict[str, Any] | None:
    """An ``image_url`` part as an ``image`` block; None where it is neither base64 nor an address."""
    image = part.get("image_url")
    url = image if isinstance(image, str) else table(image).get("url")
    source = _source(url, "image/png")
    return {"type": "image", "source": source} if source else None


def to_document(part: dict[str, Any]) -> dict[str, Any] | None:
    """A ``file`` part that carries a PDF as a ``document`` block; None for other files."""
    file = table(part.get("file"))
    source = _source(file.get("file_data"), _PDF)
    if source is None or source.get("media_type") != _PDF:
        return None
    block = {"type": "document", "source": source}
    return {**block, "title": file["filename"]} if isinstance(file.get("filename"), str) else block


def _source(url: Any, media_type: str) -> dict[str, Any] | None:
    if not isinstance(url, str):
        return None
    if found := _DATA.match(url):
        kind = found["type"] or media_type
        return {"type": "base64", "media_type": kind, "data": url[found.end() :]}
    return {"type": "url", "url": url} if url.startswith(("https://", "http://")) else None
