"""Write one HTTP answer, whole or as a stream, in the speech of the path asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coderouter_core.testing.frames import Frame, dump
from coderouter_core.testing.peer import Peer, Received
from coderouter_core.testing.speech import Speech
from coderouter_core.testing.steps import Quirk, Reply

JSON = {"content-type": "application/json"}
EVENT_STREAM = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "transfer-encoding": "chunked",
}


class Sender:
    """Answers one request. `complete` says that the answer ended as HTTP wants it,
    so that another request may follow on the connection."""

    def __init__(self, peer: Peer, received: Received, speech: Speech, number: int) -> None:
        self.peer = peer
        self.complete = False
        self._speech = speech
        self._number = number
        self._method = received.method
        self._asked: Mapping[str, Any] = received.body if isinstance(received.body, dict) else {}

    @property
    def streamed(self) -> bool:
        return self._asked.get("stream") is True

    def body(self, reply: Reply) -> bytes:
        return dump(self._speech.body(reply, self._asked, self._number)).encode()

    def frames(self, reply: Reply) -> list[Frame]:
        return list(self._speech.frames(reply, self._asked, self._number))

    def error_body(self, kind: str, message: str) -> bytes:
        return dump(self._speech.error(kind, message)).encode()

    def error_frame(self, kind: str, message: str) -> Frame:
        return self._speech.error_frame(kind, message)

    @property
    def end_marks(self) -> tuple[Frame, ...]:
        """What ends a stream that says nothing else."""
        return self._speech.done

    async def whole(self, status: int, body: bytes, headers: Mapping[str, str] = JSON) -> None:
        """A whole answer, its length told."""
        await self.peer.head(status, {**headers, "content-length": str(len(body))})
        if self._method != "HEAD":
            await self.peer.write(body)
        self.complete = True

    async def part(self, body: bytes, told: int) -> None:
        """The first bytes of a whole answer of `told` bytes."""
        await self.peer.head(200, {**JSON, "content-length": str(told)})
        await self.peer.write(body)

    async def drip(self, data: bytes, delay_s: float) -> None:
        for byte in data:
            await self.peer.write(bytes([byte]))
            await self.peer.pause(delay_s)

    async def open_stream(self, reply: Reply) -> None:
        await self.peer.head(200, EVENT_STREAM)
        await self._wait(reply.head_delay_s, reply.ping_s)
        if Quirk.COMMENTS in reply.quirks:
            await self.chunk(b": PROCESSING\r\n\r\n" if Quirk.CRLF in reply.quirks else b": PROCESSING\n\n")

    async def events(self, frames: list[Frame], reply: Reply) -> None:
        for frame in frames:
            data = frame.encode(reply.quirks)
            if Quirk.SPLIT_BYTES in reply.quirks:
                await self._split(data)
            else:
                await self.chunk(data)
            await self._wait(reply.delay_s, reply.ping_s)

    async def end_stream(self) -> None:
        await self.peer.write(b"0\r\n\r\n")
        self.complete = True

    async def chunk(self, data: bytes) -> None:
        await self.peer.write(b"%x\r\n%b\r\n" % (len(data), data))

    async def _split(self, data: bytes) -> None:
        for at in range(0, len(data), 3):
            await self.chunk(data[at : at + 3])
            # Without a pause the pieces would be joined on their way.
            await self.peer.pause(0.0002)

    async def _wait(self, seconds: float, ping_s: float | None) -> None:
        while ping_s and seconds > ping_s:
            await self.peer.pause(ping_s)
            await self.chunk(self._speech.ping)
            seconds -= ping_s
        await self.peer.pause(seconds)
