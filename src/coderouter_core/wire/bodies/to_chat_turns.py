"""The turns of a Messages request as those of a Chat Completions request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from coderouter_core.wire.bodies import images
from coderouter_core.wire.bodies.losses import Losses
from coderouter_core.wire.lenient import table

Message = dict[str, Any]

_THINKING = frozenset({"thinking", "redacted_thinking"})
#: What an assistant turn may hold beside calls; anything else there is the work of Anthropic's servers.
_READABLE = frozenset({"text", "output_text", "input_text", "image", "document", "search_result"})


class TurnsToChat:
    """`reasoning` carries the thinking of earlier turns as ``reasoning_content``, which some servers insist on."""

    def __init__(self, losses: Losses, *, reasoning: bool) -> None:
        self._losses = losses
        self._reasoning = reasoning

    def of(self, turns: Iterable[Mapping[str, Any]]) -> list[Message]:
        """The messages. Turns that hold nothing are left out, unless nothing else would be left."""
        out: list[Message] = []
        for turn in turns:
            role, content = turn.get("role"), _blocks(turn.get("content"))
            if role == "assistant":
                out += self._assistant(content)
            elif role == "system":
                text = _joined([text for block in content for text in self._texts(block)])
                out += [{"role": "system", "content": text}] if text else []
            else:
                results, others = self._user(content)
                at = _after_calls(out)
                out[at:at] = results
                out += others
        return out or [{"role": "user", "content": ""}]

    def _assistant(self, content: list[dict[str, Any]]) -> list[Message]:
        message: Message = {"role": "assistant", "content": None}
        texts: list[str] = []
        thoughts: list[str] = []
        calls: list[dict[str, Any]] = []
        for block in content:
            kind = block.get("type")
            if kind == "tool_use":
                arguments = orjson.dumps(block.get("input") or {}).decode()
                function = {"name": block.get("name"), "arguments": arguments}
                calls.append({"id": block.get("id"), "type": "function", "function": function})
            elif kind in _THINKING:
                thoughts.append(str(block.get("thinking") or ""))
            elif kind in _READABLE:
                texts += self._texts(block)
            else:
                self._losses.add(f"messages.{kind}", "has no form in an assistant turn of chat completions")
        if text := _joined(texts):
            message["content"] = text
        if calls:
            message["tool_calls"] = calls
        if self._reasoning and (thought := _joined(thoughts)):
            message["reasoning_content"] = thought
        return [message] if text or calls else []

    def _user(self, content: list[dict[str, Any]]) -> tuple[list[Message], list[Message]]:
        """Tool results as their own messages, and everything else of the turn, in order."""
        results: list[Message] = []
        parts: list[dict[str, Any]] = []
        moved: list[dict[str, Any]] = []
        for block in content:
            if block.get("type") == "tool_result":
                results.append(self._result(block, moved))
            else:
                parts += self._parts(block)
        return results, _user_message([*moved, *parts])

    def _result(self, block: dict[str, Any], moved: list[dict[str, Any]]) -> Message:
        """A tool's result, which is text here; its images follow in `moved`."""
        identity = block.get("tool_use_id")
        texts: list[str] = []
        for inner in _blocks(block.get("content")):
            for part in self._parts(inner):
                if part["type"] == "text":
                    texts.append(part["text"])
                else:
                    moved += [_text(f"[image from the result of tool call {identity}]"), part]
                    texts.append("[image: it follows in the next message]")
        text = _joined(texts)
        if block.get("is_error"):
            text = f"Error: {text}"
        return {"role": "tool", "tool_call_id": identity, "content": text}

    def _texts(self, block: dict[str, Any]) -> list[str]:
        """A block where only text can stand."""
        if block.get("type") == "image":
            return [part["text"] for part in self._note("image", "only users may send images")]
        return [part["text"] for part in self._parts(block) if part["type"] == "text"]

    def _parts(self, block: dict[str, Any]) -> list[dict[str, Any]]:
        """A block as parts of a message. One that has no form there leaves a note for the model."""
        kind = block.get("type")
        if kind == "image":
            if part := images.to_part(block):
                return [part]
            return self._note("image", "an uploaded image is known to Anthropic's servers only")
        if kind == "tool_reference":
            return [_text(f"Tool {block.get('tool_name')} is available now.")]
        if kind == "document":
            return self._document(block)
        if kind == "search_result":
            head = [str(block[key]) for key in ("title", "source") if block.get(key)]
            found = [text for inner in _blocks(block.get("content")) for text in self._texts(inner)]
            return [_text(_joined([*head, *found]))]
        if isinstance(text := block.get("text"), str):
            return [_text(text)]
        return self._note(str(kind), "has no form in chat completions")

    def _document(self, block: dict[str, Any]) -> list[dict[str, Any]]:
        source = table(block.get("source"))
        head = [str(block[key]) for key in ("title", "context") if block.get(key)]
        if source.get("type") == "text" and isinstance(data := source.get("data"), str):
            return [_text(_joined([*head, data]))]
        if source.get("type") == "content":
            inner = [part for each in _blocks(source.get("content")) for part in self._parts(each)]
            return [*map(_text, head), *inner]
        return self._note("document", "only documents of plain text have a form in chat completions")

    def _note(self, kind: str, reason: str) -> list[dict[str, Any]]:
        self._losses.add(f"messages.{kind}", reason)
        return [_text(f"[{kind} left out: it cannot be shown to this model]")]


def _after_calls(messages: list[Message]) -> int:
    """Where results belong: right after the calls they answer, before system turns that came between."""
    at = len(messages)
    while at and messages[at - 1]["role"] == "system":
        at -= 1
    return at if at and messages[at - 1].get("tool_calls") else len(messages)


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
