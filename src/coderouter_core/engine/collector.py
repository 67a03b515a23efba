"""Read a streamed answer to its end, for a client that did not ask for a stream."""

from __future__ import annotations

from coderouter_core.model import Fault, StreamEvent, Usage, size_of
from coderouter_core.wire.chat.several import events_of_choices
from coderouter_core.wire.codec import Codec
from coderouter_core.wire.sse import Framer


class Collector:
    """Reads the frames of a stream; those of `several` choices are kept. `size`: UTF-8 bytes of what the answer, or
    its first choice, said so far."""

    def __init__(self, upstreams: Codec, *, several: bool = False) -> None:
        self._reader = upstreams.reader()
        self._framer = Framer()
        self._events: list[StreamEvent] = []
        self.size = 0
        self._several = several
        self._frames: list[bytes] = []

    @property
    def usage(self) -> Usage:
        return self._reader.usage

    @property
    def finished(self) -> bool:
        return self._reader.finished

    def feed(self, data: bytes) -> bool:
        """Take bytes; True when something other than a ping came."""
        frames = self._framer.feed(data)
        if self._several:
            self._frames += frames
        fresh = [event for frame in frames for event in self._reader.read(frame)]
        self._events += fresh
        self.size += sum(size_of(event.text) for event in fresh if event.text)
        return any(event.kind not in ("ping", "other") for event in fresh)

    def close(self) -> list[StreamEvent]:
        last = self._framer.close()
        if last:
            self._frames.append(last)
            self._events += self._reader.read(last)
        self._events += self._reader.close()
        return _ended(self._events)

    def choices(self) -> dict[int, list[StreamEvent]]:
        """The events of each choice, by its number, once the stream is closed."""
        return {index: _ended(events) for index, events in events_of_choices(self._frames).items()}


def _ended(events: list[StreamEvent]) -> list[StreamEvent]:
    if not any(event.kind in ("stop", "error") for event in events):
        fault = Fault(502, "api_error", "the answer was cut off", code="truncated")
        events.append(StreamEvent("error", fault=fault))
    return events
