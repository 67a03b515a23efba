"""Calls of tools that wait for their result."""

from __future__ import annotations

from collections import deque
from itertools import islice


class OpenCalls:
    """The client's id and ours of each call, oldest first; ours are all different.

    Nothing here takes longer the more calls wait: a request may hold a hundred thousand.
    """

    def __init__(self) -> None:
        self._theirs: dict[str, str] = {}
        self._ours: dict[str, deque[str]] = {}

    def __len__(self) -> int:
        return len(self._theirs)

    def __contains__(self, ours: str) -> bool:
        return ours in self._theirs

    def add(self, theirs: str, ours: str) -> None:
        """A call waits."""
        self._theirs[ours] = theirs
        self._ours.setdefault(theirs, deque()).append(ours)

    def answered(self, theirs: str) -> str | None:
        """Our id of the oldest call that the client calls so, which waits no more; None where there is none."""
        waiting = self._ours.get(theirs)
        if not waiting:
            return None
        ours = waiting.popleft()
        if not waiting:
            del self._ours[theirs]
        del self._theirs[ours]
        return ours

    def oldest(self, most: int = 1) -> list[tuple[str, str]]:
        """The client's id and ours of those that wait longest."""
        return [(theirs, ours) for ours, theirs in islice(self._theirs.items(), most)]
