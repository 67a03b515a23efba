"""Read a Chat Completions stream as events: those of one of its choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve

from coderouter_core.model import Block, Dialect, Fault, StreamEvent, Usage
from coderouter_core.wire import faults
from coderouter_core.wire.chat.blocks import Blocks
from coderouter_core.wire.chat.deltas import REASONING, TEXTS, said_error, usage_of, without_role
from coderouter_core.wire.chat.ending import parted, says, written
from coderouter_core.wire.chat.usage import Tally, is_complete
from coderouter_core.wire.ids import Mint, call_id
from coderouter_core.wire.lenient import count, loads, string, table, whole
from coderouter_core.wire.reasons import FAILURES, stop_reason
from coderouter_core.wire.sse import payload

#: Finish reasons after which half a call is all there is.
_LIMITED = ("length", "content_filter")
#: Those that tell of calls.
_CALLED = ("tool_calls", "function_call")


class ChatReader:
    """State of one answer, or of its choice number `choice`. `mint` makes ids for calls that came without one.

    The ``stop`` waits for ``[DONE]`` or the end of the stream: some servers send calls, their arguments or text after
    the finish reason. It carries the frame that ended the choice. `calls` is the number of those before the first frame.
    """

    dialect = Dialect.CHAT

    def __init__(self, mint: Mint = call_id, choice: int = 0, calls: int = 0) -> None:
        self._choice = choice
        self.finished = False
        self.ended = False
        self._tally = Tally()
        self._blocks = Blocks(mint, calls)
        self._started = False
        self._stopped = False
        self._finish = ""
        self._sequence: str | None = None
        #: What the present frame stands for, without the end of the choice; and the frame of that end.
        self._said: bytes | None = None
        self._last: bytes | None = None

    @property
    def usage(self) -> Usage:
        return self._tally.usage

    def read(self, frame: bytes) -> Sequence[StreamEvent]:
        data = payload(frame)
        if not data:
            return (StreamEvent("ping" if frame.lstrip().startswith(b":") else "other", frame=frame),)
        if data[:1] == b"[" and data.strip() == b"[DONE]":
            return self._done(frame)
        try:
            chunk = loads(data)
        except ValueError:
            return self._error(faults.garbage("a chunk of the upstream's stream is not JSON"), frame)
        if not isinstance(chunk, dict):
            return self._error(faults.garbage("a chunk of the upstream's stream is not an object"), frame)
        if said_error(chunk, frame):
            return self._error(faults.of_json(chunk, Dialect.CHAT), frame)
        if not isinstance(chunk.get("choices") or [], list):
            return self._error(faults.garbage("the choices of a chunk are not a list"), frame)
        if self._started and (told := self._told_once(chunk)) is not chunk:
            chunk, frame = told, written(told)
        self._blocks.holding = False
        self._said = frame
        events = self._chunk(chunk, frame)
        if self._blocks.holding:
            # The frame holds more than its events do: it cannot stand for them.
            return [event if event.frame is None else evolve(event, frame=None) for event in events]
        if events or not (chunk.get("choices") or chunk.get("usage")):
            # A chunk with nothing in it says nothing to anybody, and clients look for its choice.
            return events or (StreamEvent("other"),)
        return (StreamEvent("other", frame=self._said),)

    def close(self) -> Sequence[StreamEvent]:
        if self.finished and self._finish not in _LIMITED and self._blocks.cut():
            # Its arguments were to come after the finish reason, and did not: half a call must not be carried out.
            self.finished = False
        return self._stop() if self.finished else ()

    def whole(self, body: dict[str, Any]) -> list[StreamEvent]:
        """The events of an answer that is not streamed."""
        choices = body.get("choices")
        if said_error(body, b""):
            return [StreamEvent("error", fault=faults.of_json(body, Dialect.CHAT))]
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return [StreamEvent("error", fault=faults.garbage("the upstream's answer has no choices"))]
        events = self._chunk(body, None)
        self.finished = self.finished or not any(event.kind == "error" for event in events)
        return [*events, *(self._stop() if self.finished else ())]

    def _told_once(self, chunk: dict[str, Any]) -> dict[str, Any]:
        """A later chunk without the role that the first has told."""
        choices = chunk.get("choices")
        if not isinstance(choices, list) or len(choices) != 1:
            return chunk
        delta = table(table(choices[0]).get("delta"))
        if (once := without_role(delta)) is delta:
            return chunk
        return {**chunk, "choices": [{**choices[0], "delta": once}]}

    def _done(self, frame: bytes) -> Sequence[StreamEvent]:
        self.finished = self.ended = True
        return self._stop() or (StreamEvent("other", frame=frame),)

    def _error(self, fault: Fault, frame: bytes | None) -> Sequence[StreamEvent]:
        """An error; nothing of the frame where the answer is over anyway."""
        return () if self.finished else (StreamEvent("error", fault=fault, frame=frame),)

    def _chunk(self, chunk: dict[str, Any], frame: bytes | None) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        choice = _chosen(chunk.get("choices"), self._choice)
        finish = string(choice.get("finish_reason")) if choice is not None else ""
        if choice is not None and not self._stopped:
            if frame is not None and finish and not self.finished:
                frame = self._ends(chunk, choice, frame)
            events += self._choice_says(chunk, choice, frame)
        if usage := usage_of(chunk):
            stands = is_complete(usage) and (choice is None or any(event.frame for event in events))
            own = frame if stands else None
            events.append(StreamEvent("usage", usage=self._tally.add(usage), frame=own))
        if choice is not None and finish:
            events += self._finishes(finish, choice, frame)
        return events

    def _ends(self, chunk: dict[str, Any], choice: dict[str, Any], frame: bytes) -> bytes | None:
        """The frame without the end of the choice, which is kept for later; None where nothing is left."""
        if len(chunk["choices"]) > 1 or choice.get("index") != self._choice or "delta" not in choice:
            return None
        if not says(choice):
            usage = table(chunk.get("usage"))
            self._last = frame if is_complete(usage) or not usage else None
            return None
        self._said, self._last = parted(chunk, choice)
        return self._said

    def _choice_says(
        self, chunk: dict[str, Any], choice: dict[str, Any], frame: bytes | None
    ) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        # What stands in a whole message after the end has been said before.
        delta = table(choice.get("delta") or (not self.finished and choice.get("message")))
        if choice.get("index") != self._choice or not _is_readable(choice, delta):
            # A client of the dialect would not read the same in the frame.
            self._blocks.holding = True
        if not self._started:
            self._started = True
            # Clients learn from the first chunk whose words these are.
            own = frame if delta.get("role") == "assistant" else None
            identity, model = whole(string(chunk.get("id"))), whole(string(chunk.get("model")))
            events.append(StreamEvent("start", id=identity, model=model, frame=own))
        if self.finished:
            self._blocks.finish()
        said = self._delta(delta, frame)
        if self.finished and any(event.block == "tool_call" for event in said):
            # It does not tell of a call that came after it.
            self._last = None
        return events + said

    def _delta(self, delta: dict[str, Any], frame: bytes | None) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        reasoning = next(filter(None, map(delta.get, REASONING)), None) or _detailed(delta)
        if isinstance(reasoning, str) and reasoning:
            events += self._blocks.text("thinking", reasoning, frame)
        for key in ("content", "refusal"):
            content = delta.get(key)
            if isinstance(content, str):
                if content:
                    events += self._blocks.text("text", content, frame)
            elif content:
                for block, text in _parts(content):
                    events += self._blocks.text(block, text, frame)
        calls = delta.get("tool_calls")
        if isinstance(calls, list):
            for call in calls:
                if isinstance(call, dict):
                    events += self._blocks.call(call, frame)
        if isinstance(legacy := delta.get("function_call"), dict):
            events += self._blocks.call({"index": 0, "function": legacy}, frame)
        return events

    def _finishes(self, finish: str, choice: dict[str, Any], frame: bytes | None) -> list[StreamEvent]:
        if self.finished:
            # Clients take the first; a frame that holds another does not stand.
            self._blocks.holding = True
            return []
        if finish in FAILURES:
            return list(self._error(faults.finished_badly(finish, FAILURES[finish]), frame))
        self.finished, self._finish = True, finish
        # vLLM and SGLang tell which of the client's stop strings was met.
        matched = choice.get("stop_reason") or choice.get("matched_stop")
        if finish == "stop" and isinstance(matched, str):
            self._sequence = matched
        self._blocks.holding = self._blocks.holding or frame is None
        return []

    def _stop(self) -> list[StreamEvent]:
        if self._stopped:
            return []
        self._stopped = True
        events = self._blocks.end(None)
        reason = stop_reason(self._finish, called=self._blocks.called)
        sequence = self._sequence if reason == "end_turn" else None
        if sequence is not None:
            reason = "stop_sequence"
        if reason == "tool_use" and self._finish not in _CALLED:
            # Clients that carry calls out go by it.
            self._last = None
        return [*events, StreamEvent("stop", reason=reason, stop_sequence=sequence, frame=self._last)]


def _is_readable(choice: dict[str, Any], delta: dict[str, Any]) -> bool:
    """Whether clients find in a choice what they look for: a delta, and text as text."""
    texts = all(delta.get(key) is None or isinstance(delta[key], str) for key in TEXTS)
    return texts and isinstance(choice.get("delta"), dict)


def _chosen(choices: Any, number: int) -> dict[str, Any] | None:
    """The choice that is read; servers may leave number 0 unnumbered."""
    if not isinstance(choices, list):
        return None
    for choice in choices:
        if isinstance(choice, dict) and count(choice.get("index")) == number:
            return choice
    return None


def _detailed(delta: dict[str, Any]) -> str:
    """OpenRouter's ``reasoning_details``, where the server does not say the same in ``reasoning``, too."""
    details = delta.get("reasoning_details")
    parts = [table(detail) for detail in details] if isinstance(details, list) else []
    return "".join(string(part.get("text")) or string(part.get("summary")) for part in parts)


def _parts(content: Any) -> list[tuple[Block, str]]:
    """Content as a list of parts: text, and Mistral's thinking, which holds parts itself."""
    found: list[tuple[Block, str]] = []
    for part in content if isinstance(content, list) else ():
        part = table(part)
        inner = part.get("thinking")
        if isinstance(inner, list):
            found += [("thinking", text) for _, text in _parts(inner)]
        elif isinstance(inner, str) and inner:
            found.append(("thinking", inner))
        elif isinstance(text := part.get("text"), str) and text:
            found.append(("text", text))
    return found
