"""The items of a Responses answer while they grow, and the events that tell of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import orjson

from coderouter_core.wire.arguments import parsed
from coderouter_core.wire.ids import item_id
from coderouter_core.wire.responses.builtin import BUILTINS
from coderouter_core.wire.responses.freeform import Freeform
from coderouter_core.wire.responses.sealed import Thought, seal
from coderouter_core.wire.responses.tools import Tool

#: The type of an event and its fields; the number it gets belongs to the stream.
Step = tuple[str, dict[str, Any]]


class Item(ABC):
    """One item. `body` is the item as far as it goes; `index` its place in the output."""

    def __init__(self, index: int, body: dict[str, Any]) -> None:
        self.index = index
        self.body = body
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def opened(self) -> list[Step]:
        return [self._added()]

    @abstractmethod
    def add(self, text: str) -> list[Step]:
        """A piece of what the model says."""

    @abstractmethod
    def closed(self) -> list[Step]:
        """Nothing follows; the item is complete, and says so."""

    def cut(self) -> bool:
        """Whether what came is only a part, of no use to anybody."""
        return False

    def _added(self) -> Step:
        return "response.output_item.added", {"output_index": self.index, "item": dict(self.body)}

    def _done(self, **fields: Any) -> Step:
        self.body = {**self.body, **fields}
        if "status" in self.body:
            self.body["status"] = "completed"
        return "response.output_item.done", {"output_index": self.index, "item": self.body}

    def _step(self, step: str, **fields: Any) -> Step:
        return f"response.{step}", {"item_id": self.body["id"], "output_index": self.index, **fields}


class Message(Item):
    def __init__(self, index: int) -> None:
        super().__init__(
            index,
            {
                "id": item_id("msg"),
                "type": "message",
                "status": "in_progress",
                "role": "assistant",
                "content": [],
            },
        )

    def opened(self) -> list[Step]:
        return [self._added(), self._step("content_part.added", content_index=0, part=_part(""))]

    def add(self, text: str) -> list[Step]:
        self._pieces.append(text)
        return [self._step("output_text.delta", content_index=0, delta=text, logprobs=[])]

    def closed(self) -> list[Step]:
        part = _part(self.text)
        return [
            self._step("output_text.done", content_index=0, text=part["text"], logprobs=[]),
            self._step("content_part.done", content_index=0, part=part),
            self._done(content=[part]),
        ]


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


class Reasoning(Item):
    """Shown as a summary, which is what clients show. `sealed`: the client gives it back on its next turn, with the
    provider's `signature`."""

    def __init__(self, index: int, *, sealed: bool) -> None:
        super().__init__(index, {"id": item_id("rs"), "type": "reasoning", "summary": []})
        self.signature = ""
        self._sealed = sealed
        if sealed:
            self.body["encrypted_content"] = ""

    def add(self, text: str) -> list[Step]:
        steps: list[Step] = []
        if not self._pieces:
            part = {"type": "summary_text", "text": ""}
            steps.append(self._step("reasoning_summary_part.added", summary_index=0, part=part))
        self._pieces.append(text)
        return [*steps, self._step("reasoning_summary_text.delta", summary_index=0, delta=text)]

    def closed(self) -> list[Step]:
        text = self.text
        sealed = {"encrypted_content": seal(Thought(text, self.signature))} if self._sealed else {}
        if not self._pieces:
            return [self._done(**sealed)]
        part = {"type": "summary_text", "text": text}
        return [
            self._step("reasoning_summary_text.done", summary_index=0, text=text),
            self._step("reasoning_summary_part.done", summary_index=0, part=part),
            self._done(summary=[part], **sealed),
        ]


class FunctionCall(Item):
    def __init__(self, index: int, call_id: str, tool: Tool) -> None:
        super().__init__(
            index,
            {
                "id": item_id("fc"),
                "type": "function_call",
                "status": "in_progress",
                "arguments": "",
                "call_id": call_id,
                "name": tool.name,
                **_place(tool),
            },
        )

    def add(self, text: str) -> list[Step]:
        self._pieces.append(text)
        return [self._step("function_call_arguments.delta", delta=text)]

    def cut(self) -> bool:
        return _is_cut(self.text)

    def closed(self) -> list[Step]:
        # Clients parse arguments as JSON: none at all is an empty object.
        steps = [] if self.text.strip() else self.add("{}")
        text = self.text
        done = self._step("function_call_arguments.done", name=self.body["name"], arguments=text)
        return [*steps, done, self._done(arguments=text)]


class CustomCall(Item):
    def __init__(self, index: int, call_id: str, tool: Tool) -> None:
        super().__init__(
            index,
            {
                "id": item_id("ctc"),
                "type": "custom_tool_call",
                "status": "in_progress",
                "call_id": call_id,
                "name": tool.name,
                "input": "",
                **_place(tool),
            },
        )
        self._freeform = Freeform()
        self._raw: list[str] = []

    def add(self, text: str) -> list[Step]:
        self._raw.append(text)
        return self._delta(self._freeform.feed(text))

    def cut(self) -> bool:
        return _is_cut("".join(self._raw))

    def closed(self) -> list[Step]:
        steps = self._delta(self._freeform.end())
        text = self.text
        return [*steps, self._step("custom_tool_call_input.done", input=text), self._done(input=text)]

    def _delta(self, text: str) -> list[Step]:
        if not text:
            return []
        self._pieces.append(text)
        return [self._step("custom_tool_call_input.delta", delta=text)]


class WholeCall(Item):
    """A call that clients read only when it is complete: a search for tools, a command, a patch."""

    def __init__(self, index: int, call_id: str, tool: Tool) -> None:
        self._builtin = BUILTINS.get(tool.name) if tool.kind == "builtin" else None
        if self._builtin is None:
            prefix, kind, more = "tsc", "tool_search_call", {"execution": "client"}
        else:
            prefix, kind, more = self._builtin.prefix, self._builtin.item, {}
        body = {"id": item_id(prefix), "type": kind, "status": "in_progress", "call_id": call_id, **more}
        super().__init__(index, {**body, **self._made({})})

    def add(self, text: str) -> list[Step]:
        self._pieces.append(text)
        return []

    def cut(self) -> bool:
        return _is_cut(self.text)

    def closed(self) -> list[Step]:
        return [self._done(**self._made(parsed(self.text)))]

    def _made(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The field of the item that says what is to be done."""
        if self._builtin is None:
            return {"arguments": arguments}
        return {self._builtin.field: self._builtin.made(arguments)}


def call(index: int, call_id: str, tool: Tool) -> Item:
    """The item for a call of `tool`."""
    if tool.kind == "custom":
        return CustomCall(index, call_id, tool)
    if tool.kind == "function":
        return FunctionCall(index, call_id, tool)
    return WholeCall(index, call_id, tool)


def _place(tool: Tool) -> dict[str, str]:
    return {"namespace": tool.namespace} if tool.namespace else {}


def _is_cut(arguments: str) -> bool:
    try:
        orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return True
    return False
