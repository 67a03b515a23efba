"""A router served on loopback, and asked over real HTTP."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import httpx

from coderouter_core.events import Event
from coderouter_core.model import Attempt, Dialect
from coderouter_core.router import CodeRouter
from coderouter_core.testing.asked import Asked, read_stream, read_text
from coderouter_core.testing.checked import PATHS, UNCHECKED, CheckedTransport
from coderouter_core.testing.loop import PATIENCE_S, LoopThread, fast_loop
from coderouter_core.testing.recorder import Recorder
from coderouter_core.testing.upstream import Upstream
from coderouter_core.web.serve import listen, serve


class Server:
    """Runs a router under the real server, in a thread."""

    def __init__(self, router: CodeRouter) -> None:
        self._socket = listen("127.0.0.1", 0)
        self.port: int = self._socket.getsockname()[1]
        self._loop = LoopThread("router", fast_loop)
        self._serving = self._loop.run(self._start(router))

    async def _start(self, router: CodeRouter) -> asyncio.Task[None]:
        self._stop = asyncio.Event()
        ready = asyncio.Event()
        serving = asyncio.create_task(
            serve(router, self._socket, stop=self._stop, signals=False, on_ready=ready.set)
        )
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if serving.done():
            serving.result()
        return serving

    def close(self) -> None:
        """Stop as the command line does; what went wrong while serving is raised here."""
        try:
            self._loop.run(self._finish())
        finally:
            self._loop.close()
            # The server has closed the descriptor, whose number may be somebody else's by now.
            self._socket.detach()

    async def _finish(self) -> None:
        self._stop.set()
        await asyncio.wait_for(self._serving, PATIENCE_S)


class ServedRouter:
    """What `make_router` gives. It closes itself when nobody holds it any more; ``with`` and `close` are sooner.

    `url` is its root. `upstreams` are the scripted ones by provider, `events` and `attempts` everything
    that was told and tried so far, `core` the router itself.
    """

    def __init__(self, core: CodeRouter, upstreams: Mapping[str, Upstream], recorder: Recorder) -> None:
        self.core = core
        self.upstreams = upstreams
        self._recorder = recorder
        stack = ExitStack()
        for upstream in upstreams.values():
            stack.callback(upstream.close)
        server = Server(core)
        stack.callback(server.close)
        self.url = f"http://127.0.0.1:{server.port}"
        transport = CheckedTransport(httpx.HTTPTransport(verify=False))
        client = httpx.Client(base_url=self.url, timeout=PATIENCE_S, transport=transport)
        self.client = stack.enter_context(client)
        self.close = weakref.finalize(self, stack.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if error is None:
            self.check_events()

    @property
    def events(self) -> list[Event]:
        return list(self._recorder.events)

    @property
    def attempts(self) -> list[Attempt]:
        return list(self._recorder.attempts)

    def check_events(self) -> None:
        """Raise `AssertionError` when an event came with other fields than the catalogue lists."""
        if mistakes := self.core.events.mistakes:
            raise AssertionError("\n".join(dict.fromkeys(mistakes)))

    def wait_event(self, name: str, timeout_s: float = 5.0) -> bool:
        """Wait until an event of this name has come; False when it has not in time."""
        return self._recorder.wait_event(name, timeout_s)

    def ask(
        self,
        said: str | Sequence[Mapping[str, Any]] = "hi",
        *,
        stream: bool = False,
        dialect: str = Dialect.MESSAGES,
        headers: Mapping[str, str] | None = None,
        checked: bool = True,
        **body: Any,
    ) -> Asked:
        """Ask as a client does, and wait until the request has ended on both sides.

        `said` is the user's text, or the whole list of messages; `body` adds fields or replaces them. A stream that a
        client could stumble over is an AssertionError, unless it is not to be `checked`: what a provider of the
        client's dialect sends is passed on as it is, right or wrong.
        """
        spoken = Dialect(dialect)
        asked = {**question(said, spoken, stream), **body}
        response = self.client.post(
            PATHS[spoken], json=asked, headers=headers, extensions={UNCHECKED: not checked}
        )
        identity = response.headers.get("x-request-id")
        if not self._recorder.wait_finished(identity):
            raise AssertionError(f"request {identity} was answered, and did not end in the router")
        self.check_events()
        streamed = response.headers.get("content-type", "").startswith("text/event-stream")
        answer = read_stream(response.content) if streamed else response.json()
        return Asked(
            status=response.status_code,
            headers=dict(response.headers),
            raw=response.content,
            body=answer,
            text=read_text(answer),
            events=self._recorder.events_of(identity),
            attempts=self._recorder.attempts_of(identity),
        )


def question(said: str | Sequence[Mapping[str, Any]], dialect: Dialect, stream: bool) -> dict[str, Any]:
    """The smallest body of a dialect that asks."""
    messages = [{"role": "user", "content": said}] if isinstance(said, str) else list(said)
    if dialect is Dialect.RESPONSES:
        return {"model": "any", "input": messages, "stream": stream}
    limit = {"max_tokens": 256} if dialect is Dialect.MESSAGES else {}
    return {"model": "any", "messages": messages, "stream": stream, **limit}
