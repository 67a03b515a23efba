"""Usage as OpenAI writes it: ``prompt_tokens`` holds the cached part, ``completion_tokens`` the reasoning."""

from __future__ import annotations

from typing import Any

from coderouter_core.model import Usage
from coderouter_core.model.usage import NOTHING
from coderouter_core.wire.lenient import count, table


class Tally:
    """The running total of one answer.

    Kept in the upstream's own numbers: a chunk that does not tell what was cached yet counts it as input, and
    merging that with a later chunk's canonical numbers would count it twice.
    """

    def __init__(self) -> None:
        self.usage: Usage = NOTHING
        self._prompt = self._cached = self._written = self._output = self._reasoning = 0

    def add(self, raw: dict[str, Any]) -> Usage:
        """Take in a ``usage`` object; the total so far."""
        prompt, completion = table(raw.get("prompt_tokens_details")), count(raw.get("completion_tokens"))
        details = table(raw.get("completion_tokens_details"))
        reasoning = count(details.get("reasoning_tokens"))
        said = count(raw.get("prompt_tokens"))
        if reasoning and count(raw.get("total_tokens")) == said + completion + reasoning:
            # xAI and Gemini leave reasoning out of completion_tokens; only their total shows it.
            completion += reasoning
        self._prompt = max(self._prompt, said)
        # Beside the details of OpenAI: DeepSeek's word for it, and Moonshot's.
        cached = (prompt.get("cached_tokens"), raw.get("prompt_cache_hit_tokens"), raw.get("cached_tokens"))
        self._cached = max(self._cached, *map(count, cached))
        self._written = max(self._written, count(prompt.get("cache_write_tokens")))
        self._output = max(self._output, completion, reasoning)
        self._reasoning = max(self._reasoning, reasoning)
        self.usage = Usage(
            input=max(0, self._prompt - self._cached - self._written),
            cache_read=self._cached,
            cache_write_5m=self._written,
            output=self._output,
            reasoning=self._reasoning,
            reported=True,
        )
        return self.usage


def is_complete(raw: dict[str, Any]) -> bool:
    """Whether a ``usage`` object has all three counts."""
    return all(type(raw.get(key)) is int for key in ("prompt_tokens", "completion_tokens", "total_tokens"))


def written(usage: Usage) -> dict[str, Any]:
    """The ``usage`` object."""
    raw: dict[str, Any] = {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.output,
        "total_tokens": usage.prompt + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }
    if usage.cache_write:
        raw["prompt_tokens_details"]["cache_write_tokens"] = usage.cache_write
    return raw
