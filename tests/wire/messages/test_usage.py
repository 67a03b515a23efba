"""Tokens as Anthropic counts them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from coderouter_core.model import Dialect, Usage
from coderouter_core.wire import codec
from coderouter_core.wire.messages.usage import merged, written
from coderouter_core.wire.sse import write

#: The usage of message_start, that of message_delta, and what they mean together.
GOLDEN = [
    pytest.param(
        {"input_tokens": 25, "output_tokens": 1}, {"output_tokens": 15}, Usage(25, output=15), id="plain"
    ),
    pytest.param(
        {
            "input_tokens": 3,
            "cache_read_input_tokens": 2048,
            "cache_creation_input_tokens": 300,
            "output_tokens": 1,
        },
        {"output_tokens": 20},
        Usage(3, cache_read=2048, cache_write_5m=300, output=20),
        id="cached",
    ),
    pytest.param(
        {
            "input_tokens": 3,
            "cache_creation_input_tokens": 300,
            "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
            "output_tokens": 1,
        },
        {"cache_creation_input_tokens": 300, "output_tokens": 20},
        Usage(3, cache_write_5m=100, cache_write_1h=200, output=20),
        id="one-hour-writes-split-only-once",
    ),
    pytest.param(
        {"input_tokens": 0, "output_tokens": 0},
        {"input_tokens": 96, "cache_read_input_tokens": 5, "output_tokens": 57},
        Usage(96, cache_read=5, output=57),
        id="input-known-late",
    ),
    pytest.param(
        {"input_tokens": 9, "output_tokens": 1},
        {"output_tokens": 90, "output_tokens_details": {"thinking_tokens": 70}},
        Usage(9, output=90, reasoning=70),
        id="thinking",
    ),
    pytest.param(
        {"input_tokens": 9, "cache_creation_input_tokens": None, "cache_creation": None, "output_tokens": 1},
        {"output_tokens": None, "input_tokens": None},
        Usage(9, output=1),
        id="nulls",
    ),
]


def counts(usage: Usage) -> tuple[int, ...]:
    kinds = (usage.input, usage.cache_read, usage.cache_write_5m, usage.cache_write_1h)
    return (*kinds, usage.output, usage.reasoning)


@pytest.mark.parametrize(("first", "last", "usage"), GOLDEN)
@pytest.mark.parametrize("lane", ["relay", "reader"])
def test_a_stream_is_counted(first: dict[str, Any], last: dict[str, Any], usage: Usage, lane: str) -> None:
    start = write(orjson.dumps({"type": "message_start", "message": {"usage": first}}))
    end = write(orjson.dumps({"type": "message_delta", "delta": {}, "usage": last}))
    messages = codec(Dialect.MESSAGES)
    if lane == "relay":
        relay = messages.relay()
        relay.feed(start + end)
        found = relay.usage
    else:
        reader = messages.reader()
        reader.read(start)
        reader.read(end)
        found = reader.usage

    assert counts(found) == counts(usage)


@pytest.mark.parametrize(("first", "last", "usage"), GOLDEN)
def test_a_whole_answer_is_counted(first: dict[str, Any], last: dict[str, Any], usage: Usage) -> None:
    raw = {**first, **{key: value for key, value in last.items() if value is not None}}
    [found] = [
        event.usage
        for event in codec(Dialect.MESSAGES).events({"content": [], "usage": raw})
        if event.kind == "usage"
    ]

    assert counts(found) == counts(usage)


@pytest.mark.parametrize("raw", [None, {}, [], "many"], ids=str)
def test_no_usage_is_none_reported(raw: Any) -> None:
    assert not merged(raw).reported


def test_usage_that_is_written_reads_back() -> None:
    usage = Usage(
        100, cache_read=40, cache_write_5m=7, cache_write_1h=3, output=20, reasoning=5, reported=True
    )

    assert merged(written(usage)) == usage
