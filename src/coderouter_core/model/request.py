"""What the client asked, and the facts that can be read from it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeVar

from attrs import define, field

from coderouter_core.model.images import IMAGE_TYPES as IMAGE_TYPES
from coderouter_core.model.items import declares_tools, held, is_models, marks_cache
from coderouter_core.model.prompt import PER_MESSAGE, Prompt, joined
from coderouter_core.model.tokens import ESTIMATE, Counting, PromptSize

T = TypeVar("T")

#: A fact may hold the event loop this long before it lets others run.
SLICE_S = 0.005
#: A step of a fact is far shorter than the other half.
_PAUSE_AFTER_S = SLICE_S / 2
#: Spans of a text that are looked at in one step.
_SPANS_A_STEP = 1_000

FENCE = "```"
#: The elements that agents add to a user's turn on their own: Claude Code, Codex.
_REMINDERS = (
    "system-reminder",
    "environment_context",
    "user_instructions",
    "turn_aborted",
    "subagent_notification",
)

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


def session_of(headers: Mapping[str, str]) -> str | None:
    """What the client calls its conversation, by headers with lower-case names."""
    for name in SESSION_HEADERS:
        if value := headers.get(name):
            return value[:200]
    return None


@define(eq=False)
class Request:
    """What the client asked: the body as it came and decoded, its dialect, its id.

    `headers` have lower-case names and no credentials. `compact`: `raw` is known to be what orjson writes for `body`.
    Nothing of a request is changed after it was made; what is computed from it is computed once, when somebody asks.
    """

    id: str
    dialect: Dialect
    body: Mapping[str, Any] = field(repr=False)
    raw: bytes = field(repr=False)
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    operation: Operation = Operation.GENERATE
    client_key: str | None = None
    compact: bool = False
    #: Facts that everybody asks for: a body that is streamed, the model id that the client sent (empty when it sent
    #: none), and the client's own id of the conversation, where it sends one.
    stream: bool = field(init=False)
    model: str = field(init=False)
    session_id: str | None = field(init=False)
    _counting: Counting = field(default=ESTIMATE, init=False, repr=False)
    _facts: dict[str, Any] = field(factory=dict, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.stream = self.body.get("stream") is True and self.operation is not Operation.EMBED
        model = self.body.get("model")
        self.model = model if isinstance(model, str) else ""
        self.session_id = session_of(self.headers)

    @cached_property
    def turns(self) -> list[Mapping[str, Any]]:
        """The conversation, oldest first: the dialect's own message objects. What is to be embedded or completed
        stands as one turn of the user's."""
        if self.operation is not Operation.GENERATE:
            return [{"role": "user", "content": list(given_texts(self.body, self.operation))}]
        value = self.body.get("input" if self.dialect is Dialect.RESPONSES else "messages")
        if isinstance(value, str):
            return [{"role": "user", "content": value}]
        return [turn for turn in value if isinstance(turn, dict)] if isinstance(value, list) else []

    @cached_property
    def latest_user_text(self) -> str:
        """What a human last wrote; neither tool results count nor reminders that an agent adds. Pieces are joined
        by newlines."""
        text = next((text for turn in reversed(self.turns) if (text := _written(turn))), "")
        self._facts["content_len"] = len(text)
        return text

    @property
    def code_fence_ratio(self) -> float:
        """How much of the latest human text stands in closed fences of three backticks, fences included: 0.0 to
        1.0. May take milliseconds on a large text unless it was prepared."""
        return float(self._fact("code_fence_ratio"))

    @cached_property
    def has_image(self) -> bool:
        """Whether what came after the assistant's last turn holds an image, tool results included."""
        for turn in reversed(self.turns):
            if is_models(turn):
                return False
            if any(_holds_image(block) for block in blocks(held(turn))):
                return True
        return False

    @cached_property
    def holds_image(self) -> bool:
        """Whether any turn holds an image, tool results included."""
        return any(_holds_image(block) for turn in self.turns for block in blocks(turn.get("content")))

    @cached_property
    def marks_cache(self) -> bool:
        """Whether the client says where a prompt cache may end, by a ``cache_control``."""
        return marks_cache(self.body, self.turns)

    @cached_property
    def has_tools(self) -> bool:
        """Whether the request declares tools (or legacy functions)."""
        if any(
            isinstance(self.body.get(key), list) and bool(self.body[key]) for key in ("tools", "functions")
        ):
            return True
        return self.dialect is Dialect.RESPONSES and any(declares_tools(turn) for turn in self.turns)

    @property
    def tokens(self) -> int:
        """About the tokens of the whole prompt: system, turns, tool definitions, calls and results, thinking, images,
        files. May take milliseconds on a large prompt unless it was prepared."""
        size: PromptSize = self._fact("tokens")
        return round(size.text * self._counting.factor) + size.media

    @property
    def counted(self) -> bool:
        """Whether a tokenizer tells `tokens`, rather than an estimate."""
        size: PromptSize = self._fact("tokens")
        return size.exact

    @property
    def prompt_size(self) -> PromptSize | None:
        """What `tokens` is made of, when somebody had it computed."""
        return self._facts.get("tokens")

    def once(self, name: str, make: Callable[[Request], T]) -> T:
        """What `make` says of this request: computed when somebody first asks for it by `name`, then kept."""
        if name not in self._facts:
            self._facts[name] = make(self)
        return self._facts[name]  # type: ignore[no-any-return]

    def count_with(self, counting: Counting) -> None:
        """Tell tokens this way from now on. Routing says so, before anybody asks for `tokens`."""
        if counting.count != self._counting.count:
            self._facts.pop("tokens", None)
        self._counting = counting

    def signals(self) -> dict[str, Any]:
        """Facts for events: those that are cheap, and those that somebody had computed. Never text."""
        known: dict[str, Any] = {
            "has_image": self.has_image,
            "has_tools": self.has_tools,
            "model": self.model[:200],
        }
        if "content_len" in self._facts:
            known["content_len"] = self._facts["content_len"]
        if "code_fence_ratio" in self._facts:
            known["code_fence_ratio"] = round(self.code_fence_ratio, 3)
        if "tokens" in self._facts:
            known["estimated_tokens"] = self.tokens
        return known

    async def prepare(self, names: Iterable[str]) -> None:
        """Compute facts that may take more than a millisecond, in slices of at most `SLICE_S`.

        Tokens are counted when the vocabulary is there, if one is installed: the first prompt that needs the count
        waits for it, so that what is decided by the count is decided alike before and after.
        """
        for name in names:
            if name not in self._facts and (steps := _STEPS.get(name)):
                if name == "tokens" and self._counting.tokenizer is not None:
                    await self._counting.tokenizer.load()
                self._facts[name] = await _paced(steps(self))

    def _fact(self, name: str) -> Any:
        if name not in self._facts:
            self._facts[name] = _at_once(_STEPS[name](self))
        return self._facts[name]


Steps = Generator[None, None, T]


async def _paced(steps: Steps[T]) -> T:
    since = time.perf_counter()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        if time.perf_counter() - since > _PAUSE_AFTER_S:
            await asyncio.sleep(0)
            since = time.perf_counter()


def _at_once(steps: Steps[T]) -> T:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def _prompt_size(request: Request) -> Steps[PromptSize]:
    prompt = Prompt(request.body, request.turns)
    count, tokenizer, text = request._counting.count, request._counting.tokenizer, 0
    exact = tokenizer is not None and tokenizer.exact
    for piece in joined(prompt.texts()):
        text += count(piece)
        yield
    if request.operation is not Operation.GENERATE:
        # No chat template is put round it, and what came as tokens needs no counting.
        return PromptSize(text, given_tokens(request.body, request.operation), exact)
    return PromptSize(text + PER_MESSAGE * prompt.messages, prompt.media, exact)


def _given(body: Mapping[str, Any], operation: Operation) -> list[Any]:
    """The texts to embed or to complete: strings, token numbers, lists of token numbers."""
    value = body.get("input" if operation is Operation.EMBED else "prompt")
    return value if isinstance(value, list) else [value]


def given_texts(body: Mapping[str, Any], operation: Operation) -> Iterator[Mapping[str, Any]]:
    """Those that came as text, each as a block of text."""
    for item in _given(body, operation):
        if isinstance(item, str):
            yield {"type": "text", "text": item}


def given_tokens(body: Mapping[str, Any], operation: Operation) -> int:
    """How many tokens came as numbers."""
    given = _given(body, operation)
    return sum(len(item) if isinstance(item, list) else isinstance(item, int) for item in given)


def _code_fence_ratio(request: Request) -> Steps[float]:
    text = request.latest_user_text
    fenced = at = spans = 0
    while (opened := text.find(FENCE, at)) >= 0 and (closed := text.find(FENCE, opened + len(FENCE))) >= 0:
        at = closed + len(FENCE)
        fenced += at - opened
        spans += 1
        if spans % _SPANS_A_STEP == 0:
            yield
    return fenced / len(text) if text else 0.0


_STEPS: Mapping[str, Callable[[Request], Steps[Any]]] = {
    "tokens": _prompt_size,
    "code_fence_ratio": _code_fence_ratio,
}


def _written(turn: Mapping[str, Any]) -> str:
    """What a human wrote in `turn`; empty where nobody did."""
    if turn.get("role") != "user":
        return ""
    said = (block.get("text") for block in blocks(turn.get("content")) if block.get("type") != "tool_result")
    return "\n".join(text for text in said if isinstance(text, str) and not _is_reminder(text))


def _is_reminder(text: str) -> bool:
    start, end = text[:64].lstrip(), text[-64:].rstrip()
    return any(start.startswith(f"<{name}>") and end.endswith(f"</{name}>") for name in _REMINDERS)


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
    if isinstance(kind, str) and kind in IMAGE_TYPES:
        return True
    return kind == "tool_result" and any(_holds_image(inner) for inner in blocks(block.get("content")))
