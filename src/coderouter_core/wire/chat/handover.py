"""When a relayed stream turns out to hold what clients cannot read, and who goes on with it then."""

from __future__ import annotations

from typing import Any

from coderouter_core.model import StreamEvent
from coderouter_core.model.stream import Kind
from coderouter_core.wire.chat.deltas import TEXTS, without_role
from coderouter_core.wire.chat.reader import ChatReader
from coderouter_core.wire.chat.writer import ChatWriter
from coderouter_core.wire.lanes import TranslatingLane
from coderouter_core.wire.lenient import count, string, table

_WHOLE: tuple[Kind, Kind] = ("block_start", "block_stop")


class Numbers:
    """The calls of one choice that began as clients expect it: numbered from 0, each with an id and a name."""

    def __init__(self) -> None:
        self._ids: dict[int, str] = {}
        self._is_first = True
        #: Those of which an argument came.
        self._argued: set[int] = set()

    @property
    def without_arguments(self) -> list[int]:
        """The calls that hold nothing, which clients cannot read as JSON."""
        return [index for index in self._ids if index not in self._argued]

    @property
    def begun(self) -> int:
        return len(self._ids)

    def is_odd(self, choice: dict[str, Any]) -> bool:
        """Whether a choice holds a whole message, text that is no text, or begins a call in another way."""
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return isinstance(choice.get("message"), dict)
        if not all(isinstance(delta.get(key), str | None) for key in TEXTS):
            return True
        calls = delta.get("tool_calls")
        return isinstance(calls, list) and any(map(self._begins_oddly, calls))

    def _begins_oddly(self, entry: Any) -> bool:
        index, function = table(entry).get("index"), table(entry).get("function")
        said, name = string(table(entry).get("id")), string(table(function).get("name"))
        if not isinstance(function, dict):
            return False
        written = isinstance(function.get("arguments"), str | None)
        if type(index) is int and index in self._ids:
            return self._is_another(index, said, name, function)
        if type(index) is not int or index != len(self._ids) or not (said and name and written):
            return bool(name) or not self._ids
        self._ids[index] = said
        return False

    def _is_another(self, index: int, said: str, name: str, function: dict[str, Any]) -> bool:
        """Whether an entry begins a call though its number is that of one: local servers number every call 0. An id
        alone says nothing: some make up a new one for every piece."""
        if not (name and said) or said == self._ids[index]:
            return False
        return string(function.get("arguments")).lstrip()[:1] in ("", "{")

    def mended(self, choice: dict[str, Any]) -> dict[str, Any]:
        """A choice as clients add it to what they have: it has its number, the first says whose words these are, and no
        role, id or name comes twice. The same object where it is so. To be asked before `is_odd`."""
        first, self._is_first = self._is_first, False
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return choice
        if choice.get("index") is None:
            choice = {**choice, "index": 0}
        if not first:
            said = without_role(delta)
        else:
            said = delta if delta.get("role") else {**delta, "role": "assistant"}
        calls = delta.get("tool_calls")
        if isinstance(calls, list):
            kept = [self._once(call) for call in calls]
            if any(new is not old for new, old in zip(kept, calls, strict=True)):
                said = {**said, "tool_calls": kept}
        return choice if said is delta else {**choice, "delta": said}

    def _once(self, entry: Any) -> Any:
        index, function = table(entry).get("index"), table(entry).get("function")
        if type(index) is not int or not isinstance(function, dict):
            return entry
        if string(function.get("arguments")).strip():
            self._argued.add(index)
        if index not in self._ids:
            return entry if entry.get("type") or not function.get("name") else {**entry, "type": "function"}
        said, name = string(entry.get("id")), string(function.get("name"))
        if not (said or name) or self._is_another(index, said, name, function):
            return entry
        return {
            **{key: value for key, value in entry.items() if key != "id"},
            "function": {key: value for key, value in function.items() if key != "name"},
        }


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
