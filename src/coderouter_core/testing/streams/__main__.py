"""Send many generated streams through the router's lanes: ``python -m coderouter_core.testing.streams --count 1000``.

Ends with the seed of the first stream that came out wrong, and with the shortest stream like it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from random import Random
from typing import Any

from attrs import evolve

from coderouter_core.model import Dialect, Provider, Request, StreamFilter
from coderouter_core.testing.streams import Stream, Way, generate, judge
from coderouter_core.wire.sse import Framer

CLIENTS = (Dialect.MESSAGES, Dialect.CHAT, Dialect.RESPONSES)
UPSTREAMS = (Dialect.CHAT, Dialect.CHAT, Dialect.MESSAGES)
MakeFilters = Callable[[], Sequence[StreamFilter]]

_OF_CONTENT = tuple(f"the {what} " for what in ("text", "thinking", "calls", "ids", "reason", "usage"))
_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
ASKED = {
    "stream": True,
    "tools": [{"name": name, "input_schema": _SCHEMA} for name in ("read_file", "get_weather", "run", "f")],
}


class Deaf:
    """Stands for a router to which nobody listens."""

    def emit(self, name: str, /, **fields: Any) -> None:
        """Nothing."""


def installed_filters() -> MakeFilters | None:
    """The filters of all installed plugins, as a provider has them whose keys are left out; None where there are none."""
    plugins = []
    for entry in entry_points(group="coderouter.plugins"):
        plugin = entry.load()()
        if hasattr(plugin, "stream_filter"):
            plugin.configure(Deaf())
            plugins.append(plugin)
    if not plugins:
        return None
    request = Request("1", Dialect.MESSAGES, ASKED, b"")

    def make() -> list[StreamFilter]:
        found = [plugin.stream_filter(Provider("any"), request) for plugin in plugins]
        return sorted((each for each in found if each), key=lambda each: each.stage)

    return make


def case(seed: int, plugins: MakeFilters | None) -> tuple[Stream, Way]:
    """The stream of `seed`, and how it is sent."""
    random = Random(seed)  # noqa: S311
    upstream = random.choice(UPSTREAMS)
    choices = random.randint(2, 3) if upstream is Dialect.CHAT and random.randrange(8) == 0 else 1
    stream = generate(random, upstream, choices)
    client = Dialect.CHAT if choices > 1 else random.choice(CLIENTS)
    filters: MakeFilters | None = None
    if random.randrange(2):
        filters = plugins if plugins and random.randrange(2) else tuple
    size = 1 if len(stream.data) < 1500 and random.randrange(8) == 0 else None
    return stream, Way(client, filters, size)


def wrong(seed: int, plugins: MakeFilters | None) -> list[str]:
    """What is wrong with what became of the stream of `seed`."""
    stream, way = case(seed, plugins)
    return judge(stream, way, Random(seed))  # noqa: S311


def smallest(seed: int, plugins: MakeFilters | None) -> Stream:
    """The stream of `seed` without every frame that has no part in what is wrong with it."""
    stream, way = case(seed, plugins)
    frames = Framer().feed(stream.data)
    kinds = _kinds(judge(stream, way, Random(seed)))  # noqa: S311
    at = 0
    while at < len(frames):
        fewer = evolve(stream, data=b"".join(frames[:at] + frames[at + 1 :]))
        if _kinds(judge(fewer, way, Random(seed))) & kinds:  # noqa: S311
            del frames[at]
        else:
            at += 1
    return evolve(stream, data=b"".join(frames))


def _kinds(problems: list[str]) -> set[str]:
    """Problems of form, without the words that they quote. Of content any shorter stream has too little."""
    return {problem.partition(" is ")[0] for problem in problems if not problem.startswith(_OF_CONTENT)}


def show(seed: int, found: list[str], plugins: MakeFilters | None) -> None:
    """Print a stream that came out wrong, whole and without what has no part in it."""
    stream, way = case(seed, plugins)
    through = "no filters" if way.filters is None else "filters"
    print(f"seed {seed} is wrong: {stream.dialect} to {way.client} through {through}: {'; '.join(found)}")
    print(f"quirks: {', '.join(map(repr, stream.quirks))}\n\nthe stream:")
    print(*map(repr, Framer().feed(stream.data)), sep="\n")
    print("\nwithout the frames that have no part in it:")
    print(*map(repr, Framer().feed(smallest(seed, plugins).data)), sep="\n")


def run(first: int, count: int | None, seconds: float | None, plugins: MakeFilters | None) -> int:
    """Judge streams until one is wrong or enough have passed; how many were wrong: 0 or 1."""
    began = time.monotonic()
    done = 0
    while (count is None or done < count) and (seconds is None or time.monotonic() - began < seconds):
        seed = first + done
        done += 1
        if found := wrong(seed, plugins):
            show(seed, found, plugins)
            return 1
    spent = time.monotonic() - began
    print(f"{done} streams from seed {first} in {spent:.1f} s ({done / max(spent, 0.001):.0f}/s), none wrong")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="streams", description=__doc__)
    parser.add_argument(
        "--count", type=int, help="how many streams; without it, as many as fit into the seconds"
    )
    parser.add_argument("--seconds", type=float, help="for how long; 60 where no count is given")
    parser.add_argument("--seed", type=int, default=0, help="the number of the first stream")
    asked = parser.parse_args()
    seconds = 60.0 if asked.count is None and asked.seconds is None else asked.seconds
    return run(asked.seed, asked.count, seconds, installed_filters())


if __name__ == "__main__":
    sys.exit(main())
