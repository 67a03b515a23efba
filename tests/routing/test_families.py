"""What upstreams report corrects the estimate."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from coderouter_core.api import Dialect, Request
from coderouter_core.events import Event, Level
from coderouter_core.model.tokens import Counting, estimate_tokens
from coderouter_core.routing.families import FEWEST_PROMPTS, MOST_FAMILIES, Families, family_of

LONG = "the quick brown fox jumps over the lazy dog, and so it goes on. " * 50


def reported(request: Request, tokens: int, **fields: Any) -> Event:
    said = {"cache_read_input_tokens": 0, "cache_creation_input_tokens": 0, "estimated": False, **fields}
    return Event("cache-observed", Level.INFO, 0.0, request.id, {"input_tokens": tokens, **said})


def taught(ratio: float, *, times: int = FEWEST_PROMPTS, text: str = LONG, **fields: Any) -> float:
    """The factor after some prompts of which the upstream counted `ratio` as many tokens."""
    families = Families()
    for number in range(times):
        request = Request(
            f"r{number}", Dialect.MESSAGES, {"model": "m-1", "system": text, "messages": []}, b""
        )
        families.watch(request)
        families.saw(reported(request, round(request.tokens * ratio), **fields))
    return families.factor("m-1")


@pytest.mark.parametrize(
    ("model", "family"),
    [
        pytest.param("claude-sonnet-4-5-20250929", "claude-sonnet", id="claude"),
        pytest.param("anthropic/claude-sonnet-4.5", "claude-sonnet", id="behind-an-aggregator"),
        pytest.param("qwen3-coder:30b", "qwen3-coder", id="ollama"),
        pytest.param("gpt-5.1-mini", "gpt-5", id="gpt"),
        pytest.param("llama3", "llama3", id="one-word"),
        pytest.param("", "", id="none"),
    ],
)
def test_families(model: str, family: str) -> None:
    assert family_of(model) == family


@pytest.mark.parametrize("ratio", [0.8, 1.3])
def test_a_factor_is_learned(ratio: float) -> None:
    assert taught(ratio) == pytest.approx(ratio, rel=0.01)


@pytest.mark.parametrize(
    "lesson",
    [
        pytest.param({"times": FEWEST_PROMPTS - 1}, id="too-few-prompts"),
        pytest.param({"cache_read_input_tokens": 5}, id="cache-read"),
        pytest.param({"cache_creation_input_tokens": 5}, id="cache-written"),
        pytest.param({"estimated": True}, id="not-reported"),
        pytest.param({"text": "short"}, id="short-prompt"),
    ],
)
def test_what_says_nothing_of_the_vocabulary_teaches_nothing(lesson: dict[str, Any]) -> None:
    assert taught(1.3, **lesson) == 1.0


@pytest.mark.parametrize("ratio", [0.1, 10.0])
def test_an_implausible_report_teaches_nothing(ratio: float) -> None:
    assert taught(ratio) == 1.0


def test_one_report_hardly_moves_a_factor_that_is_known() -> None:
    families = Families()
    for number in range(20):
        request = Request(
            f"r{number}", Dialect.MESSAGES, {"model": "m-1", "system": LONG, "messages": []}, b""
        )
        families.watch(request)
        families.saw(reported(request, round(request.tokens * (2.0 if number == 19 else 1.0))))

    assert families.factor("m-1") == pytest.approx(1.1, rel=0.01)


def test_a_prompt_that_nobody_counted_is_counted_after_its_answer() -> None:
    async def after_answers() -> float:
        families = Families()
        for number in range(FEWEST_PROMPTS):
            request = Request(
                f"r{number}", Dialect.MESSAGES, {"model": "m", "system": LONG, "messages": []}, b""
            )
            families.watch(request)
            families.saw(reported(request, 900))
            await asyncio.gather(*families._counting)
        return families.factor("m")

    assert asyncio.run(after_answers()) != 1.0


def test_families_are_bounded() -> None:
    families = Families()
    for number in range(MOST_FAMILIES + 5):
        request = Request("r", Dialect.MESSAGES, {"model": f"m{number}", "system": LONG, "messages": []}, b"")
        families.watch(request)
        families.saw(reported(request, 900))

    assert len(families._learned) == MOST_FAMILIES


def test_requests_are_not_kept_alive() -> None:
    families = Families()
    families.watch(Request("r", Dialect.MESSAGES, {}, b""))

    assert len(families._requests) == 0


class Vocabulary:
    """Every character is a token, from when it is `exact`."""

    exact = False

    async def load(self) -> None:
        self.exact = True

    def __call__(self, text: str) -> int:
        return len(text) if self.exact else estimate_tokens(text)


def test_an_estimate_teaches_nothing_once_there_is_a_vocabulary() -> None:
    vocabulary = Vocabulary()
    families = Families(vocabulary)
    requests = [
        Request(f"r{number}", Dialect.MESSAGES, {"model": "m", "system": LONG, "messages": []}, b"")
        for number in range(FEWEST_PROMPTS)
    ]
    for request in requests:
        request.count_with(Counting(vocabulary, tokenizer=vocabulary))
        families.watch(request)
        assert not request.counted

    vocabulary.exact = True
    for request in requests:
        families.saw(reported(request, 900))

    assert families.factor("m") == 1.0
