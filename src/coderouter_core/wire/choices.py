"""A Chat Completions answer of several choices through filters: each choice on a lane of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from coderouter_core.model import Dialect, Fault, StreamFilter
from coderouter_core.wire import faults, sse
from coderouter_core.wire.chat.deltas import said_error
from coderouter_core.wire.chat.errors import DONE, error_frames
from coderouter_core.wire.chat.reader import ChatReader
from coderouter_core.wire.chat.several import MOST_CHOICES
from coderouter_core.wire.chat.usage import Tally, is_complete, written
from coderouter_core.wire.chat.writer import ChatWriter
from coderouter_core.wire.lanes import FrameLane, TranslatingLane
from coderouter_core.wire.lenient import count, loads, string, table, whole
from coderouter_core.wire.sse import payload


class ChoicesLane(FrameLane):
    """`filters` makes a set of filters for each choice.

    A chunk in which nothing was changed passes as it came; of several choices in a chunk that was, each gets a chunk
    of its own. Usage comes last, for a client that asked for it. `legacy`: as `ChatWriter` has it.
    """

    def __init__(
        self,
        filters: Callable[[], Sequence[StreamFilter]],
        *,
        include_usage: bool = True,
        created: int = 0,
        legacy: bool = False,
    ) -> None:
        super().__init__()
        self._filters = filters
        self._legacy = legacy
        self._include_usage = include_usage
        self._head: dict[str, Any] = {"id": "", "object": "chat.completion.chunk", "created": created}
        self._tally = Tally()
        self._usage_frame = b""
        self._lanes: dict[int, TranslatingLane] = {}

    def fail(self, fault: Fault, request_id: str) -> bytes:
        return error_frames(fault, request_id)

    def _frame(self, frame: bytes) -> bytes:
        data = payload(frame)
        if not data:
            return frame
        if data.strip() == b"[DONE]":
            out = self._all([lane.feed(frame) for lane in self._lanes.values()])
            self.stopped = self.done = True
            return out + self._due()
        try:
            chunk = loads(data)
        except ValueError:
            return self._broken(faults.garbage("a chunk of the upstream's stream is not JSON"))
        if not isinstance(chunk, dict):
            return self._broken(faults.garbage("a chunk of the upstream's stream is not an object"))
        if said_error(chunk, frame):
            return self._broken(faults.of_json(chunk, Dialect.CHAT))
        choices = chunk.get("choices") or []
        if not isinstance(choices, list):
            return self._broken(faults.garbage("the choices of a chunk are not a list"))
        return self._chunk(chunk, [choice for choice in choices if isinstance(choice, dict)], frame)

    def _chunk(self, chunk: dict[str, Any], choices: list[dict[str, Any]], frame: bytes) -> bytes:
        self.steps += 1
        if usage := table(chunk.get("usage")):
            self.usage = self._tally.add(usage)
            if not choices:
                self._usage_frame = frame if is_complete(usage) else b""
        if not choices:
            return b""
        if not self._lanes:
            self._head |= {key: whole(string(chunk.get(key))) for key in ("id", "model")}
        alone = {key: value for key, value in chunk.items() if key != "usage"}
        parts = [
            (count(choice.get("index")), frame if len(choices) == 1 else _of({**alone, "choices": [choice]}))
            for choice in choices
        ]
        out = []
        for index, part in parts:
            if index not in self._lanes and len(self._lanes) >= MOST_CHOICES:
                return self._broken(faults.garbage(f"the answer has more than {MOST_CHOICES} choices"))
            out.append(self._lane(index).feed(part))
        passed = self._all(out)
        return frame if passed == b"".join([part for _, part in parts]) else passed

    def _lane(self, index: int) -> TranslatingLane:
        lane = self._lanes.get(index)
        if lane is None:
            writer = ChatWriter(
                include_usage=False,
                created=self._head["created"],
                choice=index,
                alone=False,
                legacy=self._legacy,
            )
            lane = TranslatingLane(ChatReader(choice=index), writer, self._filters())
            self._lanes[index] = lane
        return lane

    def _all(self, out: list[bytes]) -> bytes:
        """What all lanes gave; and how they stand."""
        lanes = self._lanes.values()
        self.content = any(lane.content for lane in lanes)
        self.stopped = bool(lanes) and all(lane.stopped for lane in lanes)
        self.size = sum(lane.size for lane in lanes)
        self.stop_reason = next((lane.stop_reason for lane in lanes if lane.stop_reason), "")
        self.fault = next((lane.fault for lane in lanes if lane.fault is not None), None)
        self.failed = next((lane.failed for lane in lanes if lane.failed is not None), None)
        return b"".join(out)

    def _broken(self, fault: Fault) -> bytes:
        """Note that a frame is bad, unless the answer is over anyway."""
        if not self.stopped:
            self.fault = fault
        return b""

    def _late(self) -> bytes:
        out = self._all([lane.close() for lane in self._lanes.values()])
        return out if self.fault is None else b""

    def _due(self) -> bytes:
        if not (self._include_usage and self.usage.reported):
            return DONE
        chunk = {**self._head, "choices": [], "usage": written(self.usage)}
        return (self._usage_frame or _of(chunk)) + DONE


def _of(chunk: dict[str, Any]) -> bytes:
    return sse.write(orjson.dumps(chunk))
