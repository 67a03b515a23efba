"""The turns of a Messages request as those of a Chat Completions request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from coderouter_core.wire.bodies import images
from coderouter_core.wire.bodies.losses import Losses
from coderouter_core.wire.bodies.names import Names, fitting
from coderouter_core.wire.bodies.open_calls import OpenCalls
from coderouter_core.wire.lenient import string, table

Message = dict[str, Any]

_THINKING = frozenset({"thinking", "redacted_thinking"})
#: What an assistant turn may hold beside calls; anything else there is the work of Anthropic's servers.
_READABLE = frozenset({"text", "output_text", "input_text", "image", "document", "search_result"})


#: Blocks of a system turn that offer a tool or withdraw it, in words for a model.
_CHANGES = {"tool_addition": "available", "tool_removal": "not available"}
#: Fields of a system turn beside its content.
_SETTINGS = ("output_config", "clear_at")

#: OpenAI refuses longer ids of calls.
_LONGEST_ID = 40
_NO_RESULT = "[no result: this call was not answered]"


class TurnsToChat:
    """`reasoning` carries the thinking of earlier turns as ``reasoning_content``, which some servers insist on.

    Every call has its result right after it, and every result its call: what lacks the other is mended and told.
    """

    def __init__(self, losses: Losses, names: Names, *, reasoning: bool) -> None:
        self._losses = losses
        self._names = names
        self._reasoning = reasoning
        self._out: list[Message] = []
        #: Calls that wait, the results that came for those beside them, and where these belong: behind the calls,
        #: before whatever else was said since.
        self._open = OpenCalls()
        self._results: list[Message] = []
        self._at = 0
        self._copies: dict[str, int] = {}

    def of(self, turns: Iterable[Mapping[str, Any]]) -> list[Message]:
        """The messages. Turns that hold nothing are left out, unless nothing else would be left."""
        for turn in turns:
            role, content = turn.get("role"), _blocks(turn.get("content"))
            if role == "assistant":
                self._assistant(content)
            elif role == "system":
                self._system(turn, content)
            else:
                self._user(content)
        self._close()
        for message in self._out:
            if message["role"] == "assistant":
                # Not before: text that grows turn by turn is copied as often as there are turns.
                message["content"] = _joined(message["content"]) or None
                if "reasoning_content" in message:
                    message["reasoning_content"] = _joined(message["reasoning_content"])
        return self._out or [{"role": "user", "content": ""}]

    def _system(self, turn: Mapping[str, Any], content: list[dict[str, Any]]) -> None:
        """A system turn amid the conversation stays where it stands."""
        for key in _SETTINGS:
            if turn.get(key):
                self._losses.add(f"messages.{key}", "has no form in a system turn of chat completions")
        text = _joined([text for block in content for text in self._texts(block)])
        self._out += [{"role": "system", "content": text}] if text else []

    def _assistant(self, content: list[dict[str, Any]]) -> None:
        texts: list[str] = []
        thoughts: list[str] = []
        uses: list[dict[str, Any]] = []
        for block in content:
            kind = block.get("type")
            if kind == "tool_use":
                uses.append(block)
            elif kind in _THINKING:
                thoughts.append(self._thought(block))
            elif kind in _READABLE:
                texts += self._texts(block)
            else:
                self._losses.add(f"messages.{kind}", "has no form in an assistant turn of chat completions")
        if not (text := _joined(texts)) and not uses:
            if self._reasoning and thoughts:
                self._losses.add("messages.thinking", "a turn of nothing but thinking has no form")
            return
        if self._open and not self._results and self._out[-1]["role"] == "assistant":
            # Two turns of calls in a row are one: their results come together.
            message = self._out[-1]
        else:
            self._close()
            message = {"role": "assistant", "content": []}
            self._out.append(message)
        message["content"].append(text)
        if uses:
            message.setdefault("tool_calls", []).extend(map(self._call, uses))
        if self._reasoning and ((thought := _joined(thoughts)) or uses):
            message.setdefault("reasoning_content", []).append(thought)
        self._at = len(self._out)

    def _thought(self, block: dict[str, Any]) -> str:
        if not self._reasoning:
            self._losses.add(f"messages.{block['type']}", "thinking of earlier turns is not taken back")
        elif block["type"] == "redacted_thinking":
            self._losses.add("messages.redacted_thinking", "can be read by Anthropic's servers only")
        return string(block.get("thinking"))

    def _call(self, block: dict[str, Any]) -> dict[str, Any]:
        identity = string(block.get("id"))
        ours = fitting(identity, _LONGEST_ID) if identity else f"call_{len(self._out)}"
        if ours in self._open:
            ours = self._copy(ours[:32])
        self._open.add(identity, ours)
        arguments = orjson.dumps(block.get("input") or {}).decode()
        function = {"name": self._names.of(block.get("name")), "arguments": arguments}
        return {"id": ours, "type": "function", "function": function}

    def _copy(self, base: str) -> str:
        """An id like `base` that no waiting call has."""
        number = self._copies.get(base, 0)
        while f"{base}_{number}" in self._open:
            number += 1
        self._copies[base] = number + 1
        return f"{base}_{number}"

    def _user(self, content: list[dict[str, Any]]) -> None:
        """Tool results as their own messages, and everything else of the turn behind them, in order."""
        parts: list[dict[str, Any]] = []
        moved: list[dict[str, Any]] = []
        for block in content:
            if block.get("type") != "tool_result":
                parts += self._parts(block)
            elif waiting := self._open.answered(string(block.get("tool_use_id"))):
                self._answer(waiting, self._result(block, waiting, moved))
            else:
                self._losses.add("messages.tool_result", "answers no call of the turn before; sent as text")
                text = self._result(block, string(block.get("tool_use_id")), parts)
                parts.append(_text(f"[result of a tool call that is not in the conversation]\n{text}"))
        self._out += _user_message([*moved, *parts])

    def _answer(self, identity: str, text: str) -> None:
        self._results.append({"role": "tool", "tool_call_id": identity, "content": text})

    def _close(self) -> None:
        """No result comes any more for the calls so far."""
        for _, identity in self._open.oldest(len(self._open)):
            self._losses.add("messages.tool_use", "a call without its result was given one that says so")
            self._answer(identity, _NO_RESULT)
        self._out[self._at : self._at] = self._results
        self._open, self._results, self._copies = OpenCalls(), [], {}

    def _result(self, block: dict[str, Any], identity: str, moved: list[dict[str, Any]]) -> str:
        """A tool's result, which is text here; its images follow in `moved`."""
        texts: list[str] = []
        for inner in _blocks(block.get("content")):
            for part in self._parts(inner):
                if part["type"] == "text":
                    texts.append(part["text"])
                else:
                    moved += [_text(f"[image from the result of tool call {identity}]"), part]
                    texts.append("[image: it follows in the next message]")
        text = _joined(texts)
        return f"Error: {text}" if block.get("is_error") else text

    def _texts(self, block: dict[str, Any]) -> list[str]:
        """A block where only text can stand."""
        parts: list[dict[str, Any]] = []
        for part in self._parts(block):
            parts += [part] if part["type"] == "text" else self._note("image", "only users may send images")
        return [part["text"] for part in parts]

    def _parts(self, block: dict[str, Any]) -> list[dict[str, Any]]:
        """A block as parts of a message. One that has no form there leaves a note for the model."""
        kind = block.get("type")
        if kind == "image":
            if part := images.to_part(block):
                return [part]
            return self._note("image", "an uploaded image is known to Anthropic's servers only")
        if kind == "tool_reference":
            return [_text(f"Tool {self._names.of(block.get('tool_name'))} is available now.")]
        if kind in _CHANGES and (name := changed_tool(block).get("name")):
            return [_text(f"Tool {self._names.of(name)} is {_CHANGES[kind]} from now on.")]
        if kind == "document":
            return self._document(block)
        if kind == "search_result":
            head = [str(block[key]) for key in ("title", "source") if block.get(key)]
            found = [text for inner in _blocks(block.get("content")) for text in self._texts(inner)]
            return [_text(_joined([*head, *found]))]
        if isinstance(text := block.get("text"), str):
            if block.get("citations"):
                self._losses.add("messages.citations", "has no form in chat completions")
            return [_text(text)]
        return self._note(str(kind), "has no form in chat completions")

    def _document(self, block: dict[str, Any]) -> list[dict[str, Any]]:
        source = table(block.get("source"))
        head = [str(block[key]) for key in ("title", "context") if block.get(key)]
        if table(block.get("citations")).get("enabled"):
            self._losses.add("messages.citations", "has no form in chat completions")
        if source.get("type") == "text" and isinstance(data := source.get("data"), str):
            return [_text(_joined([*head, data]))]
        if source.get("type") == "content":
            inner = [part for each in _blocks(source.get("content")) for part in self._parts(each)]
            return [*map(_text, head), *inner]
        return self._note("document", "only documents of plain text have a form in chat completions")

    def _note(self, kind: str, reason: str) -> list[dict[str, Any]]:
        self._losses.add(f"messages.{kind}", reason)
        return [_text(f"[{kind} left out: it cannot be shown to this model]")]


def changed_tool(block: Mapping[str, Any]) -> dict[str, Any]:
    """The tool of a block that offers one or withdraws it: its definition, or a reference to it by name."""
    tool = table(block.get("tool"))
    return table(tool.get("definition")) if tool.get("type") == "tool_definition" else tool


def _user_message(parts: list[dict[str, Any]]) -> list[Message]:
    """Text alone is one string, which every server takes; with images it stays in parts, in order."""
    parts = [part for part in parts if part["type"] != "text" or part["text"]]
    if not parts:
        return []
    if all(part["type"] == "text" for part in parts):
        return [{"role": "user", "content": _joined([part["text"] for part in parts])}]
    return [{"role": "user", "content": parts}]


def _blocks(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [_text(content)] if content else []
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _joined(texts: list[str]) -> str:
    return "\n".join(text for text in texts if text)
