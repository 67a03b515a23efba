"""The core's own answer to `compute_cost`: the ``cost:`` table of a provider."""

from __future__ import annotations

from coderouter_core.model import Cost, Prices, Usage


def price(usage: Usage, prices: Prices | None, *, estimated: bool = False) -> Cost:
    """The cost of `usage`, in US dollars.

    `prices` are dollars per million tokens. Reading from a cache costs `cache_read_discount`, writing to it
    `cache_creation_premium` times the input price; a write that lasts an hour costs twice the input price
    (https://docs.claude.com/en/docs/build-with-claude/prompt-caching#pricing).

    An unknown price gives ``Cost(usd=None)``: unknown is not free.
    """
    if prices is None:
        return Cost(estimated=estimated)
    into, out = prices.input_tokens_per_million, prices.output_tokens_per_million
    if (into is None and usage.prompt) or (out is None and usage.output) or (into is None and out is None):
        return Cost(estimated=estimated)
    into, out = into or 0.0, out or 0.0
    usd = (
        usage.input * into
        + usage.cache_read * into * prices.cache_read_discount
        + usage.cache_write_5m * into * prices.cache_creation_premium
        + usage.cache_write_1h * into * max(2.0, prices.cache_creation_premium)
        + usage.output * out
    ) / 1e6
    savings = usage.cache_read * into * (1 - prices.cache_read_discount) / 1e6
    return Cost(usd=usd, savings_usd=savings, estimated=estimated)
