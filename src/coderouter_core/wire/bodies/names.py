"""Names of tools and ids of calls in the letters and lengths that a dialect allows."""

from __future__ import annotations

import hashlib
import re

_ODD = re.compile(r"[^a-zA-Z0-9_-]")
#: What stands where a client gave no name.
NAMELESS = "unknown"


class Names:
    """Short names for long ones, the same for the same name in every request. `back` leads from those that had to be
    changed to what the client calls them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.back: dict[str, str] = {}

    def of(self, name: object) -> str:
        said = name if isinstance(name, str) and name else NAMELESS
        short = fitting(said, self._most)
        if short != said:
            self.back[short] = said
        return short


def fitting(text: str, most: int) -> str:
    """`text` where it has at most `most` letters, digits, ``_`` and ``-``; else its beginning and a digest."""
    if len(text) <= most and not _ODD.search(text):
        return text
    return f"{_ODD.sub('_', text)[: most - 9]}_{digest(text)[:8]}"


def digest(text: str) -> str:
    """64 letters that stand for `text`."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
