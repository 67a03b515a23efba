"""Keep connections that wait for their next request."""

from __future__ import annotations

from coderouter_core.transport.connection import Connection, Origin


class Keep:
    """Idle connections by origin. The one that was used last is used first, so the others can expire.

    Nothing runs in the background: what is too old goes when somebody comes or leaves.
    """

    def __init__(self, max_idle: int, idle_s: float) -> None:
        self._max_idle = max_idle
        self._idle_s = idle_s
        # A dict for its order: the oldest is first, and one in the middle leaves at no cost.
        self._idle: dict[Origin, dict[Connection, None]] = {}

    def take(self, origin: Origin, now: float) -> Connection | None:
        """A connection that can be used, which is no longer kept."""
        idle = self._idle.get(origin)
        while idle:
            connection, _ = idle.popitem()
            if now - connection.idle_since < self._idle_s and connection.is_open(now):
                return connection
            connection.abort()
        return None

    def put(self, connection: Connection) -> None:
        """Keep it, in place of those that are too old or too many."""
        idle = self._idle.setdefault(connection.origin, {})
        idle[connection] = None
        since = connection.idle_since - self._idle_s
        while len(idle) > self._max_idle or (oldest := next(iter(idle))).idle_since < since:
            oldest = next(iter(idle))
            del idle[oldest]
            oldest.abort()
            if not idle:
                break

    def forget(self, connection: Connection) -> None:
        """It is of no use any more, if it was kept at all."""
        if idle := self._idle.get(connection.origin):
            idle.pop(connection, None)

    def __len__(self) -> int:
        return sum(len(idle) for idle in self._idle.values())
