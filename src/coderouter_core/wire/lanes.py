"""The way of one streamed answer: relayed frame by frame, or read as events and written anew."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from operator import is_not

from coderouter_core.errors import PluginError
from coderouter_core.model import Fault, StreamEvent, StreamFilter, Usage, size_of
from coderouter_core.model.usage import NOTHING
from coderouter_core.wire import faults
from coderouter_core.wire.codec import Reader, Writer
from coderouter_core.wire.reasons import QUIET
from coderouter_core.wire.sse import Framer


class FrameLane(ABC):
    """What all lanes do: cut frames, stop at the first bad one, and see that the answer ends properly."""

    def __init__(self) -> None:
        self.content = False
        self.stopped = False
        self.done = False
        self.steps = 0
        self.size = 0
        self.fault: Fault | None = None
        self.failed: PluginError | None = None
        self.usage: Usage = NOTHING
        self.stop_reason = ""
        self._framer = Framer()

    def feed(self, data: bytes) -> bytes:
        if self.fault is not None or self.done:
            return b""
        try:
            frames = self._framer.feed(data)
        except ValueError as error:
            self.fault = faults.garbage(str(error))
            return b""
        out: list[bytes] = []
        for frame in frames:
            try:
                out.append(self._frame(frame))
            except PluginError as error:
                # What came before it was said, and numbered.
                self.failed = error
            if self.fault is not None or self.done or self.failed is not None:
                break
        return b"".join(out)

    def close(self) -> bytes:
        if self.fault is not None or self.done:
            return b""
        last = self._framer.close()
        out = self._frame(last) if last else b""
        if self.fault is not None and self.fault.code == "garbage":
            # Half a frame is what a cut leaves behind, not what the upstream meant to say.
            self.fault = None
        if self.fault is not None or self.done:
            return out
        out += self._late()
        if not self.stopped:
            self.fault = faults.truncated()
            return out
        self.done = True
        return out + self._due()

    @abstractmethod
    def fail(self, fault: Fault, request_id: str) -> bytes:
        """The last frames of an answer that breaks."""

    @abstractmethod
    def _frame(self, frame: bytes) -> bytes:
        """What a frame becomes; `fault` is set where it is a bad one."""

    def _late(self) -> bytes:
        """What was held back until the upstream ended its body."""
        return b""

    @abstractmethod
    def _due(self) -> bytes:
        """What an answer still lacks that ended properly."""


class RelayLane(FrameLane):
    """Passes the frames of one dialect on as they came, and looks at each in `_frame`."""

    def __init__(self, fail: Callable[[Fault, str], bytes]) -> None:
        super().__init__()
        self._fail = fail

    def fail(self, fault: Fault, request_id: str) -> bytes:
        return self._fail(fault, request_id)

    def _broken(self, fault: Fault) -> bytes:
        """Note that a frame is bad, unless the answer is over anyway; nothing of it travels."""
        if not self.stopped:
            self.fault = fault
        return b""


class TranslatingLane(FrameLane):
    """Reads an answer as events and writes them anew, through `filters`.

    Where both sides speak one dialect, a frame whose events were not changed is passed on as it came. A
    filter is flushed once, right before it is fed the ``stop``, so that nothing of its text comes after it.
    """

    def __init__(self, reader: Reader, writer: Writer, filters: Sequence[StreamFilter] = ()) -> None:
        super().__init__()
        self._reader = reader
        self._writer = writer
        self._filters = [Stage(each) for each in filters]
        self._same = reader.dialect is writer.dialect

    def fail(self, fault: Fault, request_id: str) -> bytes:
        return self._writer.fail(fault, request_id)

    def _frame(self, frame: bytes) -> bytes:
        events = self._reader.read(frame)
        self.usage = self._reader.usage
        for event in events:
            # Before the filters: what they take away was billed all the same, and shows that the upstream goes on.
            if event.kind not in ("ping", "other"):
                self.steps += 1
            if event.text:
                self.size += size_of(event.text)
        out = self._passed(frame, events)
        self.stopped = self.stopped or self._reader.finished
        if self._reader.ended:
            self.stopped = self.done = True
            out += self._writer.close()
        return out

    def _passed(self, frame: bytes, events: Sequence[StreamEvent]) -> bytes:
        """What the client gets of the next events, read from `frame`."""
        passed = self._filtered(events)
        if not (self._same and passed and unchanged(passed, events)):
            return self._written(passed)
        for event in passed:
            self._see(event)
        return self._writer.relay(frame, passed) if self.fault is None else b""

    def _late(self) -> bytes:
        out = self._passed(b"", self._reader.close())
        self.stopped = self._reader.finished
        return out

    def _due(self) -> bytes:
        return self._writer.close()

    def _filtered(self, events: Sequence[StreamEvent]) -> Sequence[StreamEvent]:
        return through(self._filters, events)

    def _written(self, events: Sequence[StreamEvent]) -> bytes:
        out: list[bytes] = []
        for event in events:
            self._see(event)
            if self.fault is not None:
                break
            out.append(self._writer.write(event))
        return b"".join(out)

    def _see(self, event: StreamEvent) -> None:
        kind = event.kind
        if kind == "delta":
            self.content = self.content or (bool(event.text) and event.block != "tool_call")
        elif kind == "block_start":
            self.content = self.content or bool(event.name)
        elif kind == "stop":
            self.stopped, self.stop_reason = True, event.reason
            self.content = self.content or event.reason not in QUIET
        elif kind == "error":
            self.fault = event.fault


def unchanged(passed: Sequence[StreamEvent], events: Sequence[StreamEvent]) -> bool:
    """Whether filters let `events` pass as they are."""
    return passed is events or (len(passed) == len(events) and not any(map(is_not, passed, events)))


class Stage:
    """One filter, which is flushed before it sees the stop."""

    def __init__(self, filter_: StreamFilter) -> None:
        self._filter = filter_
        self._flushed = False

    def feed(self, events: Sequence[StreamEvent]) -> list[StreamEvent]:
        out: list[StreamEvent] = []
        for event in events:
            if event.kind == "stop" and not self._flushed:
                self._flushed = True
                out += self._filter.flush()
            out += self._filter.feed(event)
        return out


def through(stages: Iterable[Stage], events: Sequence[StreamEvent]) -> Sequence[StreamEvent]:
    """What filters, one after the other, make of the next `events` of an answer."""
    for stage in stages:
        events = stage.feed(events)
    return events
