"""Thinking blocks that were made here are told from a provider's own, and kept from providers."""

from __future__ import annotations

from typing import Any

import pytest

from coderouter_core.wire import is_ours, without_our_thinking
from coderouter_core.wire.signature import is_foreign, without_foreign_thinking

TEXT = {"type": "text", "text": "a"}
OURS = {"type": "thinking", "thinking": "hm", "signature": "coderouter:unsigned"}
THEIRS = {"type": "thinking", "thinking": "hm", "signature": "EqQBCgIYAhIM"}
USER = {"role": "user", "content": "hi"}


def said(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


@pytest.mark.parametrize(
    ("signature", "ours"), [("coderouter:unsigned", True), ("EqQBCgIYAhIM", False), ("", False)]
)
def test_our_signatures_are_told_from_a_providers(signature: str, ours: bool) -> None:
    assert is_ours(signature) is ours


@pytest.mark.parametrize(
    ("turns", "kept"),
    [
        pytest.param([USER, said(OURS, TEXT)], [USER, said(TEXT)], id="ours-goes"),
        pytest.param([USER, said(THEIRS, OURS, TEXT)], [USER, said(THEIRS, TEXT)], id="theirs-stays"),
        pytest.param([USER, said(OURS), USER], [USER, USER], id="an-empty-turn-goes"),
    ],
)
def test_only_our_thinking_is_taken_out(turns: list[Any], kept: list[Any]) -> None:
    assert without_our_thinking({"model": "m", "messages": turns}) == {"model": "m", "messages": kept}


@pytest.mark.parametrize(
    "turns",
    [
        pytest.param([USER, said(THEIRS, TEXT)], id="theirs"),
        pytest.param([USER, {"role": "user", "content": [OURS]}], id="in-a-users-turn"),
        pytest.param(
            [said({"type": "thinking", "signature": 5}), "odd", {"role": "assistant"}], id="nonsense"
        ),
        pytest.param("none", id="no-turns"),
    ],
)
def test_a_request_without_it_needs_no_change(turns: Any) -> None:
    assert without_our_thinking({"messages": turns}) is None


@pytest.mark.parametrize(
    ("signature", "foreign"),
    [
        pytest.param("EqQBCgIYAhIM1gbcDa9GJw==", False, id="base64"),
        pytest.param("c2ln", False, id="short-base64"),
        pytest.param("coderouter:unsigned", True, id="ours"),
        pytest.param("", True, id="none"),
        pytest.param("3f0c9a52-2d6b-4b8e-9d77-6d5f1c0e8a11", True, id="an-id"),
        pytest.param("9f86d081884c7d659a2feaa0c55ad015", True, id="a-digest"),
        pytest.param("sig_abc", True, id="a-word"),
        pytest.param("EqQBCgIYAhIM1", True, id="cut-base64"),
    ],
)
def test_what_anthropic_cannot_have_signed_is_foreign(signature: str, foreign: bool) -> None:
    assert is_foreign(signature) is foreign


def test_a_thinking_block_without_a_signature_is_foreign() -> None:
    bare = {"type": "thinking", "thinking": "hm"}

    assert without_foreign_thinking({"messages": [USER, said(bare, TEXT)]}) == {
        "messages": [USER, said(TEXT)]
    }
