"""The estimate of tokens against what a real vocabulary counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coderouter_core.model.tokens import estimate_tokens

TEXTS = Path(__file__).with_name("texts")
#: What the o200k vocabulary makes of each file; ``benchmarks/tokens.py`` counts again where one is installed.
O200K = {
    "english.txt": 536,
    "python.txt": 854,
    "javascript.txt": 553,
    "rust.txt": 627,
    "schemas.json": 576,
    "japanese.txt": 530,
    "chinese.txt": 337,
    "log.txt": 465,
}


@pytest.mark.parametrize("name", O200K)
def test_the_estimate_is_within_fifteen_percent(name: str) -> None:
    text = (TEXTS / name).read_text(encoding="utf-8")

    assert estimate_tokens(text) == pytest.approx(O200K[name], rel=0.15)


def test_japanese_is_not_counted_as_a_quarter_of_its_characters() -> None:
    text = (TEXTS / "japanese.txt").read_text(encoding="utf-8")

    assert estimate_tokens(text) > len(text) / 2


def test_every_kind_of_text_has_a_count() -> None:
    assert {path.name for path in TEXTS.iterdir()} == O200K.keys()


def test_nothing_is_no_token() -> None:
    assert estimate_tokens("") == 0


@given(st.text(min_size=1))
def test_any_text_has_a_token_and_never_more_than_its_bytes(text: str) -> None:
    assert 1 <= estimate_tokens(text) <= len(text.encode("utf-8", "replace"))


@given(st.text(alphabet=st.characters(codec="utf-8")), st.integers(2, 20))
def test_a_text_that_is_repeated_counts_in_proportion(text: str, times: int) -> None:
    line = f"{text} and so on, the same line.\n"

    assert estimate_tokens(line * times) == pytest.approx(times * estimate_tokens(line), rel=0.25, abs=times)


def test_half_a_character_is_counted() -> None:
    assert estimate_tokens("\ud83d is half of one") > 0
