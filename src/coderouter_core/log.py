"""Write events as lines, off the event loop: JSON for machines, colours for people."""

from __future__ import annotations

import collections
import datetime as dt
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, TextIO

import orjson
import structlog

from coderouter_core.events import Event, Level

#: Lines that may wait for the writer; more are dropped and counted, for traffic goes before logs.
MOST_WAITING = 10_000
#: Seconds that lines are collected before they are written: a thread that wakes for each would take the
#: interpreter from the requests as often.
COLLECT_S = 0.05
#: Lines that are written at once.
AT_ONCE = 50

Renderer = Callable[[Any, str, dict[str, Any]], str | bytes]


def _plain(value: Any) -> Any:
    """What JSON does not know is shown by its text."""
    return str(value)


def _json(_logger: Any, _name: str, line: dict[str, Any]) -> str:
    return orjson.dumps(line, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode()


def renderer(stream: TextIO) -> Renderer:
    """JSON lines, unless `stream` is a terminal."""
    if stream.isatty():
        return structlog.dev.ConsoleRenderer(
            colors=True, event_key="msg", timestamp_key="ts", pad_event_to=24
        )
    return _json


class LogWriter:
    """A sink for `Events`: one line per event of at least `level`, written by a thread of its own.

    `secrets` are values that must never appear in a line, wherever they came from.
    `dropped` counts lines that were lost because the writer could not keep up or could not write.
    """

    def __init__(
        self, level: Level = Level.INFO, stream: TextIO | None = None, secrets: Iterable[str] = ()
    ) -> None:
        self.dropped = 0
        self._level = level
        self._stream = sys.stderr if stream is None else stream
        self._render = renderer(self._stream)
        self._secrets = [secret for secret in secrets if len(secret) >= 6]
        self._waiting: collections.deque[Event] = collections.deque()
        self._told = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write, name="coderouter-log", daemon=True)
        self._thread.start()

    def __call__(self, event: Event) -> None:
        if event.level < self._level:
            return
        if len(self._waiting) >= MOST_WAITING:
            self.dropped += 1
            return
        self._waiting.append(event)
        if not self._told.is_set():
            self._told.set()

    def close(self) -> None:
        """Write what waits, then stop."""
        self._closing.set()
        self._told.set()
        self._thread.join(timeout=5)

    def _write(self) -> None:
        while True:
            self._told.wait()
            closing = self._closing.wait(COLLECT_S)
            self._told.clear()
            while self._waiting:
                count = min(len(self._waiting), AT_ONCE)
                self._out([self._line(self._waiting.popleft()) for _ in range(count)])
            if closing:
                return

    def _line(self, event: Event) -> str:
        at = dt.datetime.fromtimestamp(event.at, dt.UTC)
        line: dict[str, Any] = {
            "ts": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": event.level.name.lower(),
            "msg": event.name,
        }
        if event.request_id:
            line["request_id"] = event.request_id
        line.update(event.fields)
        text = str(self._render(None, event.name, line))
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _out(self, lines: list[str]) -> None:
        try:
            self._stream.write("\n".join(lines) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self.dropped += len(lines)
