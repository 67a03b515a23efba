"""Usage as Anthropic writes it: input without the cached part, cache writes by their time to live."""

from __future__ import annotations

from typing import Any

from coderouter_core.model import Usage
from coderouter_core.model.usage import NOTHING
from coderouter_core.wire.lenient import count, table


def merged(raw: Any, before: Usage = NOTHING) -> Usage:
    """The running total after `raw`, a ``usage`` object, was read.

    Numbers are cumulative and may be missing: the larger value wins. Where writes to the cache come without
    their split, those already known to be of one hour stay so, the rest is of five minutes.
    """
    if not isinstance(raw, dict) or not raw:
        return before
    split = table(raw.get("cache_creation"))
    hour = max(before.cache_write_1h, count(split.get("ephemeral_1h_input_tokens")))
    minutes = count(split.get("ephemeral_5m_input_tokens"))
    written = max(before.cache_write, count(raw.get("cache_creation_input_tokens")), hour + minutes)
    return Usage(
        input=max(before.input, count(raw.get("input_tokens"))),
        cache_read=max(before.cache_read, count(raw.get("cache_read_input_tokens"))),
        cache_write_5m=written - hour,
        cache_write_1h=hour,
        output=max(before.output, count(raw.get("output_tokens"))),
        reasoning=max(
            before.reasoning, count(table(raw.get("output_tokens_details")).get("thinking_tokens"))
        ),
        reported=True,
    )


def written(usage: Usage) -> dict[str, Any]:
    """The ``usage`` object; always with all four counts, since clients add them up."""
    raw: dict[str, Any] = {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output,
    }
    if usage.cache_write_1h:
        raw["cache_creation"] = {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        }
    if usage.reasoning:
        raw["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return raw
