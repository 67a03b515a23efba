from __future__ import annotations

from typing import Any

import pytest
from coderouter_matcher_code_fence_ratio import CodeFenceRatio, CodeFenceRatioMatcher

from coderouter_core.api import ConfigError, Dialect, Request
from coderouter_core.testing import Script, ServedRouter, conformance, make_router

HALF_CODE = "```x = 1```" + "a" * 11


def asked(text: str) -> Request:
    return Request("r", Dialect.MESSAGES, {"messages": [{"role": "user", "content": text}]}, b"")


def routed(ratio: float) -> ServedRouter:
    return make_router(
        CodeFenceRatioMatcher(),
        Script(coding="coding", writing="writing"),
        profiles=[{"name": name, "providers": [name]} for name in ("coding", "writing")],
        default_profile="auto",
        auto_router={"rules": [{"if": {"code_fence_ratio_min": ratio}, "route_to": "coding"}]},
    )


def test_it_conforms() -> None:
    conformance(CodeFenceRatioMatcher())


@pytest.mark.parametrize(
    ("text", "least", "holds"),
    [
        pytest.param(HALF_CODE, 0.5, True, id="as-much"),
        pytest.param(HALF_CODE, 0.51, False, id="less"),
        pytest.param("```never closed", 0.1, False, id="unclosed"),
        pytest.param("~~~\nx\n~~~", 0.1, False, id="tildes"),
        pytest.param("", 0.1, False, id="empty"),
        pytest.param("", 0.0, True, id="none-is-asked-for"),
    ],
)
def test_the_share_of_fenced_code_decides(text: str, least: float, holds: bool) -> None:
    condition = CodeFenceRatio(code_fence_ratio_min=least)

    assert CodeFenceRatioMatcher().match_rule(condition, asked(text)) is holds


def test_a_condition_of_another_matcher_is_left_to_it() -> None:
    assert CodeFenceRatioMatcher().match_rule("another", asked("")) is None


@pytest.mark.parametrize("dialect", ["messages", "chat"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_code_fence_ratio_min_routes(dialect: str, stream: bool) -> None:
    router = routed(0.5)

    said = [router.ask(text, dialect=dialect, stream=stream).text for text in (HALF_CODE, "prose")]

    assert said == ["coding", "writing"]


def test_tool_results_do_not_change_what_a_human_wrote() -> None:
    call: list[dict[str, Any]] = [{"type": "tool_use", "id": "t", "name": "run", "input": {}}]
    result = [{"type": "tool_result", "tool_use_id": "t", "content": "plain words"}]
    turns = [{"role": "user", "content": HALF_CODE}, {"role": "assistant", "content": call}]

    assert routed(0.5).ask([*turns, {"role": "user", "content": result}]).text == "coding"


def test_the_event_tells_the_share_in_three_decimals() -> None:
    events = routed(0.1).ask("ab```x```cdefgh").events

    (signals,) = [event.fields["signals"] for event in events if event.name == "auto-router-resolved"]
    assert signals["code_fence_ratio"] == 0.467


@pytest.mark.parametrize("least", [-0.1, 1.1])
def test_a_share_is_between_none_and_all(least: float) -> None:
    with pytest.raises(ConfigError, match=r"rules\[0\]\.if\.code_fence_ratio_min: must be"):
        routed(least)
