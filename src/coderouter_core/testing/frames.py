"""Server-sent events as a scripted upstream writes them, clean or with a server's quirks."""

from __future__ import annotations

import json
from collections.abc import Set
from typing import Any

from attrs import frozen

from coderouter_core.testing.steps import Quirk


@frozen
class Frame:
    """One event: its name, empty for none, and its data."""

    data: str
    name: str = ""

    def encode(self, quirks: Set[Quirk]) -> bytes:
        end = "\r\n" if Quirk.CRLF in quirks else "\n"
        space = "" if Quirk.NO_SPACE in quirks else " "
        name = f"event:{space}{self.name}{end}" if self.name and Quirk.DATA_ONLY not in quirks else ""
        return f"{name}data:{space}{self.data}{end}{end}".encode()


GARBAGE = b"data: {not json at all\n\n"


def dump(value: Any) -> str:
    """JSON without spaces, characters as they are: what servers send."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def pieces(text: str, size: int) -> list[str]:
    """`text` in pieces of at most `size` characters; one empty piece for no text."""
    return [text[at : at + size] for at in range(0, len(text), size)] or [""]


def arguments_text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else dump(dict(arguments))
