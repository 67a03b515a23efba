"""A model server on loopback that plays a script."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from coderouter_core.testing.frames import dump
from coderouter_core.testing.listener import Listener
from coderouter_core.testing.loop import LoopThread
from coderouter_core.testing.peer import Peer, Received
from coderouter_core.testing.play import play
from coderouter_core.testing.sender import Sender
from coderouter_core.testing.speech import CHAT, MESSAGES, Speech, models, speech_at
from coderouter_core.testing.steps import Depends, Refuse, Step, Steps, read_steps


class Upstream:
    """A real HTTP server on 127.0.0.1 that speaks both wires and does as its script says.

    Every POST that asks for an answer (``…/chat/completions``, ``…/messages``, ``…/embeddings``,
    ``…/completions``) takes the next step; the last step repeats. ``…/models`` and ``…/count_tokens`` are
    answered without the script. `calls` are the requests for an answer, `others` the rest. What stands
    before these paths is not looked at, so `url` may be used with any prefix. `port` 0 is any free one.

    Use it in a ``with`` statement, or call `start` and `close`.
    """

    def __init__(self, script: Steps = "ok", port: int = 0) -> None:
        self._port = port
        self.calls: list[Received] = []
        self.others: list[Received] = []
        self._steps = read_steps(script)
        self._taken = 0
        self._came = threading.Condition()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> Self:
        """Listen, unless the first step is `Refuse`."""
        self._listener = Listener(self._serve, self._port)
        self._loop = LoopThread("upstream")
        self._loop.run(self._follow())
        return self

    def close(self) -> None:
        """Stop listening, drop every connection. Twice is once."""
        if self._loop.alive:
            self._loop.call(self._listener.close)
            self._loop.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.port}"

    @property
    def connections(self) -> int:
        """How many connections were accepted."""
        return self._listener.connections

    def play(self, script: Steps) -> None:
        """Start another script, from its first step."""
        self._loop.run(self._play(read_steps(script)))

    def refuse(self) -> None:
        """Refuse connections from now on, and drop the idle ones."""
        self._loop.call(self._listener.shut)

    def accept(self) -> None:
        """Take connections again; a `Refuse` step that was reached is over."""
        self._loop.run(self._accept())

    def wait_calls(self, count: int, timeout_s: float = 5.0) -> bool:
        """Wait until `count` requests for an answer have come; False when they have not in time."""
        with self._came:
            return self._came.wait_for(lambda: len(self.calls) >= count, timeout_s)

    @property
    def _step(self) -> Step:
        return self._steps[min(self._taken, len(self._steps) - 1)]

    async def _play(self, steps: tuple[Step, ...]) -> None:
        self._steps, self._taken = steps, 0
        await self._follow()

    async def _accept(self) -> None:
        if isinstance(self._step, Refuse):
            self._taken += 1
        await self._listener.open()

    async def _follow(self) -> None:
        """Be open or shut, as the next step wants it."""
        if isinstance(self._step, Refuse):
            self._listener.shut()
        else:
            await self._listener.open()

    async def _serve(self, peer: Peer) -> None:
        while (received := await peer.request()) is not None:
            peer.current = received
            path = received.path.partition("?")[0].rstrip("/")
            speech = speech_at(path) if received.method == "POST" else None
            complete = await (
                self._answer(peer, received, speech) if speech else self._other(peer, received, path)
            )
            peer.current = None
            if not complete or received.headers.get("connection") == "close":
                return

    async def _answer(self, peer: Peer, received: Received, speech: Speech) -> bool:
        step = self._step
        while isinstance(step, Depends):
            (step,) = read_steps(step.on(received.body))
        received.step = step
        self._taken += 1
        number = len(self.calls) + 1
        with self._came:
            self.calls.append(received)
            self._came.notify_all()
        await self._follow()
        sender = Sender(peer, received, speech, number)
        await play(step, sender)
        return sender.complete and not isinstance(self._step, Refuse)

    async def _other(self, peer: Peer, received: Received, path: str) -> bool:
        self.others.append(received)
        sender = Sender(peer, received, MESSAGES if "/messages" in path else CHAT, 0)
        if path.endswith("/models"):
            await sender.whole(200, dump(models()).encode())
        elif path.endswith("/count_tokens"):
            await sender.whole(200, dump({"input_tokens": max(1, len(received.raw) // 4)}).encode())
        else:
            what = f"nothing is served at {received.method} {path or '/'}"
            await sender.whole(404, sender.error_body("not_found_error", what))
        return sender.complete
