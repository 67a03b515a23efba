"""Generated streams come out right, and the judge of them tells when they do not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from coderouter_core.model import Dialect, StreamEvent, StreamFilter
from coderouter_core.testing.streams import Stream, Way, generate, judge
from coderouter_core.testing.streams.__main__ import (
    case,
    installed_filters,
    run,
    smallest,
    wrong,
)

CLIENTS = [Dialect.MESSAGES, Dialect.CHAT, Dialect.RESPONSES]
RANDOMS = st.randoms(use_true_random=False)
CHAT = RANDOMS.map(lambda random: generate(random, Dialect.CHAT))
MESSAGES = RANDOMS.map(lambda random: generate(random, Dialect.MESSAGES))
SEVERAL = st.builds(lambda random, n: generate(random, Dialect.CHAT, n), RANDOMS, st.integers(2, 4))
FILTERS: dict[str, Callable[[], list[StreamFilter]] | None] = {
    "no-filters": None,
    "a-filter-that-changes-nothing": list,
}
FILTERED = pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS.keys())
CHANCE = Random(0)


@FILTERED
@pytest.mark.parametrize("client", CLIENTS)
@settings(max_examples=60)
@given(stream=CHAT | MESSAGES)
def test_any_stream_comes_out_right(client: Dialect, filters: Any, stream: Stream) -> None:
    assert judge(stream, Way(client, filters), CHANCE) == []


@FILTERED
@settings(max_examples=60)
@given(stream=SEVERAL)
def test_any_stream_of_several_choices_comes_out_right(filters: Any, stream: Stream) -> None:
    assert judge(stream, Way(Dialect.CHAT, filters), CHANCE) == []


@pytest.mark.parametrize("client", CLIENTS)
@settings(max_examples=30)
@given(stream=CHAT | MESSAGES)
def test_any_stream_comes_out_right_byte_by_byte(client: Dialect, stream: Stream) -> None:
    assert judge(stream, Way(client, list, split=1), CHANCE) == []


@pytest.mark.parametrize("client", CLIENTS)
@settings(max_examples=60)
@given(stream=CHAT | MESSAGES)
def test_any_stream_comes_out_right_of_the_installed_filters(client: Dialect, stream: Stream) -> None:
    filters = installed_filters()
    if filters is None:
        pytest.skip("no plugin with a filter is installed")

    assert judge(stream, Way(client, filters), CHANCE) == []


def test_the_same_chance_gives_the_same_stream() -> None:
    assert generate(Random(7), Dialect.CHAT) == generate(Random(7), Dialect.CHAT)


@pytest.mark.parametrize("dialect", [Dialect.CHAT, Dialect.MESSAGES])
def test_streams_end_in_every_way(dialect: Dialect) -> None:
    ends = {generate(Random(seed), dialect).end for seed in range(100)}

    assert ends == {"whole", "cut", "error"}


class Changing:
    """A filter that does as `change` says."""

    stage = 0

    def __init__(self, change: Callable[[StreamEvent], Iterable[StreamEvent]]) -> None:
        self._change = change

    def feed(self, event: StreamEvent) -> Iterable[StreamEvent]:
        return self._change(event)

    def flush(self) -> Iterable[StreamEvent]:
        return ()


def new(event: StreamEvent, **fields: Any) -> list[StreamEvent]:
    return [evolve(event, frame=None, **fields)]


CHANGES: dict[str, tuple[Callable[[StreamEvent], Iterable[StreamEvent]], str]] = {
    "text": (lambda e: new(e, text="x") if e.block == "text" and e.text else [e], "the text is"),
    "thinking": (lambda e: [] if e.block == "thinking" else [e], "the thinking is"),
    "name": (lambda e: new(e, name="x") if e.name else [e], "the calls are"),
    "arguments": (lambda e: new(e, text="") if e.block == "tool_call" and e.text else [e], "the calls are"),
    "id": (lambda e: new(e, id="same") if e.block == "tool_call" and e.id else [e], "the ids are"),
    "reason": (lambda e: new(e, reason="pause_turn") if e.kind == "stop" else [e], "the reason is"),
    "usage": (
        lambda e: new(e, usage=evolve(e.usage, output=1)) if e.kind == "usage" else [e],
        "the usage is",
    ),
    "overlap": (lambda e: [] if e.kind == "block_stop" else [e], "events: block"),
}


@pytest.mark.parametrize(("change", "problem"), CHANGES.values(), ids=CHANGES.keys())
def test_the_judge_finds_what_a_filter_does_to_a_stream(
    change: Callable[[StreamEvent], Iterable[StreamEvent]], problem: str
) -> None:
    way = Way(Dialect.MESSAGES, lambda: [Changing(change)])
    streams = [generate(Random(seed), Dialect.CHAT) for seed in range(150)]
    found = [each for stream in streams for each in judge(stream, way, CHANCE)]

    assert any(each.startswith(problem) for each in found)


def overlapping() -> list[StreamFilter]:
    """A filter that leaves every block open."""
    return [Changing(CHANGES["overlap"][0])]


def test_a_wrong_stream_is_shown_with_its_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(0, 200, None, overlapping) == 1

    seed = next(seed for seed in range(200) if wrong(seed, overlapping))
    assert capsys.readouterr().out.startswith(f"seed {seed} is wrong: ")


def test_a_wrong_stream_is_shown_without_what_has_no_part_in_it() -> None:
    seed = next(seed for seed in range(200) if wrong(seed, overlapping))
    small = smallest(seed, overlapping)
    stream, way = case(seed, overlapping)

    assert len(small.data) < len(stream.data)
    assert [problem for problem in judge(small, way, CHANCE) if problem.startswith("events: ")]


def test_the_command_counts_what_it_judged() -> None:
    words = [sys.executable, "-m", "coderouter_core.testing.streams", "--count", "30", "--seed", "5"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)

    assert done.stdout.startswith("30 streams from seed 5 in ")
