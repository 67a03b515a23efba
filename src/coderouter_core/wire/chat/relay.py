"""A Chat Completions stream relayed to a Chat Completions client."""

from __future__ import annotations

from typing import Any

from coderouter_core.model import Dialect
from coderouter_core.wire import faults
from coderouter_core.wire.chat.deltas import TEXTS, names_a_call, said_error, size_of_delta, usage_of
from coderouter_core.wire.chat.ending import End, goes_on, written
from coderouter_core.wire.chat.errors import DONE, error_frames
from coderouter_core.wire.chat.handover import Numbers, handed_over
from coderouter_core.wire.chat.usage import Tally
from coderouter_core.wire.lanes import RelayLane, TranslatingLane
from coderouter_core.wire.lenient import count, loads
from coderouter_core.wire.reasons import FAILURES, QUIET, finish_reason, stop_reason
from coderouter_core.wire.sse import payload


class ChatRelay(RelayLane):
    """`hide_usage` keeps the usage-only chunk back.

    With several choices the answer is over when each that began has its finish reason. The chunk that ends an answer
    of one choice waits for the next one: what some servers say after it must come before it. From the first chunk on
    that holds a message, or begins a call as no client reads it, the choice is read and written anew.
    """

    def __init__(self, *, hide_usage: bool = False) -> None:
        super().__init__(error_frames)
        self._hide_usage = hide_usage
        self._tally = Tally()
        self._begun: set[int] = set()
        self._finished: set[int] = set()
        self._called = False
        self._numbers = Numbers()
        self._head: dict[str, Any] = {}
        self._waiting = b""
        self._end: End | None = None
        self._anew: TranslatingLane | None = None

    def _frame(self, frame: bytes) -> bytes:
        data = payload(frame)
        if not data:
            if self._end is None:
                return frame
            self._end.frame += frame
            return b""
        if data[:1] == b"[" and data.strip() == b"[DONE]":
            if self._anew is not None:
                return self._written(frame)
            self.stopped = self.done = True
            return self._released() + self._unsaid_end() + self._let_go() + frame
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
        if usage := usage_of(chunk):
            self.steps += 1
            self.usage = self._tally.add(usage)
        if self._anew is not None and all(_number(choice) == 0 for choice in choices):
            return self._written(frame)
        if not choices:
            if chunk.get("choices", choices) is None:
                # Clients go through them without looking whether there are any.
                frame = written({**chunk, "choices": []})
            frame = b"" if usage and self._hide_usage else frame
            if usage and self._begun and not self._finished:
                # It belongs behind the end. Of several counts the last is the one that tells all.
                self._waiting = frame
                return b""
            return self._released() + frame
        self.steps += 1
        return self._of_choices(chunk, choices, frame)

    def _of_choices(self, chunk: dict[str, Any], choices: list[Any], frame: bytes) -> bytes:
        only = choices[0] if len(choices) == 1 and _number(choices[0]) == 0 else None
        if only is not None and (mended := self._numbers.mended(only)) is not only:
            chunk, choices, only = {**chunk, "choices": [mended]}, [mended], mended
            frame = written(chunk)
        if only is not None and self._end is None and self._begun <= {0} and self._numbers.is_odd(only):
            self._anew = handed_over(
                chunk, self._numbers.begun, begun=bool(self._begun), include_usage=not self._hide_usage
            )
            return self._written(frame)
        self._head = chunk
        for choice in choices:
            if isinstance(choice, dict):
                self._choice(choice)
        if self.fault is not None:
            return b""
        return self._in_order(chunk, only, frame)

    def _in_order(self, chunk: dict[str, Any], only: dict[str, Any] | None, frame: bytes) -> bytes:
        """The frame, and the end of the answer behind everything else."""
        end = self._end
        if end is not None:
            if only is None or not goes_on(only):
                return self._released() + frame
            said = end.said()
            if names_a_call(only["delta"]):
                self.stop_reason = stop_reason(end.finish, called=True)
                end.called()
            return said + frame
        if only is None or not self.stopped or self._begun != {0} or not isinstance(only.get("delta"), dict):
            return frame
        self._end = End(chunk, only, frame)
        if self._called:
            self._end.called()
        return b""

    def _let_go(self) -> bytes:
        waiting, self._waiting = self._waiting, b""
        return waiting

    def _unsaid_end(self) -> bytes:
        """The end of the one choice, where the upstream says only that the stream is over: clients look for it."""
        if self._begun != {0} or self._finished:
            return b""
        self.stop_reason = stop_reason("", called=self._called)
        finish = finish_reason(self.stop_reason, called=self._called)
        return self._empty_arguments() + self._made({}, finish)

    def _released(self) -> bytes:
        end, self._end = self._end, None
        if end is None:
            return b""
        empty = self._empty_arguments()
        return (end.said() + empty if empty else b"") + end.frame + self._let_go()

    def _empty_arguments(self) -> bytes:
        """An empty object for each call that came without any arguments."""
        calls = [{"index": at, "function": {"arguments": "{}"}} for at in self._numbers.without_arguments]
        return self._made({"tool_calls": calls}, None) if calls else b""

    def _made(self, delta: dict[str, Any], finish: str | None) -> bytes:
        """A chunk of our own, like those of the upstream."""
        head = {key: value for key, value in self._head.items() if key != "usage"}
        return written({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    def _written(self, frame: bytes) -> bytes:
        """What becomes of a frame that is written anew."""
        assert self._anew is not None
        size = self._anew.size
        out = self._anew.feed(frame) if frame else self._anew.close()
        self.size += self._anew.size - size
        self.steps += 1
        self.content = self.content or self._anew.content
        self.done, self.fault = self._anew.done, self._anew.fault
        self._begun.add(0)
        if self._anew.stopped:
            self._finished.add(0)
        self.stopped = self.done or self._begun <= self._finished
        self.stop_reason = self._anew.stop_reason or self.stop_reason
        return out

    def _late(self) -> bytes:
        if self._anew is None:
            return self._released() + self._let_go()
        # Where another choice has no end, the stream has none.
        return self._written(b"") if self._begun <= self._finished | {0} else b""

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
        return DONE if self._anew is None else b""


def _number(choice: Any) -> int:
    """The number of a choice; -1 of what is none."""
    return count(choice.get("index")) if isinstance(choice, dict) else -1
