"""The gateway under test: ask it as a client of each dialect does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
from attrs import define, field

from coderouter_core.cli.conformance.check import NEEDS_UPSTREAM, Failed, Skipped, expect
from coderouter_core.cli.conformance.heard import Heard, Said
from coderouter_core.model import Dialect
from coderouter_core.testing import Reply, Steps, Upstream

PATHS = {
    Dialect.MESSAGES: "/v1/messages",
    Dialect.CHAT: "/v1/chat/completions",
    Dialect.RESPONSES: "/v1/responses",
}
VERSION = {"anthropic-version": "2023-06-01"}
HELLO = "Say hello in one short sentence."
#: What the scripted upstream says where a check does not care.
GREETING = Reply("Hello there, nice to meet you.", usage=(21, 9))
MOST_TOKENS = 64
#: No answer to a check is larger.
MOST_BYTES = 16 * 1024 * 1024

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL_NAME = "get_weather"
_ABOUT = {"name": TOOL_NAME, "description": "Tell the weather of a city."}
#: The tool, and how a client insists on it.
TOOLS: Mapping[Dialect, Mapping[str, Any]] = {
    Dialect.MESSAGES: {
        "tools": [{**_ABOUT, "input_schema": SCHEMA}],
        "tool_choice": {"type": "tool", "name": TOOL_NAME},
    },
    Dialect.CHAT: {
        "tools": [{"type": "function", "function": {**_ABOUT, "parameters": SCHEMA}}],
        "tool_choice": {"type": "function", "function": {"name": TOOL_NAME}},
    },
    Dialect.RESPONSES: {
        "tools": [{"type": "function", **_ABOUT, "parameters": SCHEMA}],
        "tool_choice": {"type": "function", "name": TOOL_NAME},
    },
}


def usage_of_streams(dialect: Dialect) -> Mapping[str, Any]:
    """What must be asked for, for a stream to tell its usage."""
    return {"stream_options": {"include_usage": True}} if dialect is Dialect.CHAT else {}


@define(eq=False)
class Gateway:
    """`url` is its root. `model` is asked for, `key` is sent where there is one. `upstream` is the scripted one that
    a provider of the gateway points at, and is silent for `silence_s` seconds where a check is about that. An answer may
    take `timeout_s` seconds in all."""

    url: str
    model: str = ""
    key: str | None = None
    timeout_s: float = 60.0
    upstream: Upstream | None = None
    silence_s: float | None = None
    client: httpx.Client = field(init=False)

    def __attrs_post_init__(self) -> None:
        # Neither proxies nor credentials of the environment: what is measured is the gateway.
        self.client = httpx.Client(base_url=self.url, timeout=self.timeout_s, trust_env=False)

    # ---- the upstream

    def play(self, script: Steps) -> None:
        """What the scripted upstream does next, where there is one: a real model does as it likes."""
        if self.upstream is not None:
            self.upstream.play(script)

    @property
    def behind(self) -> Upstream:
        """The scripted upstream, for checks that look at what it was sent."""
        if self.upstream is None:
            raise Skipped(NEEDS_UPSTREAM)
        return self.upstream

    # ---- asking

    def question(
        self, dialect: Dialect, said: str = HELLO, *, stream: bool = False, **more: Any
    ) -> dict[str, Any]:
        """The smallest body that asks, and `more` fields; one that is None is left out."""
        turns = [{"role": "user", "content": said}]
        asked: dict[str, Any] = {"model": self.model, "stream": stream}
        if dialect is Dialect.RESPONSES:
            asked |= {"input": said, "max_output_tokens": MOST_TOKENS}
        else:
            asked |= {"messages": turns, "max_tokens": MOST_TOKENS}
        return {key: value for key, value in {**asked, **more}.items() if value is not None}

    def ask(self, dialect: Dialect, said: str = HELLO, *, stream: bool = False, **more: Any) -> Heard:
        """Ask for an answer, whatever comes. Skips where the gateway lacks the dialect."""
        heard = self.post(dialect, PATHS[dialect], self.question(dialect, said, stream=stream, **more))
        if dialect is Dialect.RESPONSES and heard.status in (404, 405, 501):
            raise Skipped(f"the gateway has no {PATHS[dialect]} (it answered {heard.status})")
        return heard

    def answer(self, dialect: Dialect, said: str = HELLO, *, stream: bool = False, **more: Any) -> Heard:
        """As `ask`; anything but an answer is a failure."""
        heard = self.ask(dialect, said, stream=stream, **more)
        expect(heard.status == 200, f"answered {heard.status}: {heard.words}")
        kind = heard.headers.get("content-type", "no content-type")
        expect(heard.streamed == stream, f"answered with {kind}")
        return heard

    def says(self, dialect: Dialect, said: str = HELLO, *, stream: bool = False, **more: Any) -> Said:
        """What an answer says."""
        return self.answer(dialect, said, stream=stream, **more).said

    def post(
        self,
        dialect: Dialect,
        path: str,
        body: Any,
        headers: Mapping[str, str] | None = None,
    ) -> Heard:
        """POST; `body` is bytes, or becomes JSON."""
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        sent = {"content-type": "application/json", **self._credentials(dialect), **(headers or {})}
        return self.send("POST", path, raw, sent, dialect)

    def get(self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Heard:
        return self.send(method, path, b"", {**self._credentials(Dialect.CHAT), **(headers or {})})

    def send(
        self,
        method: str,
        path: str,
        raw: bytes,
        headers: Mapping[str, str],
        dialect: Dialect = Dialect.CHAT,
    ) -> Heard:
        """One exchange, bounded in time and size."""
        until = time.monotonic() + self.timeout_s
        with self._told(), self.client.stream(method, path, content=raw, headers=dict(headers)) as response:
            body = bytearray()
            for piece in response.iter_bytes():
                body += piece
                expect(len(body) <= MOST_BYTES, f"the answer has more than {MOST_BYTES >> 20} MiB")
                expect(time.monotonic() < until, f"the answer did not end within {self.timeout_s:g} s")
            return Heard(dialect, response.status_code, dict(response.headers), bytes(body))

    @contextmanager
    def left(self, dialect: Dialect) -> Iterator[httpx.Response]:
        """A streamed answer that is left where the block ends."""
        raw = orjson.dumps(self.question(dialect, stream=True))
        sent = {"content-type": "application/json", **self._credentials(dialect)}
        with (
            self._told(),
            httpx.Client(base_url=self.url, timeout=self.timeout_s, trust_env=False) as client,
            client.stream("POST", PATHS[dialect], content=raw, headers=sent) as response,
        ):
            yield response

    def hang_up(self, dialect: Dialect, once: Callable[[], object]) -> None:
        """Ask for a stream, and leave as soon as `once` returns, without having read anything."""
        parts = urlsplit(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        raw = orjson.dumps(self.question(dialect, stream=True))
        sent = {"content-type": "application/json", **self._credentials(dialect)}
        connection = kind(parts.netloc, timeout=self.timeout_s)
        try:
            connection.request("POST", parts.path + PATHS[dialect], raw, sent)
            once()
        except (OSError, HTTPException) as error:
            raise Failed(f"the connection broke: {error or type(error).__name__}") from None
        finally:
            connection.close()

    def default_model(self) -> str | None:
        """The first model that the gateway lists."""
        heard = self.get("/v1/models")
        try:
            return str(heard.body["data"][0]["id"])
        except (Failed, KeyError, IndexError, TypeError):
            return None

    def close(self) -> None:
        self.client.close()

    def reach(self) -> None:
        """Raises `httpx.HTTPError` where nobody answers at all."""
        self.client.head("/")

    def _credentials(self, dialect: Dialect) -> dict[str, str]:
        native = VERSION if dialect is Dialect.MESSAGES else {}
        if self.key is None:
            return dict(native)
        if dialect is Dialect.MESSAGES:
            return {**native, "x-api-key": self.key}
        return {"authorization": f"Bearer {self.key}"}

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException:
            raise Failed(f"silent for {self.timeout_s:g} s") from None
        except httpx.HTTPError as error:
            raise Failed(f"the connection broke: {error or type(error).__name__}") from None
