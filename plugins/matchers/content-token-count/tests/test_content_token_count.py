from __future__ import annotations

from typing import Any

import pytest
from coderouter_matcher_content_token_count import ContentTokenCount, ContentTokenCountMatcher

from coderouter_core.api import ConfigError, Dialect, Request
from coderouter_core.testing import Script, ServedRouter, conformance, make_router

#: About 1,500 tokens.
LONG = "the quick brown fox jumps over the lazy dog, and so it goes on. " * 100


def routed(least: Any) -> ServedRouter:
    return make_router(
        ContentTokenCountMatcher(),
        Script(long="long", writing="writing"),
        profiles=[{"name": name, "providers": [name]} for name in ("long", "writing")],
        default_profile="auto",
        auto_router={"rules": [{"if": {"content_token_count_min": least}, "route_to": "long"}]},
    )


def test_it_conforms() -> None:
    conformance(ContentTokenCountMatcher())


@pytest.mark.parametrize(("more", "holds"), [(-1, True), (0, True), (1, False)])
def test_the_count_decides(more: int, holds: bool) -> None:
    request = Request("r", Dialect.MESSAGES, {"messages": [{"role": "user", "content": "hello"}]}, b"")
    condition = ContentTokenCount(request.tokens + more)

    assert ContentTokenCountMatcher().match_rule(condition, request) is holds


def test_a_condition_of_another_matcher_is_left_to_it() -> None:
    request = Request("r", Dialect.MESSAGES, {}, b"")

    assert ContentTokenCountMatcher().match_rule("another", request) is None


@pytest.mark.parametrize("dialect", ["messages", "chat"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_content_token_count_min_routes(dialect: str, stream: bool) -> None:
    router = routed(1_000)

    assert [router.ask(text, dialect=dialect, stream=stream).text for text in (LONG, "hi")] == [
        "long",
        "writing",
    ]


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"system": LONG}, id="system"),
        pytest.param(
            {"tools": [{"name": "t", "description": LONG, "input_schema": {"type": "object"}}]}, id="tools"
        ),
        pytest.param(
            {
                "messages": [
                    {"role": "user", "content": "go"},
                    {
                        "role": "assistant",
                        "content": [{"type": "tool_use", "id": "t", "name": "say", "input": {"text": LONG}}],
                    },
                    {
                        "role": "user",
                        "content": [{"type": "tool_result", "tool_use_id": "t", "content": "done"}],
                    },
                ]
            },
            id="tool-call",
        ),
    ],
)
def test_the_whole_prompt_counts(asked: dict[str, Any]) -> None:
    assert routed(1_000).ask("hi", **asked).text == "long"


def test_the_event_tells_the_count() -> None:
    events = routed(1_000).ask(LONG).events

    (signals,) = [event.fields["signals"] for event in events if event.name == "auto-router-resolved"]
    assert signals["estimated_tokens"] == pytest.approx(1_500, rel=0.15)


@pytest.mark.parametrize("least", [0, -5])
def test_a_count_is_at_least_one(least: int) -> None:
    with pytest.raises(ConfigError, match=r"rules\[0\]\.if\.content_token_count_min: must be"):
        routed(least)
