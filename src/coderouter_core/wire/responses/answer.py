"""A Responses answer while it grows: what each event of it means for a client."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from coderouter_core.model import Fault, StreamEvent, Usage
from coderouter_core.model.usage import NOTHING
from coderouter_core.wire.ids import response_id
from coderouter_core.wire.lenient import table
from coderouter_core.wire.responses import items
from coderouter_core.wire.responses.errors import error_of
from coderouter_core.wire.responses.items import Item, Step
from coderouter_core.wire.responses.tools import Tools

#: Stop reasons of an answer that is not all of it, and why.
_INCOMPLETE = {
    "max_tokens": "max_output_tokens",
    "model_context_window_exceeded": "max_output_tokens",
    "refusal": "content_filter",
}
SEALED = "reasoning.encrypted_content"
#: Fields of the request that its answer repeats, and what they are where the client said nothing.
_ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "prompt_cache_key": None,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}


class Answer:
    """Keeps the dialect's grammar whatever events come: items are opened before their deltas and closed after.

    `asked` is the request's body. A call is closed when it is known that the answer goes on or ends well: one that
    a limit cut off must not be carried out.
    """

    def __init__(self, asked: Mapping[str, Any], created: int = 0) -> None:
        self._asked = asked
        self._created = created
        self._tools = Tools(asked)
        include = asked.get("include")
        self._sealed = isinstance(include, list) and SEALED in include
        self._started = False
        self._id = self._model = ""
        self._usage: Usage = NOTHING
        self._reason = "end_turn"
        self._item: Item | None = None
        self._over = False
        self._output: list[Item] = []

    def take(self, event: StreamEvent) -> list[Step]:
        """The steps that an event leads to."""
        if event.usage.reported:
            self._usage = event.usage
        if event.kind == "start":
            return self._start(event)
        if event.kind == "block_start" and event.block == "tool_call":
            return [*self._started_already(), *self._close(), *self._open_call(event)]
        if event.kind == "delta" and event.text:
            return [*self._started_already(), *self._delta(event)]
        if event.kind == "block_stop":
            return self._block_ends(event)
        if event.kind == "stop":
            self._reason = event.reason
        return []

    def end(self) -> list[Step]:
        """The steps that are due when the answer ended properly, its terminal event last."""
        steps = self._started_already()
        why = _INCOMPLETE.get(self._reason)
        if self._item and why and self._item.cut():
            self._item.body["status"] = "incomplete"
            self._item = None
        steps += self._close()
        status = "incomplete" if why else "completed"
        return [*steps, (f"response.{status}", {"response": self.response(status)})]

    def failed(self, fault: Fault) -> list[Step]:
        """The steps of an answer that breaks. What is open stays open: half a call must not be carried out."""
        steps = self._started_already()
        response = {**self.response("failed"), "error": error_of(fault)}
        return [*steps, ("response.failed", {"response": response})]

    def response(self, status: str) -> dict[str, Any]:
        """The ``response`` object as it stands."""
        why = _INCOMPLETE.get(self._reason)
        reasoning = table(self._asked.get("reasoning"))
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": {"reason": why} if status == "incomplete" else None,
            "model": self._model,
            "output": [item.body for item in self._output],
            "previous_response_id": None,
            "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
            "store": False,
            "usage": _written(self._usage) if self._usage.reported and status != "in_progress" else None,
            **{key: self._echo(key, default) for key, default in _ECHOED.items()},
        }

    def _echo(self, key: str, default: Any) -> Any:
        said = self._asked.get(key)
        return default if said is None else said

    def _start(self, event: StreamEvent) -> list[Step]:
        if self._started:
            return []
        self._started = True
        self._id, self._model = response_id(event.id), event.model
        response = self.response("in_progress")
        return [(f"response.{name}", {"response": response}) for name in ("created", "in_progress")]

    def _started_already(self) -> list[Step]:
        return self._start(StreamEvent("start"))

    def _open(self, item: Item) -> list[Step]:
        self._item, self._over = item, False
        self._output.append(item)
        return item.opened()

    def _open_call(self, event: StreamEvent) -> list[Step]:
        tool = self._tools.called(event.name)
        return self._open(items.call(len(self._output), event.id, tool))

    def _delta(self, event: StreamEvent) -> list[Step]:
        """A piece. Text opens its item where none is open; arguments belong to a call or to nothing."""
        steps: list[Step] = []
        if self._item is None or self._over or _kind(self._item) != event.block:
            if event.block == "tool_call":
                return []
            steps = [*self._close(), *self._open(self._text_item(event))]
        assert self._item is not None
        return [*steps, *self._item.add(event.text)]

    def _text_item(self, event: StreamEvent) -> Item:
        index = len(self._output)
        if event.block == "thinking":
            return items.Reasoning(index, sealed=self._sealed)
        return items.Message(index)

    def _block_ends(self, event: StreamEvent) -> list[Step]:
        if event.block == "tool_call":
            self._over = True
            return []
        steps: list[Step] = []
        if event.block == "thinking" and event.signature and self._sealed and not self._is_open("thinking"):
            # Thoughts that the provider does not show must still come back to it.
            steps = [*self._started_already(), *self._close(), *self._open(self._text_item(event))]
        if isinstance(self._item, items.Reasoning):
            self._item.signature = event.signature
        return [*steps, *self._close()] if self._is_open(event.block) else steps

    def _is_open(self, block: str) -> bool:
        return self._item is not None and _kind(self._item) == block

    def _close(self) -> list[Step]:
        item, self._item = self._item, None
        return item.closed() if item else []


def _kind(item: Item) -> str:
    if isinstance(item, items.Message):
        return "text"
    return "thinking" if isinstance(item, items.Reasoning) else "tool_call"


def _written(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt + usage.output,
    }


def fold(events: Iterable[StreamEvent], *, created: int, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A whole answer from the events of one."""
    answer = Answer(asked, created)
    for event in events:
        answer.take(event)
    [*_, (_, last)] = answer.end()
    response: dict[str, Any] = last["response"]
    return response
