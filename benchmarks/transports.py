"""Requests per second of our transport, httpx's own and httpx-aiohttp, side by side.

    python benchmarks/transports.py [--seconds 2] [--parallel 32]

The client runs on the first core it may use, the server in another process on the last. Absolute
figures say little; the ratios in one run do.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import cast

import httptools
import httpx
import uvloop

from coderouter_core.api import Call, Dialect, Endpoint, Limits, Operation, Provider
from coderouter_core.transport import HttpTransport

BODIES = {"tiny": b'{"model":"m"}', "60 KB": b'{"model":"m","text":"' + b"x" * 60_000 + b'"}'}
ANSWER = b'{"choices":[{"message":{"role":"assistant","content":"ok"}}]}'
ROUNDS = 3


class Server(asyncio.Protocol):
    """Answers every request with the same few bytes, as fast as Python can."""

    REPLY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._transport.write(self.REPLY + ANSWER)


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until the parent lets go
    server.close()


def transports() -> dict[str, Callable[[], httpx.AsyncBaseTransport]]:
    """What there is to compare, by name."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
    found: dict[str, Callable[[], httpx.AsyncBaseTransport]] = {
        "httpx default": lambda: httpx.AsyncHTTPTransport(trust_env=False, limits=limits)
    }
    if importlib.util.find_spec("httpx_aiohttp"):
        aiohttp = importlib.import_module("httpx_aiohttp")
        found["httpx-aiohttp"] = lambda: aiohttp.AiohttpTransport(trust_env=False, limits=limits)
    found["HttpTransport"] = HttpTransport
    return found


async def measure(
    transport: httpx.AsyncBaseTransport, url: str, body: bytes, args: argparse.Namespace
) -> float:
    """Requests per second, after a warm-up."""
    endpoint = Endpoint(transport, url)
    provider = Provider("bench", base_url=url, model="m")
    call = Call(provider, "r", Dialect.CHAT, Operation.GENERATE, body, False, Limits())
    counted = 0

    async def ask(until: float) -> None:
        nonlocal counted
        while time.perf_counter() < until:
            answer = await endpoint.post(call)
            received = b"".join([chunk async for chunk in answer.chunks])
            await answer.aclose()
            assert received == ANSWER
            counted += 1

    async def run(seconds: float) -> float:
        nonlocal counted
        counted, started = 0, time.perf_counter()
        async with asyncio.timeout(seconds + 10):
            await asyncio.gather(*(ask(started + seconds) for _ in range(args.parallel)))
        return counted / (time.perf_counter() - started)

    await run(0.3)
    rate = await run(args.seconds)
    await transport.aclose()
    return rate


def compare(url: str, args: argparse.Namespace) -> None:
    makers = transports()
    print(
        f"requests/s at {args.parallel} in parallel, median of {ROUNDS} rounds; in brackets: times httpx's own"
    )
    for name, body in BODIES.items():
        rates: dict[str, list[float]] = {maker: [] for maker in makers}
        for _ in range(ROUNDS):  # in turn, so that a slow moment of the machine hits all
            for maker, make in makers.items():
                rates[maker].append(uvloop.run(_fresh(make, url, body, args)))
        medians = {maker: statistics.median(values) for maker, values in rates.items()}
        base = medians["httpx default"]
        cells = (f"{maker} {rate:,.0f} [{rate / base:.1f}]" for maker, rate in medians.items())
        print(f"{name:>6}: " + "  ".join(cells))


async def _fresh(
    make: Callable[[], httpx.AsyncBaseTransport], url: str, body: bytes, args: argparse.Namespace
) -> float:
    return await measure(make(), url, body, args)


def pin(last: bool) -> None:
    """Stay on one core, where the platform can do that and there are two."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[-1] if last else cores[0]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--parallel", type=int, default=32)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        pin(last=True)
        uvloop.run(serve())
        return
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        port = int(server.stdout.readline())
        pin(last=False)
        try:
            compare(f"http://127.0.0.1:{port}/v1/chat/completions", args)
        finally:
            server.stdin.close()


if __name__ == "__main__":
    main()
