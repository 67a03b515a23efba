"""Read a streamed answer to its end, for a client that did not ask for a stream."""

from __future__ import annotations

from coderouter_core.model import Fault, StreamEvent, Usage, size_of
from coderouter_core.wire.codec import Codec
from coderouter_core.wire.sse import Framer


class Collector:
    """Reads the frames of a stream. `size`: UTF-8 bytes of what the answer said so far."""

    def __init__(self, upstreams: Codec) -> None:
        self._reader = upstreams.reader()
        self._framer = Framer()
        self._events: list[StreamEvent] = []
        self.size = 0

    @property
    def usage(self) -> Usage:
        return self._reader.usage

    @property
    def finished(self) -> bool:
        return self._reader.finished

    def feed(self, data: bytes) -> bool:
        """Take bytes; True when something other than a ping came."""
        fresh = [event for frame in self._framer.feed(data) for event in self._reader.read(frame)]
        self._events += fresh
        self.size += sum(size_of(event.text) for event in fresh if event.text)
        return any(event.kind not in ("ping", "other") for event in fresh)

    def close(self) -> list[StreamEvent]:
        last = self._framer.close()
        if last:
            self._events += self._reader.read(last)
        self._events += self._reader.close()
        if not any(event.kind in ("stop", "error") for event in self._events):
            fault = Fault(502, "api_error", "the answer was cut off", code="truncated")
            self._events.append(StreamEvent("error", fault=fault))
        return self._events
