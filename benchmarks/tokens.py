"""How good and how fast the estimate of tokens is: ``python benchmarks/tokens.py [FILE ...]``.

Compares with the o200k vocabulary where the plugin that carries one is installed, on the texts of the tests and on
the files given. Errors are of the estimate against the vocabulary; times are of one prompt of about 200,000 tokens,
the best of several runs, and of the longest slice for which the event loop was held.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path

from coderouter_core.model import Dialect, Request
from coderouter_core.model.tokens import Counting, estimate_tokens
from coderouter_core.plugins import find

TEXTS = Path(__file__).parents[1] / "tests" / "model" / "texts"
PROMPT_TOKENS = 200_000
RUNS = 7


def vocabulary() -> Callable[[str], int] | None:
    """The counter of an installed plugin, loaded."""
    for plugin in find():
        if hasattr(plugin.instance, "token_counter"):
            counter: Callable[[str], int] = plugin.instance.token_counter()
            if load := getattr(counter, "load", None):
                asyncio.run(load())
            return counter
    return None


async def measured(text: str, count: Callable[[str], int]) -> tuple[float, float]:
    """Milliseconds in all and of the longest slice, to count a prompt of many turns with this text."""
    turns = [{"role": "user", "content": text}] * max(1, PROMPT_TOKENS // max(1, estimate_tokens(text)))
    whole, slices = [], []
    for _ in range(RUNS):
        request = Request("req_bench", Dialect.MESSAGES, {"messages": turns}, b"")
        request.count_with(Counting(count))
        longest = 0.0

        async def watch() -> None:
            nonlocal longest
            since = time.perf_counter()
            while True:
                await asyncio.sleep(0)
                now = time.perf_counter()
                longest, since = max(longest, now - since), now

        watching = asyncio.create_task(watch())
        await asyncio.sleep(0)
        began = time.perf_counter()
        await request.prepare(("tokens",))
        whole.append(time.perf_counter() - began)
        await asyncio.sleep(0)
        watching.cancel()
        slices.append(longest)
    return min(whole) * 1e3, min(slices) * 1e3


def main(paths: list[Path]) -> None:
    exact = vocabulary()
    print(
        f"{'text':24} {'estimate':>9} {'o200k':>9} {'error':>7} {'200k tokens':>12} {'slice':>8} {'exact':>9}"
    )
    for path in paths:
        text = path.read_text(encoding="utf-8", errors="replace")
        told = estimate_tokens(text)
        whole, longest = asyncio.run(measured(text, estimate_tokens))
        line = f"{path.name:24} {told:9} "
        if exact is None:
            line += f"{'-':>9} {'-':>7} {whole:9.1f} ms {longest:5.1f} ms {'-':>9}"
        else:
            known = exact(text)
            exactly, _ = asyncio.run(measured(text, exact))
            line += f"{known:9} {told / known - 1:+7.1%} {whole:9.1f} ms {longest:5.1f} ms {exactly:6.1f} ms"
        print(line)


if __name__ == "__main__":
    main([Path(each) for each in sys.argv[1:]] or sorted(TEXTS.iterdir()))
