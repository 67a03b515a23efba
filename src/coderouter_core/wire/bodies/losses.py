"""What a translation could not carry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Losses:
    """Collects (field, reason); each once, in order."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], None] = {}

    def add(self, field: str, reason: str) -> None:
        self._found[(field, reason)] = None

    def told(self, found: Iterable[tuple[str, str]]) -> None:
        """Add what others found."""
        self._found.update(dict.fromkeys(found))

    def rest(self, body: dict[str, Any], reason: str) -> None:
        """Whatever is left in `body` and says something has no place in the other dialect."""
        for key, value in body.items():
            if value not in (None, False, "", [], {}):
                self.add(key, reason)

    def all(self) -> tuple[tuple[str, str], ...]:
        return tuple(self._found)
