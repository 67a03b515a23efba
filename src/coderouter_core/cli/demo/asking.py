"""Ask the router over HTTP as a client does, and measure what comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx
from attrs import define, field

from coderouter_core.errors import CodeRouterError
from coderouter_core.model import Dialect, StreamEvent, Usage
from coderouter_core.model.usage import NOTHING
from coderouter_core.wire import codec
from coderouter_core.wire.sse import Framer

PATHS = {Dialect.MESSAGES: "/v1/messages", Dialect.CHAT: "/v1/chat/completions"}
#: Seconds in which the first token must have come, and every later one.
PATIENCE_S = 180.0
#: Tokens an answer may have: a few lines.
MOST_TOKENS = 80


@define
class Told:
    """An answer so far. `first_s` and `last_s` are when text came, in seconds since it was asked for."""

    headers: Mapping[str, str] = field(factory=dict)
    text: str = ""
    usage: Usage = NOTHING
    first_s: float | None = None
    last_s: float = 0.0

    @property
    def tokens_per_s(self) -> float | None:
        """The speed of what came after the first token; None for an answer too short to have one."""
        if self.first_s is None or self.usage.output < 2 or self.last_s <= self.first_s:
            return None
        return (self.usage.output - 1) / (self.last_s - self.first_s)

    def take(self, event: StreamEvent, at_s: float) -> None:
        self.usage = self.usage.merge(event.usage)
        if event.kind == "delta" and event.block == "text" and event.text:
            self.first_s = at_s if self.first_s is None else self.first_s
            self.last_s = at_s
            self.text += event.text


def body_of(dialect: Dialect, question: str, most_tokens: int = MOST_TOKENS) -> dict[str, Any]:
    """A streamed request in `dialect`, always answered alike."""
    body: dict[str, Any] = {
        "model": "claude-sonnet-4-6" if dialect is Dialect.MESSAGES else "gpt-5",
        "max_tokens": most_tokens,
        "temperature": 0,
        "stream": True,
        "messages": [{"role": "user", "content": question}],
    }
    if dialect is Dialect.CHAT:
        body["stream_options"] = {"include_usage": True}
    return body


async def ask(
    url: str,
    dialect: Dialect,
    body: Mapping[str, Any],
    profile: str,
    on_text: Callable[[str], None] = lambda _: None,
) -> Told:
    """The answer of the router at `url`; `on_text` gets it as it grows. Raises `CodeRouterError` when it is an error."""
    told, reader, framer = Told(), codec(dialect).reader(), Framer()
    headers = {"x-coderouter-profile": profile, "authorization": "Bearer anything"}
    if dialect is Dialect.MESSAGES:
        headers["anthropic-version"] = "2023-06-01"
    # Proxies of the environment stay out: the router is on this machine.
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
        began = time.perf_counter()
        try:
            async with client.stream("POST", url + PATHS[dialect], json=body, headers=headers) as response:
                told.headers = response.headers
                if response.status_code != 200:
                    said = (await response.aread()).decode("utf-8", "replace")
                    raise CodeRouterError(f"the router answered {response.status_code}: {said[:500]}")
                async for piece in response.aiter_bytes():
                    for frame in framer.feed(piece):
                        for event in reader.read(frame):
                            if event.fault is not None:
                                raise CodeRouterError(f"the answer broke off: {event.fault.message}")
                            told.take(event, time.perf_counter() - began)
                    on_text(told.text)
        except httpx.HTTPError as error:
            raise CodeRouterError(f"no answer: {error or type(error).__name__}") from error
    return told
