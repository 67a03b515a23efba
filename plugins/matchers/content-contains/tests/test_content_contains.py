from __future__ import annotations

from typing import Any

import pytest
from coderouter_matcher_content_contains import ContentContains, ContentContainsMatcher

from coderouter_core.api import ConfigError, Dialect, Request
from coderouter_core.testing import Script, ServedRouter, conformance, make_router


def asked(content: Any) -> Request:
    return Request("r", Dialect.MESSAGES, {"messages": [{"role": "user", "content": content}]}, b"")


def routed(words: Any) -> ServedRouter:
    return make_router(
        ContentContainsMatcher(),
        Script(ops="ops", writing="writing"),
        profiles=[{"name": name, "providers": [name]} for name in ("ops", "writing")],
        default_profile="auto",
        auto_router={"rules": [{"match": {"content_contains": words}, "profile": "ops", "id": "user:ops"}]},
    )


def test_it_conforms() -> None:
    conformance(ContentContainsMatcher())


@pytest.mark.parametrize(
    ("content", "holds"),
    [
        pytest.param("please run kubectl now", True, id="within"),
        pytest.param("kubectl", True, id="all"),
        pytest.param("Kubectl", False, id="case-counts"),
        pytest.param("kube ctl", False, id="as-written"),
        pytest.param("", False, id="empty"),
        pytest.param(
            [{"type": "text", "text": "run"}, {"type": "text", "text": "kubectl"}], True, id="any-block"
        ),
        pytest.param([{"type": "tool_result", "content": "kubectl"}], False, id="a-tool-result-is-not-human"),
    ],
)
def test_the_words_must_occur(content: Any, holds: bool) -> None:
    assert ContentContainsMatcher().match_rule(ContentContains("kubectl"), asked(content)) is holds


def test_a_condition_of_another_matcher_is_left_to_it() -> None:
    assert ContentContainsMatcher().match_rule("another", asked("")) is None


@pytest.mark.parametrize("dialect", ["messages", "chat"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_content_contains_routes(dialect: str, stream: bool) -> None:
    router = routed("kubectl")

    said = [router.ask(text, dialect=dialect, stream=stream).text for text in ("run kubectl", "write a poem")]

    assert said == ["ops", "writing"]


def test_the_event_tells_the_length_and_never_the_text() -> None:
    events = routed("kubectl").ask("run kubectl").events

    (fields,) = [event.fields for event in events if event.name == "auto-router-resolved"]
    assert (fields["signals"]["content_len"], "kubectl" in repr(fields)) == (11, False)


def test_what_is_not_text_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"rules\[0\]\.match\.content_contains: must be text, not 7"):
        routed(7)
