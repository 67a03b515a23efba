"""How long the search for tool calls takes on text that is made to be slow: ``python benchmarks/repair.py``.

For each text of 256 KiB, milliseconds of processor time in all, and of the slowest single piece, when it comes
whole, in pieces of 1 KiB and in pieces of a token.
"""

from __future__ import annotations

import time
from importlib.metadata import entry_points
from typing import Any

from coderouter_core.model import Dialect, Provider, Request, StreamEvent, StreamFilter

SIZE = 256 * 1024
PIECES = (SIZE, 1024, 4)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ASKED = {"tools": [{"name": "get_weather", "input_schema": SCHEMA}]}
TEXTS = {
    "prose": "The quick brown fox. ",
    "code": "    if a[i] < b[j]:\n        return {'a': 1}\n",
    "json": '{"id": 1, "title": "a", "tags": ["b", "c"]}\n',
    "{": "{",
    " {": " {",
    "<": "<",
    "```": "```",
    "```\\n": "```\n",
    "[": "[",
    '{"name":"': '{"name":"',
    ' {"name":"': ' {"name":"',
    "begun calls": ' {"name":"get_weather","arguments":',
    "wrong calls": '{"name":"get_weather","arguments":{}}\n',
    "open tags": '<tool_call>{"name":"get_weather"',
    "open python": "get_weather(\n",
    "calls": '{"name":"get_weather","arguments":{"city":"Oslo"}}\n',
}


class Deaf:
    """Stands for a router to which nobody listens."""

    def emit(self, name: str, /, **fields: Any) -> None:
        """Nothing."""


def repair() -> StreamFilter:
    (found,) = entry_points(group="coderouter.plugins", name="tool-repair")
    plugin = found.load()()
    plugin.configure(Deaf())
    made: StreamFilter = plugin.stream_filter(Provider("any"), Request("1", Dialect.MESSAGES, ASKED, b""))
    return made


def measure(text: str, size: int) -> tuple[float, float]:
    """Seconds in all, and of the slowest piece."""
    stage = repair()
    pieces = [StreamEvent("delta", text=text[at : at + size]) for at in range(0, len(text), size)]
    stage.feed(StreamEvent("block_start"))
    slowest = 0.0
    began = last = time.process_time()
    for piece in pieces:
        stage.feed(piece)
        now = time.process_time()
        slowest, last = max(slowest, now - last), now
    stage.feed(StreamEvent("block_stop"))
    stage.flush()
    return time.process_time() - began, slowest


def main() -> None:
    print(f"{'256 KiB of':<14}" + "".join(f"{f'in pieces of {size}':>24}" for size in PIECES))
    for name, pattern in TEXTS.items():
        text = (pattern * (SIZE // len(pattern) + 1))[:SIZE]
        figures = [measure(text, size) for size in PIECES]
        print(
            f"{name:<14}"
            + "".join(f"{total * 1e3:>14.1f} ({slowest * 1e3:>5.2f}) ms" for total, slowest in figures)
        )


if __name__ == "__main__":
    main()
