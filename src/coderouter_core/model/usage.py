"""Tokens and money of one attempt, in one canonical form."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen


@frozen
class Usage:
    """Tokens of one answer; the fields do not overlap, so their sum is the total.

    `input` excludes what was read from or written to a prompt cache (the Anthropic
    convention); codecs of dialects that count otherwise convert at the edge.
    `output` includes `reasoning`. `reported` is False while the upstream has said nothing.
    """

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    reported: bool = False

    def merge(self, other: Usage) -> Usage:
        """Field by field the larger value: upstreams report running totals and leave fields out."""
        if other is NOTHING or self == other:
            return self
        if self is NOTHING:
            return other
        return Usage(
            input=max(self.input, other.input),
            cache_read=max(self.cache_read, other.cache_read),
            cache_write_5m=max(self.cache_write_5m, other.cache_write_5m),
            cache_write_1h=max(self.cache_write_1h, other.cache_write_1h),
            output=max(self.output, other.output),
            reasoning=max(self.reasoning, other.reasoning),
            reported=self.reported or other.reported,
        )

    @property
    def prompt(self) -> int:
        """All tokens of the prompt, cached or not."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h

    @property
    def cache_write(self) -> int:
        return self.cache_write_5m + self.cache_write_1h


NOTHING = Usage()


class CacheOutcome(StrEnum):
    """What became of a prompt cache in one answer."""

    UNKNOWN = "unknown"
    HIT = "cache_hit"
    CREATION = "cache_creation"
    NONE = "no_cache"


def cache_outcome(usage: Usage) -> CacheOutcome:
    """What `usage` tells of the cache; unknown where the upstream counted nothing at all."""
    if usage.cache_read:
        return CacheOutcome.HIT
    if usage.cache_write:
        return CacheOutcome.CREATION
    counted = usage.reported and (usage.input or usage.output)
    return CacheOutcome.NONE if counted else CacheOutcome.UNKNOWN


@frozen
class Cost:
    """US dollars. ``usd=None`` is an unknown price, which is not free.

    `savings_usd` is what reading from the cache saved against the full input price.
    `estimated` says that the tokens were estimated, not reported.
    """

    usd: float | None = None
    savings_usd: float = 0.0
    estimated: bool = False
