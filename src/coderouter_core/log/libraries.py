"""What libraries log, as events: they would write free text, and it may quote a request or a key."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from coderouter_core.errors import where
from coderouter_core.events import Event, Level

NAME = "library-warning"


class _Handler(logging.Handler):
    def __init__(self, sinks: Sequence[Callable[[Event], None]]) -> None:
        super().__init__(logging.WARNING)
        self._sinks = sinks

    def emit(self, record: logging.LogRecord) -> None:
        level = Level.ERROR if record.levelno >= logging.ERROR else Level.WARNING
        error = record.exc_info[1] if record.exc_info else None
        fields = {
            "logger": record.name,
            "text": _words(record.msg),
            "error": None if error is None else where(error),
        }
        for sink in self._sinks:
            sink(Event(NAME, level, record.created, None, fields))


def _words(message: object) -> str:
    """The first line as it stands in the library's code: without the values, which come later."""
    return message.partition("\n")[0][:200] if isinstance(message, str) else type(message).__name__


@contextmanager
def libraries_told(sinks: Sequence[Callable[[Event], None]]) -> Iterator[None]:
    """Meanwhile warnings of libraries go to `sinks`, from whatever thread, and nowhere else."""
    root, handler = logging.getLogger(), _Handler(sinks)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
