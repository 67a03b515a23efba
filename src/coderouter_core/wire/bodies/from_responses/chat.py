"""A Responses request as a Chat Completions request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from coderouter_core.wire.arguments import parsed
from coderouter_core.wire.bodies import images
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
from coderouter_core.wire.bodies.to_chat import to_chat
from coderouter_core.wire.lenient import string
from coderouter_core.wire.responses.tools import Tools

Block = dict[str, Any]

_DIALECT = "chat completions"


def responses_to_chat(
    body: Mapping[str, Any], losses: Losses, *, control: str, reasoning: bool
) -> tuple[dict[str, Any], Mapping[str, str]]:
    """The request, and the client's names of the tools that had to be given others.

    `reasoning`: the provider wants the thinking of earlier turns back. `control` says how it is told how hard to think.
    """
    tools = Tools(body)
    said = _Turns(losses, reasoning=reasoning)
    said.read(entries(body, tools, losses))
    out, hints = fields(body, tools, losses, _DIALECT)
    turned, names = to_chat({"messages": said.turns}, losses, control=control, reasoning=reasoning)
    out["messages"] = turned["messages"]
    if control == "openai":
        out |= hints
    else:
        losses.rest(hints, "this provider takes no such field")
    return out, names


class _Turns:
    """Turns of blocks, as the Messages dialect has them, which are translated further. What one side says in several
    items is one turn: many templates of local models allow no second system prompt."""

    def __init__(self, losses: Losses, *, reasoning: bool) -> None:
        self.turns: list[dict[str, Any]] = []
        self._losses = losses
        self._reasoning = reasoning

    def read(self, said: Iterable[Entry]) -> None:
        for entry in said:
            if isinstance(entry, Said):
                self._add(entry.role, self._blocks(entry.parts))
            elif isinstance(entry, Called):
                use = {
                    "type": "tool_use",
                    "id": entry.id,
                    "name": entry.name,
                    "input": parsed(entry.arguments),
                }
                self._add("assistant", [use])
            elif isinstance(entry, Answered):
                result = {
                    "type": "tool_result",
                    "tool_use_id": entry.id,
                    "content": self._blocks(entry.parts),
                }
                self._add("user", [result])
            elif self._reasoning:
                self._add("assistant", [{"type": "thinking", "thinking": entry.text}])

    def _add(self, role: str, blocks: list[Block]) -> None:
        if self.turns and self.turns[-1]["role"] == role:
            self.turns[-1]["content"] += blocks
        elif blocks:
            self.turns.append({"role": role, "content": blocks})

    def _blocks(self, parts: Iterable[Part]) -> list[Block]:
        return [self._block(part) for part in parts]

    def _block(self, part: Part) -> Block:
        text = part.get("text", part.get("refusal"))
        if isinstance(text, str):
            return {"type": "text", "text": text}
        kind = string(part.get("type"))
        if kind == "input_image" and (image := images.to_block(part)):
            return image
        if kind == "input_file" and (document := images.to_document({"file": part})):
            return document
        reason = (
            "an uploaded file is known to OpenAI's servers only" if part.get("file_id") else "has no form"
        )
        self._losses.add(f"input.{kind}", f"{reason} in {_DIALECT}" if reason == "has no form" else reason)
        return {"type": "text", "text": f"[{kind} left out: it cannot be shown to this model]"}
