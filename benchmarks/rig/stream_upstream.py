"""A server that streams chat chunks, flat out or paced, and counts what it sent.

Run as a process: ``python stream_upstream.py PORT CHUNKS PACE_MS``; a pace of 0 is flat out.
``GET /`` tells the counts: streams begun, ended and cut by the other side, and chunks sent.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import httptools
import orjson
import uvloop
from attrs import asdict, define

#: Flat out, this many chunks are written at once, as a busy server's kernel would hand them over.
BURST = 32
MODEL = "bench-model"

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def frame(delta: dict[str, str], finish: str | None = None) -> bytes:
    """One chat chunk as an SSE frame in an HTTP chunk of its own."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return _chunked(
        {
            "id": "chatcmpl-bench",
            "object": "chat.completion.chunk",
            "created": 1_750_000_000,
            "model": MODEL,
            "choices": [choice],
        }
    )


def _chunked(value: object) -> bytes:
    said = value if isinstance(value, bytes) else orjson.dumps(value)
    event = b"data: " + said + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(event), event)


def last_frames(chunks: int) -> bytes:
    usage = {"prompt_tokens": 21, "completion_tokens": chunks, "total_tokens": 21 + chunks}
    told = {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1_750_000_000,
        "model": MODEL,
        "choices": [],
        "usage": usage,
    }
    return frame({}, "stop") + _chunked(told) + _chunked(b"[DONE]") + END


@define
class Counts:
    begun: int = 0
    ended: int = 0
    cut: int = 0
    chunks: int = 0


@define(eq=False)
class Pattern:
    """What every stream of this server looks like, encoded once."""

    chunks: int
    pace_s: float
    first: bytes
    word: bytes
    last: bytes
    counts: Counts

    @classmethod
    def of(cls, chunks: int, pace_ms: float) -> Pattern:
        first = HEAD + frame({"role": "assistant", "content": ""})
        return cls(chunks, pace_ms / 1000, first, frame({"content": " word"}), last_frames(chunks), Counts())


class Connection(asyncio.Protocol):
    """One connection; one stream after the other on it."""

    def __init__(self, pattern: Pattern) -> None:
        self._pattern = pattern
        self._left = 0
        self._streaming = False
        self._writable = True
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_message_complete(self) -> None:
        if self._parser.get_method() == b"GET":
            body = orjson.dumps(asdict(self._pattern.counts))
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
            return
        self._pattern.counts.begun += 1
        self._streaming = True
        self._left = self._pattern.chunks
        self._transport.write(self._pattern.first)
        if self._pattern.pace_s:
            self._due = asyncio.get_running_loop().time()
            self._schedule()
        else:
            self._pour()

    def _schedule(self) -> None:
        # Counted from the last due time, so that a late chunk does not make the whole stream late.
        self._due += self._pattern.pace_s
        self._timer = asyncio.get_running_loop().call_at(self._due, self._drip)

    def _drip(self) -> None:
        self._write(1)
        if self._left:
            self._schedule()
        else:
            self._end()

    def _pour(self) -> None:
        while self._writable and self._left:
            self._write(min(BURST, self._left))
        if not self._left and self._streaming:
            self._end()

    def _write(self, count: int) -> None:
        self._left -= count
        self._pattern.counts.chunks += count
        self._transport.write(self._pattern.word * count)

    def _end(self) -> None:
        self._streaming = False
        self._pattern.counts.ended += 1
        self._transport.write(self._pattern.last)

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        if self._streaming and not self._pattern.pace_s:
            self._pour()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._writable = False
        if self._timer is not None:
            self._timer.cancel()
        if self._streaming:
            self._streaming = False
            self._pattern.counts.cut += 1


async def serve(port: int, pattern: Pattern) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(pattern), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


def main() -> None:
    port, chunks, pace_ms = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(port, Pattern.of(chunks, pace_ms)))


if __name__ == "__main__":
    main()
