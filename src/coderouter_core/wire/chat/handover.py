"""When a relayed stream turns out to hold what clients cannot read, and who goes on with it then."""

from __future__ import annotations

from typing import Any

from coderouter_core.model import StreamEvent
from coderouter_core.model.stream import Kind
from coderouter_core.wire.chat.reader import ChatReader
from coderouter_core.wire.chat.writer import ChatWriter
from coderouter_core.wire.lanes import TranslatingLane
from coderouter_core.wire.lenient import count, string, table

_WHOLE: tuple[Kind, Kind] = ("block_start", "block_stop")


class Numbers:
    """The calls of one choice that began as clients expect it: numbered from 0, each with an id and a name."""

    def __init__(self) -> None:
        self._ids: dict[int, str] = {}

    @property
    def begun(self) -> int:
        return len(self._ids)

    def is_odd(self, choice: dict[str, Any]) -> bool:
        """Whether a choice holds a whole message, or begins a call in another way."""
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return isinstance(choice.get("message"), dict)
        calls = delta.get("tool_calls")
        return isinstance(calls, list) and any(map(self._begins_oddly, calls))

    def _begins_oddly(self, entry: Any) -> bool:
        index, function = table(entry).get("index"), table(entry).get("function")
        said, name = string(table(entry).get("id")), string(table(function).get("name"))
        if not isinstance(function, dict):
            return False
        written = isinstance(function.get("arguments"), str | None)
        if type(index) is int and index in self._ids:
            # Local servers number every call 0. An id alone says nothing: some make up a new one for every piece.
            return bool(name and said) and said != self._ids[index] and self._is_next(function)
        if type(index) is not int or index != len(self._ids) or not (said and name and written):
            return bool(name) or not self._ids
        self._ids[index] = said
        return False

    def _is_next(self, function: dict[str, Any]) -> bool:
        return string(function.get("arguments")).lstrip()[:1] in ("", "{")


def handed_over(chunk: dict[str, Any], calls: int, *, begun: bool, include_usage: bool) -> TranslatingLane:
    """A lane that goes on with a stream from `chunk` on. `begun`: the client has had the answer's first chunk, and
    `calls` is the number of calls that it knows."""
    writer = ChatWriter(include_usage=include_usage, created=count(chunk.get("created")))
    if begun:
        own = b"relayed"
        start = StreamEvent("start", id=string(chunk.get("id")), model=string(chunk.get("model")), frame=own)
        known = [StreamEvent(kind, block="tool_call", frame=own) for _ in range(calls) for kind in _WHOLE]
        writer.relay(own, [start, *known])
    return TranslatingLane(ChatReader(calls=calls), writer)
