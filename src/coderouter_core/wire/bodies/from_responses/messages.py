"""A Responses request as a Messages request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from coderouter_core.wire.bodies.from_responses.entries import (
    Answered,
    Called,
    Entry,
    Part,
    Said,
    entries,
)
from coderouter_core.wire.bodies.from_responses.fields import fields
from coderouter_core.wire.bodies.losses import Losses
from coderouter_core.wire.bodies.to_messages import to_messages
from coderouter_core.wire.responses.sealed import Thought
from coderouter_core.wire.responses.tools import Tools
from coderouter_core.wire.signature import is_ours

_DIALECT = "Messages"
#: Messages requests must say how long an answer may be; agents that write files leave it open and mean a long one.
MAX_TOKENS = 16_384


def responses_to_messages(
    body: Mapping[str, Any], losses: Losses, *, control: str, reasoning: bool, structured: bool
) -> tuple[dict[str, Any], Mapping[str, str]]:
    """The request, and the client's names of the tools that had to be given others.

    `control` says how the provider is told how hard to think; `structured`: it takes a schema for its answer.
    """
    tools = Tools(body)
    said = _Messages(reasoning=reasoning)
    said.read(entries(body, tools, losses))
    out, hints = fields(body, tools, losses, _DIALECT)
    out = {"max_tokens": MAX_TOKENS, **out, **hints, "messages": said.messages}
    turned, names = to_messages(out, losses, control=control, reasoning=reasoning, structured=structured)
    _sign(turned["messages"], said.signed)
    return turned, names


class _Messages:
    """Messages of Chat Completions, which are translated further. `signed` are thoughts that a provider signed, by
    the id of the call that they led to: there they must come back."""

    def __init__(self, *, reasoning: bool) -> None:
        self.messages: list[dict[str, Any]] = []
        self.signed: dict[str, list[Thought]] = {}
        self._reasoning = reasoning
        self._thoughts: list[Thought] = []

    def read(self, said: Iterable[Entry]) -> None:
        for entry in said:
            if isinstance(entry, Thought):
                self._thoughts.append(entry)
                continue
            if isinstance(entry, Said):
                self.messages.append({"role": entry.role, "content": [_part(part) for part in entry.parts]})
            elif isinstance(entry, Answered):
                content = [_part(part) for part in entry.parts]
                self.messages.append({"role": "tool", "tool_call_id": entry.id, "content": content})
            else:
                self._call(entry)
            if not (isinstance(entry, Said) and entry.role == "assistant"):
                # A thought belongs to its own turn, in which something may be said before the call.
                self._thoughts = []

    def _call(self, entry: Called) -> None:
        function = {"name": entry.name, "arguments": entry.arguments}
        call = {"id": entry.id, "type": "function", "function": function}
        message: dict[str, Any] = {"role": "assistant", "tool_calls": [call]}
        thoughts = [each for each in self._thoughts if each.signature and not is_ours(each.signature)]
        if thoughts:
            self.signed[entry.id] = thoughts
        elif self._reasoning and self._thoughts:
            message["reasoning_content"] = "\n".join(each.text for each in self._thoughts)
        self.messages.append(message)


def _part(part: Part) -> dict[str, Any]:
    """A part as Chat Completions has it; text and what is unknown is left to the next translation."""
    kind = part.get("type")
    if kind == "input_image" and isinstance(part.get("image_url"), str):
        return {"type": "image_url", "image_url": {"url": part["image_url"]}}
    if kind == "input_file" and isinstance(part.get("file_data"), str):
        return {"type": "file", "file": part}
    return part


def _sign(turns: list[dict[str, Any]], signed: Mapping[str, list[Thought]]) -> None:
    """Put signed thoughts at the beginning of the turns whose calls they led to."""
    for turn in turns:
        content = turn["content"]
        if turn["role"] != "assistant" or not isinstance(content, list):
            continue
        thoughts = [each for block in content for each in signed.get(str(block.get("id")), ())]
        content[:0] = [
            {"type": "thinking", "thinking": each.text, "signature": each.signature} for each in thoughts
        ]
