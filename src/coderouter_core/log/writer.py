"""A sink that writes lines off the event loop, loses some rather than hold up traffic, and says how many."""

from __future__ import annotations

import collections
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol, TextIO

from coderouter_core.events import Event, Level
from coderouter_core.log.lines import Lines, Renderer, renderer, to_json

#: Lines that may wait for the writer; more are dropped and counted, for traffic goes before logs.
MOST_WAITING = 10_000
#: Seconds that lines are collected before they are written: a thread that wakes for each would take the
#: interpreter from the requests as often.
COLLECT_S = 0.05
#: Lines that are written at once.
AT_ONCE = 50
#: A pipe takes so many bytes without mixing them with others' (POSIX promises 512, Linux 4,096).
AT_ONCE_BYTES = 4_096
#: Seconds that what waits may take to be written when the log is closed.
LAST_LINES_S = 5.0

#: Events of the log itself. They go to the sinks alone: no request is served by the thread that notices.
FAILED, DROPPED = "log-failed", "log-lines-dropped"


class Target(Protocol):
    """Where lines end up."""

    def write(self, lines: str) -> None:
        """Write whole lines, the last one ended too. Raises `OSError` or `ValueError` when they do not all stand."""

    def close(self) -> None:
        """Let go of it."""


class _Stream:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, lines: str) -> None:
        for piece in pieces(lines):
            self._stream.write(piece)
            self._stream.flush()

    def close(self) -> None:
        """The stream is the process's."""


class LogWriter:
    """A sink for `Events`: one line per event of at least `level`, written by a thread of its own.

    Written to `stream` (stderr), or as JSON to `target`. `secrets` must never appear in a line. `tell` is given
    what other sinks should know of this one: that it failed, and what was lost when it works again.
    """

    def __init__(
        self,
        level: Level = Level.INFO,
        stream: TextIO | None = None,
        secrets: Iterable[str] = (),
        *,
        target: Target | None = None,
        name: str = "stderr",
        tell: Callable[[Event], None] | None = None,
    ) -> None:
        self.name = name
        self.written = 0
        self._level = level
        render: Renderer = to_json
        if target is None:
            stream = sys.stderr if stream is None else stream
            render, target = renderer(stream), _Stream(stream)
        self._target = target
        self._lines = Lines(render, secrets)
        self._tell = tell
        # Each is counted by one thread only: by the event loop's, and by the writer's.
        self._crowded = 0
        self._failed = 0
        self._told_of = 0
        self._failing = False
        self._waiting: collections.deque[Event] = collections.deque()
        self._told = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write, name=f"coderouter-log-{name}", daemon=True)
        self._thread.start()

    def __call__(self, event: Event) -> None:
        if event.level < self._level:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._crowded += 1
            return
        self._waiting.append(event)
        if not self._told.is_set():
            self._told.set()

    @property
    def dropped(self) -> int:
        """Lines that were lost because the writer could not keep up or could not write."""
        return self._crowded + self._failed

    def health(self) -> Mapping[str, Mapping[str, int]]:
        """Lines `written` and `dropped`, by the sink's name."""
        return {self.name: {"written": self.written, "dropped": self.dropped}}

    def close(self) -> None:
        """Write what waits, then stop."""
        self._closing.set()
        self._told.set()
        self._thread.join(timeout=LAST_LINES_S)

    def _write(self) -> None:
        while True:
            self._told.wait()
            closing = self._closing.wait(COLLECT_S)
            self._told.clear()
            while self._waiting:
                count = min(len(self._waiting), AT_ONCE)
                self._out([self._lines.line(self._waiting.popleft()) for _ in range(count)])
            if closing:
                self._target.close()
                return

    def _out(self, lines: list[str]) -> None:
        lost = self.dropped - self._told_of
        dropped = self._event(DROPPED, Level.WARNING, dropped=lost) if lost else None
        told = [self._lines.line(dropped)] if dropped is not None else []
        try:
            self._target.write("\n".join([*told, *lines]) + "\n")
        except (OSError, ValueError) as error:
            self._failed += len(lines)
            if not self._failing and self._tell is not None:
                self._tell(self._event(FAILED, Level.ERROR, error=_reason(error)))
            self._failing = True
            return
        self.written += len(lines) + len(told)
        self._told_of += lost
        self._failing = False
        if dropped is not None and self._tell is not None:
            self._tell(dropped)

    def _event(self, name: str, level: Level, **fields: object) -> Event:
        return Event(name, level, time.time(), None, {"sink": self.name, **fields})


def pieces(lines: str) -> Iterator[str]:
    """Whole lines, as many as a pipe takes in one go: several workers may write to the same one."""
    piece, size = "", 0
    for line in lines.removesuffix("\n").split("\n"):
        more = len(line.encode("utf-8", "replace")) + 1
        if piece and size + more > AT_ONCE_BYTES:
            yield piece
            piece, size = "", 0
        piece, size = f"{piece}{line}\n", size + more
    yield piece


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
