"""What is wrong with a Responses stream; for tests of anything that writes one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from coderouter_core.wire.lenient import string, table

Problems = Iterator[str]

_ENDS = ("response.completed", "response.incomplete", "response.failed")
#: What a delta adds to, by the type of the item it belongs to; and the field of its ``done`` that repeats all.
_DELTAS = {
    "output_text": ("message", "text"),
    "reasoning_summary_text": ("reasoning", "text"),
    "function_call_arguments": ("function_call", "arguments"),
    "custom_tool_call_input": ("custom_tool_call", "input"),
}
#: The part that must be open before a delta comes.
_PARTS = {"output_text": "content_part", "reasoning_summary_text": "reasoning_summary_part"}
_USAGE = ("input_tokens", "output_tokens", "total_tokens", "input_tokens_details", "output_tokens_details")


def problems(frames: list[tuple[str, bytes]]) -> Problems:
    """Everything that a client could stumble over, in the frames that hold data."""
    events = [(name, table(orjson.loads(data))) for name, data in frames]
    for at, (name, event) in enumerate(events):
        if event.get("type") != name:
            yield f"a frame is called {name!r} and holds {event.get('type')!r}"
        if event.get("sequence_number") != at:
            yield f"{name} has sequence_number {event.get('sequence_number')}, not {at}"
    kinds = [name for name, _ in events]
    if kinds[:1] != ["response.created"]:
        yield "the first event is not response.created"
    if kinds[-1:] and kinds[-1] not in _ENDS:
        yield "the stream does not end with response.completed, incomplete or failed"
    if any(kind in _ENDS for kind in kinds[:-1]):
        yield "something follows the end"
    responses = [table(event.get("response")) for _, event in events if "response" in event]
    if len({response.get("id") for response in responses}) > 1:
        yield "the events differ in the response's id"
    items = _Items()
    for name, event in events:
        yield from items.see(name.removeprefix("response."), event)
    if responses and kinds[-1] in _ENDS:
        yield from _last(kinds[-1], responses[-1], items)


def _last(kind: str, response: dict[str, Any], items: _Items) -> Problems:
    if response.get("status") != kind.removeprefix("response."):
        yield f"{kind} holds a response that is {response.get('status')}"
    if kind == "response.completed" and items.open is not None:
        yield f"item {items.open} is not done"
    said = dict(enumerate(response.get("output") or ()))
    if len(said) != items.count or any(said.get(at) != item for at, item in items.done.items()):
        yield "the response's output is not what the stream said"
    usage = response.get("usage")
    if usage is not None and any(key not in table(usage) for key in _USAGE):
        yield "the usage is not complete"


class _Items:
    """The items so far: one is open at a time, and all that it says is said between its two ends."""

    def __init__(self) -> None:
        self.count = 0
        self.open: int | None = None
        self.done: dict[int, dict[str, Any]] = {}
        self._item: dict[str, Any] = {}
        self._part = ""
        self._said: list[str] = []

    def see(self, name: str, event: dict[str, Any]) -> Problems:
        index = event.get("output_index")
        if name == "output_item.added":
            yield from self._added(index, table(event.get("item")))
        elif index is None:
            return
        elif index != self.open:
            yield f"{name} belongs to item {index}, which is not open"
        elif name == "output_item.done":
            yield from self._done(table(event.get("item")))
        else:
            if event.get("item_id") != self._item.get("id"):
                yield f"{name} has the id of another item"
            yield from self._step(name, event)

    def _added(self, index: Any, item: dict[str, Any]) -> Problems:
        if self.open is not None:
            yield f"item {index} starts inside item {self.open}"
        if index != self.count:
            yield f"item {self.count} has index {index}"
        if not item.get("id"):
            yield f"item {index} has no id"
        self.open, self._item, self._said, self._part = self.count, item, [], ""
        self.count += 1

    def _step(self, name: str, event: dict[str, Any]) -> Problems:
        subject, _, what = name.rpartition(".")
        if subject.endswith("_part"):
            self._part = subject if what == "added" else ""
            return
        kind, field = _DELTAS.get(subject, ("", ""))
        if self._item.get("type") != kind:
            yield f"a {name} in an item of type {self._item.get('type')}"
        if self._part != _PARTS.get(subject, ""):
            yield f"{name} without its part"
        if what == "delta":
            self._said.append(string(event.get("delta")))
        elif event.get(field) != "".join(self._said):
            yield f"{name} is not what the deltas said"

    def _done(self, item: dict[str, Any]) -> Problems:
        if (item.get("id"), item.get("type")) != (self._item.get("id"), self._item.get("type")):
            yield f"item {self.open} ends as another"
        if self._part:
            yield f"item {self.open} ends inside a part"
        if self._said and "".join(self._said) != _text(item):
            yield f"item {self.open} does not hold what the deltas said"
        assert self.open is not None
        self.done[self.open] = item
        self.open = None


def _text(item: dict[str, Any]) -> str:
    for key in ("arguments", "input"):
        if isinstance(item.get(key), str):
            return str(item[key])
    parts = item.get("summary") or item.get("content") or ()
    return "".join(string(table(part).get("text")) for part in parts)
