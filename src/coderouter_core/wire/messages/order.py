"""The events of blocks that are open at the same time, in an order in which they are not."""

from __future__ import annotations

from typing import Any

import orjson

from coderouter_core.wire.lenient import string, table

Event = dict[str, Any]
#: The kind of an event, the event and the frame it came in.
Step = tuple[str, Event, bytes]

_PIECES = ("content_block_delta", "content_block_stop")


class Order:
    """Lets one block through live, and holds what belongs to others until that one is over.

    A call is over when its stop comes, or when its JSON is complete and another block starts; any other block when
    another starts, for upstreams may leave stops out.
    """

    def __init__(self) -> None:
        self._live: int | None = None
        self._is_call = False
        self._pieces: list[str] = []
        #: Blocks that were over without a stop of their own.
        self._left: set[int] = set()
        self._held: dict[int, list[Step]] = {}

    def take(self, kind: str, event: Event, frame: bytes) -> list[Step]:
        """What is to be read now: the event, nothing, or it and what it releases."""
        step = (kind, event, frame)
        index = event.get("index")
        if kind == "content_block_start":
            return self._start(index, step)
        if kind in _PIECES:
            return self._piece(index, step)
        return [*self._released(), step] if kind in ("message_delta", "message_stop") else [step]

    def _start(self, index: Any, step: Step) -> list[Step]:
        if not isinstance(index, int):
            return [step]
        if self._live is not None and self._live != index:
            if self._is_call and not self._complete():
                self._held.setdefault(index, []).append(step)
                return []
            self._left.add(self._live)
        self._left.discard(index)
        self._live, self._pieces = index, []
        self._is_call = table(step[1].get("content_block")).get("type") == "tool_use"
        if self._is_call and (given := table(step[1].get("content_block")).get("input")):
            self._pieces = [orjson.dumps(given).decode()]
        return [step]

    def _piece(self, index: Any, step: Step) -> list[Step]:
        if isinstance(index, int) and index != self._live and (index in self._left or index in self._held):
            if self._live is None:
                return [step]
            if index in self._held or step[0] == "content_block_delta":
                self._held.setdefault(index, []).append(step)
            return []
        if step[0] == "content_block_delta":
            if self._is_call:
                self._pieces.append(string(table(step[1].get("delta")).get("partial_json")))
            return [step]
        self._live = None
        return [step, *self._next()]

    def _next(self) -> list[Step]:
        """What was held, up to the first block that is still open."""
        out: list[Step] = []
        while self._held and self._live is None:
            steps = self._held.pop(next(iter(self._held)))
            for step in steps:
                out += self.take(*step)
        return out

    def _released(self) -> list[Step]:
        """Everything that is held: the answer is over."""
        self._live = None
        out = [step for steps in self._held.values() for step in steps]
        self._held.clear()
        return out

    def _complete(self) -> bool:
        try:
            orjson.loads("".join(self._pieces))
        except (orjson.JSONDecodeError, UnicodeEncodeError):
            return False
        return True
