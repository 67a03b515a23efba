"""A Chat Completions stream relayed to a Chat Completions client."""

from __future__ import annotations

from typing import Any

from coderouter_core.model import Dialect, size_of
from coderouter_core.wire import faults
from coderouter_core.wire.chat.errors import DONE, error_frames
from coderouter_core.wire.chat.usage import Tally
from coderouter_core.wire.lanes import RelayLane
from coderouter_core.wire.lenient import count, loads, table
from coderouter_core.wire.reasons import FAILURES, QUIET, stop_reason
from coderouter_core.wire.sse import fields, payload

#: Fields of a delta that hold something to read.
TEXTS = ("content", "reasoning_content", "reasoning", "refusal")


def said_error(chunk: dict[str, Any], frame: bytes) -> bool:
    """Whether a chunk is an error: OpenAI's shape, the flat one of older vLLM servers, or one by its event line."""
    if chunk.get("error") or chunk.get("object") == "error":
        return True
    return "choices" not in chunk and frame.startswith(b"event:") and fields(frame)[0] == "error"


def size_of_delta(delta: dict[str, Any]) -> int:
    """The bytes of what a delta says: text, thinking and the arguments of calls."""
    size = 0
    for key in TEXTS:
        text = delta.get(key)
        if text:
            size += size_of(text if isinstance(text, str) else str(text))
    calls = delta.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        arguments = table(table(call).get("function")).get("arguments")
        if arguments:
            size += size_of(arguments if isinstance(arguments, str) else str(arguments))
    return size


def names_a_call(delta: dict[str, Any]) -> bool:
    """Whether a delta names a tool call."""
    calls = delta.get("tool_calls")
    functions = [table(call).get("function") for call in calls] if isinstance(calls, list) else []
    return any(table(function).get("name") for function in (*functions, delta.get("function_call")))


class ChatRelay(RelayLane):
    """`hide_usage` keeps the usage-only chunk back.

    With several choices the answer is over when each that began has its finish reason.
    """

    def __init__(self, *, hide_usage: bool = False) -> None:
        super().__init__(error_frames)
        self._hide_usage = hide_usage
        self._tally = Tally()
        self._begun: set[int] = set()
        self._finished: set[int] = set()
        self._called = False

    def _frame(self, frame: bytes) -> bytes:
        data = payload(frame)
        if not data:
            return frame
        if data[:1] == b"[" and data.strip() == b"[DONE]":
            self.stopped = self.done = True
            return frame
        try:
            chunk = loads(data)
        except ValueError:
            return self._broken(faults.garbage("a chunk of the upstream's stream is not JSON"))
        if not isinstance(chunk, dict):
            return self._broken(faults.garbage("a chunk of the upstream's stream is not an object"))
        if said_error(chunk, frame):
            return self._broken(faults.of_json(chunk, Dialect.CHAT))
        return self._chunk(chunk, frame)

    def _chunk(self, chunk: dict[str, Any], frame: bytes) -> bytes:
        choices = chunk.get("choices") or []
        if not isinstance(choices, list):
            return self._broken(faults.garbage("the choices of a chunk are not a list"))
        if usage := table(chunk.get("usage")):
            self.steps += 1
            self.usage = self._tally.add(usage)
        if not choices:
            return b"" if usage and self._hide_usage else frame
        self.steps += 1
        for choice in choices:
            if isinstance(choice, dict):
                self._choice(choice)
        return frame if self.fault is None else b""

    def _choice(self, choice: dict[str, Any]) -> None:
        index = count(choice.get("index"))
        if index not in self._begun:
            self._begun.add(index)
            self.stopped = False
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self.size += size_of_delta(delta)
            if not (self.content and self._called):
                self._delta(delta)
        finish = choice.get("finish_reason")
        if not isinstance(finish, str) or not finish:
            return
        if finish in FAILURES:
            self._broken(faults.finished_badly(finish, FAILURES[finish]))
            return
        self._finished.add(index)
        self.stopped = self._begun <= self._finished
        if index == 0 or not self.stop_reason:
            self.stop_reason = stop_reason(finish, called=self._called)
        self.content = self.content or self.stop_reason not in QUIET

    def _delta(self, delta: dict[str, Any]) -> None:
        if any(delta.get(key) for key in TEXTS):
            self.content = True
        if names_a_call(delta):
            self._called = self.content = True

    def _due(self) -> bytes:
        return DONE
