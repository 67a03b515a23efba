"""How long the router keeps the first of an answer to itself: ``python benchmarks/first_byte.py``.

A router in a process of its own, a scripted chat upstream, a Messages client; tools are declared and tool-repair is
on. For each way in which an answer begins, milliseconds from the upstream's write of the first piece of content to
the client's read of it, the median and the 99th percentile. The upstream says nothing more until the client has it.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import httpx
from rig.processes import Cores, free_port, running

ROUNDS = 300
WARM_UP = 20
TOOL = {"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
ASKED = {
    "model": "any",
    "max_tokens": 256,
    "stream": True,
    "tools": [TOOL],
    "messages": [{"role": "user", "content": "hi"}],
}
CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": ""}}
REST = {"index": 0, "function": {"arguments": '{"city":"Oslo"}'}}
#: The first content of an answer, what follows it, and what of it a Messages client sees.
BEGINNINGS: dict[str, tuple[dict[str, Any], dict[str, Any], bytes]] = {
    "text": ({"content": "Going to look."}, {"content": " Now."}, b"Going to look."),
    "reasoning": ({"reasoning_content": "The user asks"}, {"content": "Well."}, b"The user asks"),
    "call": ({"tool_calls": [CALL]}, {"tool_calls": [REST]}, b"get_weather"),
}
CONFIG = """
providers: [{{name: local, base_url: "http://127.0.0.1:{port}/v1", model: m}}]
profiles: [{{name: default, providers: [local]}}]
ledger: {{url: "memory:"}}
"""


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    """A chat chunk as a frame in an HTTP chunk of its own."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    told = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "m",
        "choices": [choice],
    }
    frame = f"data: {json.dumps(told)}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(frame), frame)


class Upstream:
    """Begins an answer, notes when, and ends it as soon as the client has its beginning."""

    def __init__(self) -> None:
        self.beginning = "text"
        self.heard = asyncio.Event()
        self.wrote_at = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await self._head(reader):
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            first, then, _ = BEGINNINGS[self.beginning]
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            )
            writer.write(chunk({"role": "assistant", "content": ""}))
            await writer.drain()
            self.wrote_at = time.perf_counter()
            writer.write(chunk(first))
            await self.heard.wait()
            done = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
            writer.write(chunk(then) + chunk({}, "tool_calls" if self.beginning == "call" else "stop") + done)
            await writer.drain()
        writer.close()

    async def _head(self, reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""


async def once(client: httpx.AsyncClient, url: str, upstream: Upstream) -> float:
    """Seconds from the upstream's first content to the client's."""
    seen, came, at = BEGINNINGS[upstream.beginning][2], b"", 0.0
    upstream.heard.clear()
    async with client.stream("POST", url, json=ASKED) as answer:
        async for data in answer.aiter_raw():
            came += data
            if not at and seen in came:
                at = time.perf_counter()
                upstream.heard.set()
    if not at:
        raise SystemExit(f"the answer does not hold {seen!r}:\n{came.decode()}")
    return at - upstream.wrote_at


async def measure(port: int, upstream: Upstream) -> None:
    url = f"http://127.0.0.1:{port}/v1/messages"
    print(f"{'first content':<14}{'p50 ms':>10}{'p99 ms':>10}{'most ms':>10}")
    async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
        for upstream.beginning in BEGINNINGS:
            took = [await once(client, url, upstream) for _ in range(WARM_UP + ROUNDS)][WARM_UP:]
            figures = (statistics.median(took), statistics.quantiles(took, n=100)[98], max(took))
            print(f"{upstream.beginning:<14}" + "".join(f"{figure * 1e3:>10.2f}" for figure in figures))


async def main() -> None:
    if not entry_points(group="coderouter.plugins", name="tool-repair"):
        raise SystemExit("tool-repair is not installed, and what it costs is what this is about")
    upstream = Upstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "providers.yaml"
        config.write_text(CONFIG.format(port=server.sockets[0].getsockname()[1]))
        words = [
            sys.executable,
            "-m",
            "coderouter_core",
            "serve",
            "--config",
            str(config),
            "--port",
            str(port),
        ]
        ready = f"http://127.0.0.1:{port}/readyz"
        core = Cores.of_this_machine().proxy
        with running("router", words, core=core, output=Path(folder) / "log", ready=lambda: answers(ready)):
            await measure(port, upstream)
    server.close()
    # The router is gone, and with it every connection.
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)


def answers(url: str) -> None:
    """OSError while nobody does."""
    try:
        httpx.get(url, trust_env=False).raise_for_status()
    except httpx.HTTPError as error:
        raise OSError(str(error)) from None


if __name__ == "__main__":
    asyncio.run(main())
