"""Tokens as OpenAI-like servers count them."""

from __future__ import annotations

from typing import Any

import pytest

from coderouter_core.model import Dialect, Usage
from coderouter_core.wire import codec
from coderouter_core.wire.chat.usage import Tally, written

#: What servers send, and what it means.
GOLDEN = [
    pytest.param(
        {"prompt_tokens": 17, "completion_tokens": 23, "total_tokens": 40}, Usage(17, output=23), id="plain"
    ),
    pytest.param(
        {
            "prompt_tokens": 2006,
            "completion_tokens": 300,
            "total_tokens": 2306,
            "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 256, "audio_tokens": 0},
        },
        Usage(86, cache_read=1920, output=300, reasoning=256),
        id="openai",
    ),
    pytest.param(
        {
            "prompt_tokens": 1000,
            "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 300},
        },
        Usage(100, cache_read=600, cache_write_5m=300, output=5),
        id="cache-writes",
    ),
    pytest.param(
        {
            "prompt_tokens": 100,
            "completion_tokens": 5,
            "prompt_cache_hit_tokens": 64,
            "prompt_cache_miss_tokens": 36,
        },
        Usage(36, cache_read=64, output=5),
        id="deepseek",
    ),
    pytest.param(
        {
            "prompt_tokens": 100,
            "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": None},
            "prompt_cache_hit_tokens": 64,
        },
        Usage(36, cache_read=64, output=5),
        id="deepseek-through-who-fills-in-nulls",
    ),
    pytest.param(
        {"prompt_tokens": 100, "completion_tokens": 5, "cached_tokens": 64},
        Usage(36, cache_read=64, output=5),
        id="moonshot",
    ),
    pytest.param(
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 115,
            "completion_tokens_details": {"reasoning_tokens": 100},
        },
        Usage(10, output=105, reasoning=100),
        id="reasoning-beside-the-completion",
    ),
    pytest.param(
        {
            "prompt_tokens": 3,
            "completion_tokens": None,
            "prompt_tokens_details": None,
            "total_tokens": "many",
        },
        Usage(3),
        id="nulls",
    ),
    pytest.param({"prompt_tokens": 17.0, "completion_tokens": 1e300}, Usage(17), id="fractions"),
    pytest.param({"prompt_tokens": -5, "completion_tokens": True}, Usage(), id="nonsense"),
    pytest.param(
        {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}},
        Usage(cache_read=9),
        id="more-cached-than-read",
    ),
]


def counts(usage: Usage) -> tuple[int, ...]:
    return (usage.input, usage.cache_read, usage.cache_write_5m, usage.output, usage.reasoning)


@pytest.mark.parametrize(("raw", "usage"), GOLDEN)
def test_what_servers_send_is_counted(raw: dict[str, Any], usage: Usage) -> None:
    assert counts(Tally().add(raw)) == counts(usage)


@pytest.mark.parametrize(("raw", "usage"), GOLDEN)
def test_a_whole_answer_is_counted_alike(raw: dict[str, Any], usage: Usage) -> None:
    body = {"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}], "usage": raw}

    [found] = [event.usage for event in codec(Dialect.CHAT).events(body) if event.kind == "usage"]
    assert counts(found) == counts(usage)


def test_running_totals_are_not_added_up() -> None:
    tally = Tally()
    tally.add({"prompt_tokens": 10, "completion_tokens": 1})
    tally.add({"prompt_tokens": 10, "completion_tokens": 2})

    assert counts(tally.usage) == (10, 0, 0, 2, 0)


def test_cached_tokens_told_late_are_not_counted_twice() -> None:
    tally = Tally()
    tally.add({"prompt_tokens": 100, "completion_tokens": 1})
    tally.add({"prompt_tokens": 100, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 80}})

    assert counts(tally.usage) == (20, 80, 0, 9, 0)


def test_usage_that_is_written_adds_up() -> None:
    raw = written(Usage(100, cache_read=40, cache_write_5m=7, cache_write_1h=3, output=20, reasoning=5))

    assert (raw["prompt_tokens"], raw["total_tokens"]) == (150, 170)


def test_usage_that_is_written_reads_back() -> None:
    usage = Usage(100, cache_read=40, cache_write_5m=7, output=20, reasoning=5, reported=True)

    assert Tally().add(written(usage)) == usage
