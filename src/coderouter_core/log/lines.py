"""An event as a line of text: JSON for machines, colours for people, and never a secret."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any, TextIO

import orjson

from coderouter_core.events import Event

#: A value shorter than this would be found in innocent words.
SHORTEST_SECRET = 6
HIDDEN = "***"

Renderer = Callable[[Any, str, dict[str, Any]], str | bytes]


def _plain(value: Any) -> Any:
    """What JSON does not know is shown by its text."""
    return str(value)


def to_json(_logger: Any, _name: str, line: dict[str, Any]) -> str:
    return orjson.dumps(line, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode()


def renderer(stream: TextIO) -> Renderer:
    """JSON lines, unless `stream` is a terminal."""
    if stream.isatty():
        # Here: its first import takes longer than a thousand lines of JSON, which need nothing of it.
        import structlog

        console = structlog.dev.ConsoleRenderer(
            colors=True, event_key="msg", timestamp_key="ts", pad_event_to=24
        )
        return lambda logger, name, line: console(
            logger, name, {key: _spelled(value) for key, value in line.items()}
        )
    return to_json


class _Spelled:
    """Shown as `repr` spells it, so that a terminal does not act upon what is in it."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return repr(self._value)


def _spelled(value: Any) -> Any:
    return _Spelled(value) if isinstance(value, str) and not value.isprintable() else value


class Lines:
    """Writes events down. `secrets` are values that must never appear, wherever they came from."""

    def __init__(self, render: Renderer, secrets: Iterable[str] = ()) -> None:
        self._render = render
        spelled = {
            form for secret in secrets if len(secret) >= SHORTEST_SECRET for form in _spellings(secret)
        }
        # A secret may be the beginning of another.
        self._secrets = sorted(spelled, key=len, reverse=True)

    def line(self, event: Event) -> str:
        at = dt.datetime.fromtimestamp(event.at, dt.UTC)
        line: dict[str, Any] = {
            "ts": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": event.level.name.lower(),
            "msg": event.name,
        }
        if event.request_id:
            line["request_id"] = event.request_id
        if event.session_id:
            line["session_id"] = event.session_id
        line.update(event.fields)
        text = self._rendered(event.name, line)
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        return text

    def _rendered(self, name: str, line: dict[str, Any]) -> str:
        try:
            return str(self._render(None, name, line))
        except (TypeError, ValueError):
            # A field that cannot be written, such as half of a character, costs the fields and not the line.
            kept: dict[str, Any] = {
                key: line[key] for key in ("ts", "level", "msg", "request_id") if key in line
            }
            return str(self._render(None, name, {**kept, "unreadable": True}))


def _spellings(secret: str) -> set[str]:
    """A secret as it is, and as JSON and `repr` write it."""
    return {secret, orjson.dumps(secret).decode()[1:-1], repr(secret)[1:-1]}
