"""What the client asked, and the facts that can be read from it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Any

from attrs import define, field

from coderouter_core.model.tokens import estimate_tokens

#: A fact may hold the event loop this long before it lets others run.
SLICE_S = 0.005

IMAGE_TYPES = frozenset({"image", "image_url", "input_image"})
SESSION_HEADERS = (
    "x-claude-code-session-id",
    "x-session-id",
    "session-id",
    "session_id",
    "x-session-affinity",
)


class Dialect(StrEnum):
    """A wire protocol: Anthropic Messages, OpenAI Chat Completions, OpenAI Responses."""

    MESSAGES = "messages"
    CHAT = "chat"
    RESPONSES = "responses"


class Operation(StrEnum):
    """What is asked of a provider."""

    GENERATE = "generate"
    EMBED = "embed"
    COMPLETE = "complete"


@define(eq=False)
class Request:
    """What the client asked: the body as it came and decoded, its dialect, its id.

    `headers` have lower-case names and no credentials. Nothing of a request is changed after it
    was made; what is computed from it is computed once, when somebody asks.
    """

    id: str
    dialect: Dialect
    body: Mapping[str, Any] = field(repr=False)
    raw: bytes = field(repr=False)
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    operation: Operation = Operation.GENERATE
    client_key: str | None = None
    _prepared: dict[str, Any] = field(factory=dict, init=False, repr=False)

    @cached_property
    def stream(self) -> bool:
        return self.body.get("stream") is True

    @cached_property
    def model(self) -> str:
        """The model id the client sent; empty when it sent none."""
        value = self.body.get("model")
        return value if isinstance(value, str) else ""

    @cached_property
    def turns(self) -> list[Mapping[str, Any]]:
        """The conversation, oldest first: the dialect's own message objects."""
        value = self.body.get("input" if self.dialect is Dialect.RESPONSES else "messages")
        if isinstance(value, str):
            return [{"role": "user", "content": value}]
        return [turn for turn in value if isinstance(turn, dict)] if isinstance(value, list) else []

    @cached_property
    def latest_user_text(self) -> str:
        """What a human last wrote; tool results do not count. Pieces are joined by newlines."""
        for turn in reversed(self.turns):
            if turn.get("role") == "user":
                texts = [
                    block["text"]
                    for block in blocks(turn.get("content"))
                    if isinstance(block.get("text"), str) and block.get("type") != "tool_result"
                ]
                if texts:
                    return "\n".join(texts)
        return ""

    @cached_property
    def has_image(self) -> bool:
        """Whether what came after the assistant's last turn holds an image, tool results included."""
        for turn in reversed(self.turns):
            if turn.get("role") == "assistant":
                return False
            if any(_holds_image(block) for block in blocks(turn.get("content"))):
                return True
        return False

    @cached_property
    def has_tools(self) -> bool:
        """Whether the request declares tools (or legacy functions)."""
        return any(
            isinstance(self.body.get(key), list) and bool(self.body[key]) for key in ("tools", "functions")
        )

    @cached_property
    def session_id(self) -> str | None:
        """The client's own id of the conversation, where it sends one."""
        for name in SESSION_HEADERS:
            if value := self.headers.get(name):
                return value[:200]
        return None

    @property
    def tokens(self) -> int:
        """Estimated tokens of the whole prompt: system, turns, tool definitions, calls and results."""
        if "tokens" not in self._prepared:
            self._prepared["tokens"] = sum(estimate_tokens(text) for text in self._texts())
        return int(self._prepared["tokens"])

    def signals(self) -> dict[str, Any]:
        """Facts for events: those that are cheap, and those that somebody had computed. Never text."""
        known: dict[str, Any] = {
            "has_image": self.has_image,
            "has_tools": self.has_tools,
            "model": self.model[:200],
        }
        if "tokens" in self._prepared:
            known["estimated_tokens"] = self._prepared["tokens"]
        return known

    async def prepare(self, names: Iterable[str]) -> None:
        """Compute facts that may take more than a millisecond, in slices of at most `SLICE_S`."""
        for name in names:
            if name not in self._prepared and (computed := _PREPARED.get(name)):
                self._prepared[name] = await computed(self)

    def _texts(self) -> Iterator[str]:
        """Every piece of text that becomes part of the prompt; an image counts as a fixed-size text."""
        yield from _texts(self.body.get("system"))
        yield from _texts(self.body.get("instructions"))
        for turn in self.turns:
            yield "\n\n\n"
            yield from _texts({key: value for key, value in turn.items() if key != "role"})
        for key in ("tools", "functions"):
            yield from _texts(self.body.get(key))


async def _tokens_in_slices(request: Request) -> int:
    total, since = 0, time.perf_counter()
    for text in request._texts():
        for at in range(0, len(text), 50_000):
            total += estimate_tokens(text[at : at + 50_000])
            if time.perf_counter() - since > SLICE_S:
                await asyncio.sleep(0)
                since = time.perf_counter()
    return total


_PREPARED: dict[str, Callable[[Request], Any]] = {"tokens": _tokens_in_slices}

#: About what a 1,092 × 1,092 image costs (https://docs.claude.com/en/docs/build-with-claude/vision, width × height / 750).
_IMAGE_TEXT = "image " * 1_500


def blocks(content: Any) -> Iterator[Mapping[str, Any]]:
    """The blocks of a message's content; a string is one text block."""
    if isinstance(content, str):
        yield {"type": "text", "text": content}
    elif isinstance(content, list):
        for block in content:
            if isinstance(block, dict):
                yield block


def _holds_image(block: Mapping[str, Any]) -> bool:
    kind = block.get("type")
    if kind in IMAGE_TYPES:
        return True
    return kind == "tool_result" and any(_holds_image(inner) for inner in blocks(block.get("content")))


def _texts(value: Any) -> Iterator[str]:
    """All strings below `value`, keys of tool schemas included, binary payloads excluded."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        if value.get("type") in IMAGE_TYPES:
            yield _IMAGE_TEXT
            return
        for key, item in value.items():
            if key in ("type", "cache_control", "signature", "media_type"):
                continue
            yield key
            yield from _texts(item)
    elif value is not None:
        yield str(value)
