"""What a request tells of itself to rules."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coderouter_core.api import Dialect, Request

RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "```\nprinted by a tool\n```"}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "run", "input": {}}]}


def said(*turns: Any, dialect: Dialect = Dialect.MESSAGES) -> Request:
    spoken = [{"role": "user", "content": turn} if isinstance(turn, str | list) else turn for turn in turns]
    return Request("req_1", dialect, {"model": "m", "messages": spoken}, b"")


@pytest.mark.parametrize(
    ("turns", "text"),
    [
        pytest.param([], "", id="no-turn"),
        pytest.param(["hello"], "hello", id="text"),
        pytest.param([[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]], "a\nb", id="blocks"),
        pytest.param(["first", {"role": "assistant", "content": "x"}, "second"], "second", id="latest"),
        pytest.param(["do it", CALL, [RESULT]], "do it", id="a-tool-result-is-not-human"),
        pytest.param(
            ["do it", CALL, [{**RESULT, "text": "x"}]], "do it", id="nor-is-a-text-beside-its-content"
        ),
        pytest.param(
            ["do it", CALL, [RESULT, {"type": "text", "text": "stop"}]], "stop", id="spoken-beside-a-result"
        ),
        pytest.param(
            ["do it", CALL, [RESULT, {"type": "text", "text": "<system-reminder>\nx\n</system-reminder>\n"}]],
            "do it",
            id="a-reminder-is-not-human",
        ),
        pytest.param(
            [
                [
                    {"type": "text", "text": "<system-reminder>x</system-reminder>"},
                    {"type": "text", "text": "hi"},
                ]
            ],
            "hi",
            id="beside-a-reminder",
        ),
        pytest.param(
            ["do it", {"role": "tool", "tool_call_id": "c", "content": "printed"}],
            "do it",
            id="tool-turn-of-chat",
        ),
    ],
)
def test_the_latest_human_text(turns: list[Any], text: str) -> None:
    assert said(*turns).latest_user_text == text


@pytest.mark.parametrize(
    ("text", "ratio"),
    [
        pytest.param("", 0.0, id="empty"),
        pytest.param("no code here", 0.0, id="prose"),
        pytest.param("```\nx = 1\n```", 1.0, id="only-code"),
        pytest.param("ab```x```cd", 7 / 11, id="fences-count"),
        pytest.param("```\nnever closed", 0.0, id="unclosed"),
        pytest.param("```a``` and ```never closed", 7 / 27, id="second-unclosed"),
        pytest.param("~~~\nx = 1\n~~~", 0.0, id="tildes"),
        pytest.param("``` ```` `", 7 / 10, id="a-fourth-backtick-is-outside"),
    ],
)
def test_how_much_is_fenced_code(text: str, ratio: float) -> None:
    assert said(text).code_fence_ratio == pytest.approx(ratio)


@given(st.text(alphabet="`a\n~"))
def test_a_ratio_is_a_share(text: str) -> None:
    assert 0.0 <= said(text).code_fence_ratio <= 1.0


@given(st.lists(st.text(alphabet="ab \n", min_size=1)), st.text(alphabet="ab "))
def test_a_text_of_closed_fences_and_prose_has_the_share_of_its_fences(code: list[str], prose: str) -> None:
    fenced = "".join(f"```{each}```" for each in code)
    text = fenced + prose

    assert said(text).code_fence_ratio == pytest.approx(len(fenced) / len(text) if text else 0.0)


def test_signals_tell_only_what_was_computed() -> None:
    assert said("hello").signals() == {"has_image": False, "has_tools": False, "model": "m"}


def test_signals_tell_what_was_computed() -> None:
    request = said("ab```x```cdefgh")
    _ = request.code_fence_ratio, request.tokens

    assert request.signals() == {
        "has_image": False,
        "has_tools": False,
        "model": "m",
        "content_len": 15,
        "code_fence_ratio": 0.467,
        "estimated_tokens": request.tokens,
    }
