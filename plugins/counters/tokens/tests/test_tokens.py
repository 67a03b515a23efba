from __future__ import annotations

import pytest
from coderouter_counter_tokens import PIECE, TokensCounter, count

from coderouter_core.testing import Script, conformance, make_router


def test_it_conforms() -> None:
    conformance(TokensCounter())


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        pytest.param("", 0, id="nothing"),
        pytest.param("hello world", 2, id="two-words"),
        pytest.param("tokenization", 2, id="a-word-in-two"),
        pytest.param("1234567", 3, id="digits-by-threes"),
        pytest.param("<|endoftext|>", 7, id="a-special-token-is-only-text"),
    ],
)
def test_counts_are_exact(text: str, tokens: int) -> None:
    assert count(text) == tokens


def test_a_long_text_counts_as_its_parts_do() -> None:
    line = " and every line is like the one before"

    assert count(line * (3 * PIECE // len(line))) == (3 * PIECE // len(line)) * count(line)


@pytest.mark.parametrize("sign", ["-", " ", "a", "\n", "あ"])
def test_a_run_of_one_sign_is_counted_in_pieces(sign: str) -> None:
    assert count(sign * (8 * PIECE)) == 8 * count(sign * PIECE)


def test_half_a_character_is_counted() -> None:
    assert count("\ud83d") > 0


def test_count_tokens_is_answered_by_the_vocabulary() -> None:
    router = make_router(TokensCounter(), Script(local="hi"))
    text = "supercalifragilisticexpialidocious " * 100
    body = {"model": "any", "messages": [{"role": "user", "content": text}]}

    said = router.client.post("/v1/messages/count_tokens", json=body).json()["input_tokens"]

    assert said == pytest.approx(count(text), abs=6)
