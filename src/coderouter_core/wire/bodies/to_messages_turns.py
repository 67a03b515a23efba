"""The turns of a Chat Completions request as those of a Messages request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from coderouter_core.wire.arguments import parsed
from coderouter_core.wire.bodies import images
from coderouter_core.wire.bodies.losses import Losses
from coderouter_core.wire.bodies.names import Names
from coderouter_core.wire.bodies.open_calls import OpenCalls
from coderouter_core.wire.lenient import string, table
from coderouter_core.wire.signature import MINTED

Block = dict[str, Any]

#: Stands where a turn must be and the client sent nothing.
NOTHING_SAID = "(no text)"

_NO_RESULT = "[no result: this call was not answered]"
_SYSTEM = ("system", "developer")
_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")


class TurnsToMessages:
    """Turns that alternate, beginning with the user's. `system` is what stood before the first of them.

    `reasoning` carries the reasoning of earlier turns as thinking blocks, for servers that insist on it and do not
    verify who signed them. Every call has its result in the turn after it, and every result its call: what lacks the
    other is mended and told.
    """

    def __init__(self, losses: Losses, names: Names, *, reasoning: bool = False) -> None:
        self.system: str | list[Block] = ""
        self._losses = losses
        self._names = names
        self._reasoning = reasoning
        self._turns: list[dict[str, Any]] = []
        self._open = OpenCalls()
        #: Results that stand before anything else of the last turn, the user's.
        self._results: list[Block] = []
        self._calls = 0

    def of(self, messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The turns."""
        head: list[Block] = []
        for message in messages:
            role = message.get("role")
            if message.get("name") and role != "function":
                self._losses.add("messages.name", "has no form in Messages")
            if role in _SYSTEM and not self._turns:
                head += self._blocks(message.get("content"))
            elif role in _SYSTEM:
                self._system_amid(message)
            elif role == "assistant":
                self._add("assistant", self._assistant(message))
            elif role in ("tool", "function"):
                self._result(message)
            else:
                self._add("user", self._blocks(message.get("content")))
        return self._finished(head)

    def _finished(self, head: list[Block]) -> list[dict[str, Any]]:
        self._close(len(self._open))
        self._place_results()
        turns = self._turns
        if not turns:
            # Only a system prompt: it is what the model is to answer.
            self._losses.add("messages.role", "a system prompt without turns is sent as the user's turn")
            return [{"role": "user", "content": head or [_text(NOTHING_SAID)]}]
        if turns[0]["role"] == "assistant":
            turns.insert(0, {"role": "user", "content": [_text(NOTHING_SAID)]})
        last = turns[-1]
        if last["role"] == "assistant" and last["content"][-1]["type"] == "text":
            # A prefilled answer may not end with white space.
            last["content"][-1]["text"] = last["content"][-1]["text"].rstrip()
        if len(head) == 1 and head[0].keys() == {"type", "text"}:
            self.system = head[0]["text"]
        else:
            self.system = head
        return turns

    def _add(self, role: str, blocks: list[Block]) -> None:
        """Add to the last turn where it is of the same role; turns that hold nothing are left out."""
        if not blocks:
            return
        if self._turns and self._turns[-1]["role"] == role:
            self._turns[-1]["content"] += blocks
        else:
            self._place_results()
            self._turns.append({"role": role, "content": blocks})

    def _add_result(self, result: Block) -> None:
        """Results stand before anything else of the user's turn: what came between must wait."""
        if not self._turns or self._turns[-1]["role"] != "user":
            self._turns.append({"role": "user", "content": []})
        self._results.append(result)

    def _place_results(self) -> None:
        if self._results:
            self._turns[-1]["content"][:0] = self._results
            self._results = []

    def _system_amid(self, message: Mapping[str, Any]) -> None:
        """A system turn stays where it stands, as a marked text of the user: earlier models know no other place."""
        blocks = self._blocks(message.get("content"))
        for block in blocks:
            if block["type"] == "text":
                block["text"] = f"<system>\n{block['text']}\n</system>"
        if blocks:
            self._losses.add(
                "messages.role", "a system turn amid the conversation is sent as marked user text"
            )
        self._add("user", blocks)

    def _assistant(self, message: Mapping[str, Any]) -> list[Block]:
        waiting = len(self._open)
        blocks = self._blocks(message.get("content"))
        if isinstance(refusal := message.get("refusal"), str) and refusal.strip():
            blocks.append(_text(refusal))
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            call = table(call)
            if function := table(call.get("function")):
                blocks.append(self._call(call.get("id"), function))
            else:
                self._losses.add("messages.tool_calls", "only calls of functions have a form in Messages")
        if function := table(message.get("function_call")):
            blocks.append(self._call(None, function))
        if blocks and self._turns and self._turns[-1]["role"] == "user":
            self._close(waiting)
        return self._thought(message, blocks) + blocks

    def _thought(self, message: Mapping[str, Any], blocks: list[Block]) -> list[Block]:
        thought = string(message.get("reasoning_content")) or string(message.get("reasoning"))
        if thought and self._reasoning and blocks:
            return [{"type": "thinking", "thinking": thought, "signature": MINTED}]
        if thought:
            self._losses.add("messages.reasoning_content", "only the model that thought it can sign it")
        return []

    def _call(self, identity: Any, function: dict[str, Any]) -> Block:
        self._calls += 1
        said = string(identity)
        # Made of the call's place, so that it is the same in every request of the conversation.
        ours = _NOT_IN_AN_ID.sub("_", said) or f"call_{self._calls}"
        while ours in self._open:
            ours = f"{ours}_{self._calls}"
        self._open.add(said, ours)
        arguments = function.get("arguments")
        value = arguments if isinstance(arguments, dict) else parsed(str(arguments or ""))
        return {"type": "tool_use", "id": ours, "name": self._names.of(function.get("name")), "input": value}

    def _result(self, message: Mapping[str, Any]) -> None:
        said, content = string(message.get("tool_call_id")), self._blocks(message.get("content"))
        if not said and self._open:
            said = self._open.oldest()[0][0]
        ours = self._open.answered(said)
        if ours is None:
            self._losses.add("messages.tool", "answers no call of the turn before; sent as text")
            self._add("user", [_text("[result of a tool call that is not in the conversation]"), *content])
            return
        block: Block = {"type": "tool_result", "tool_use_id": ours}
        self._add_result({**block, "content": content} if content else block)

    def _close(self, calls: int) -> None:
        """No result comes any more for that many of the calls, the oldest."""
        for theirs, _ in self._open.oldest(calls):
            ours = self._open.answered(theirs)
            self._losses.add("messages.tool_calls", "a call without its result was given one that says so")
            block: Block = {"type": "tool_result", "tool_use_id": ours, "content": [_text(_NO_RESULT)]}
            self._add_result({**block, "is_error": True})

    def _blocks(self, content: Any) -> list[Block]:
        """A message's content as blocks; text that is only white space is none."""
        if isinstance(content, str):
            return [_text(content)] if content.strip() else []
        if not isinstance(content, list):
            return []
        return [block for part in content if isinstance(part, dict) for block in self._part(part)]

    def _part(self, part: dict[str, Any]) -> list[Block]:
        text = part.get("text", part.get("refusal"))
        block = _text(text) if isinstance(text, str) else self._media(part)
        if block is None:
            kind = part.get("type")
            self._losses.add(f"messages.{kind}", "has no form in Messages")
            block = _text(f"[{kind} left out: it cannot be shown to this model]")
        if block["type"] == "text" and not block["text"].strip():
            return []
        if isinstance(cache := part.get("cache_control"), dict):
            block["cache_control"] = cache
        return [block]

    def _media(self, part: dict[str, Any]) -> Block | None:
        if part.get("type") == "file":
            return images.to_document(part)
        if table(part.get("image_url")).get("detail") not in (None, "auto"):
            self._losses.add("messages.image_url.detail", "has no form in Messages")
        return images.to_block(part)


def _text(text: str) -> Block:
    return {"type": "text", "text": text}
