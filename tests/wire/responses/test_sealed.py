"""Reasoning that clients keep for us."""

from __future__ import annotations

import pytest

from coderouter_core.wire import is_ours
from coderouter_core.wire.responses.sealed import Thought, seal, unseal


def test_what_was_sealed_comes_back() -> None:
    assert unseal(seal(Thought("hm 🎉", "c2ln"))) == Thought("hm 🎉", "c2ln")


def test_it_is_marked_as_ours() -> None:
    assert is_ours(seal(Thought("")))


@pytest.mark.parametrize(
    "content",
    [None, 3, "", "gAAAAB_of_openai", "coderouter:", "coderouter:ü", "coderouter:e30", "coderouter:bm8="],
)
def test_anything_else_is_nothing(content: object) -> None:
    assert unseal(content) is None
