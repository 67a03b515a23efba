"""Marks in memory: what lasts until when."""

from __future__ import annotations

#: So many marks are held before those that ran out are looked for.
_CROWD = 1024
#: The most that are held; then the one that was set longest ago goes.
MOST_MARKS = 10_000


class Marks:
    """Keys and the monotonic time until which each is marked. A mark is never shortened."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._crowd = _CROWD

    def __len__(self) -> int:
        """How many are held, some of which may have run out."""
        return len(self._until)

    def set(self, key: str, until: float, now: float) -> None:
        """Mark `key`; a mark that already lasts longer stays."""
        self._until[key] = max(until, self._until.pop(key, until))
        if len(self._until) > self._crowd:
            self._until = {key: until for key, until in self._until.items() if until > now}
            self._crowd = max(_CROWD, min(2 * len(self._until), MOST_MARKS))
            while len(self._until) > MOST_MARKS:
                del self._until[next(iter(self._until))]

    def left(self, key: str, now: float) -> float:
        """Seconds that `key` is marked still."""
        return max(0.0, self._until.get(key, now) - now)
