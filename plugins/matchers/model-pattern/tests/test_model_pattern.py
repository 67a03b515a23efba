import attrs
import pytest
from coderouter_matcher_model_pattern import LONGEST_ID, ModelPattern, ModelPatternMatcher

from coderouter_core.api import Dialect, Request
from coderouter_core.testing import Script, ServedRouter, conformance, make_router

#: Tries every three places of an id, and comparisons for each.
SLOW = r"(a*)(a*)(a*)\1\2\3[^a]"


def asked(model: object) -> Request:
    return Request(id="r", dialect=Dialect.MESSAGES, body={"model": model}, raw=b"")


def test_it_conforms() -> None:
    conformance(ModelPatternMatcher())


@pytest.mark.parametrize(
    ("pattern", "model", "holds"),
    [
        pytest.param("claude-.*haiku.*", "claude-haiku-4-5", True, id="whole"),
        pytest.param("haiku", "claude-haiku-4-5", False, id="part"),
        pytest.param("claude-haiku", "claude-haiku-4-5", False, id="beginning"),
        pytest.param("gpt|claude", "claude", True, id="one-of-two"),
        pytest.param("claude", "Claude", False, id="case-counts"),
        pytest.param("(?i)claude", "Claude", True, id="case-ignored-on-demand"),
        pytest.param("a.c", "a\nc", False, id="a-dot-is-no-line-end"),
        pytest.param(".*", "", False, id="no-model"),
        pytest.param(".*", None, False, id="null"),
        pytest.param(".*", 7, False, id="not-a-text"),
        pytest.param("a*", "a" * LONGEST_ID, True, id="longest"),
        pytest.param("a*", "a" * (LONGEST_ID + 1), False, id="too-long"),
    ],
)
def test_the_whole_id_matches(pattern: str, model: object, holds: bool) -> None:
    assert ModelPatternMatcher().match_rule(ModelPattern(model_pattern=pattern), asked(model)) is holds


def test_one_matcher_keeps_patterns_apart() -> None:
    matcher = ModelPatternMatcher()
    matcher.match_rule(ModelPattern("a"), asked("a"))

    assert matcher.match_rule(ModelPattern("b"), asked("a")) is False


def test_a_condition_of_another_matcher_is_left_to_it() -> None:
    assert ModelPatternMatcher().match_rule("another", asked("m")) is None


def test_a_pattern_that_is_none_is_refused_and_quoted() -> None:
    with pytest.raises(ValueError, match=r"'\(open'"):
        ModelPattern(model_pattern="(open")


def test_its_key_is_model_pattern() -> None:
    (option,) = ModelPatternMatcher().declare_options()

    assert [field.name for field in attrs.fields(option.cls)] == ["model_pattern"]


def routed(pattern: str) -> ServedRouter:
    return make_router(
        ModelPatternMatcher(),
        Script(small="small", writing="writing"),
        profiles=[{"name": name, "providers": [name]} for name in ("small", "writing")],
        default_profile="auto",
        auto_router={"rules": [{"if": {"model_pattern": pattern}, "route_to": "small"}]},
    )


@pytest.mark.parametrize("dialect", ["messages", "chat"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_model_pattern_routes(dialect: str, stream: bool) -> None:
    router = routed("claude-.*haiku.*")

    said = [
        router.ask(model=model, dialect=dialect, stream=stream).text
        for model in ("claude-haiku-4-5", "gpt-5")
    ]

    assert said == ["small", "writing"]


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("(a+)+[^a]", id="nested-repeats"),
        pytest.param("a?" * 200 + "a" * 200, id="many-that-may-be-missing"),
        pytest.param("a*a*a*a*a*a*a*[^a]", id="repeats-beside-each-other"),
        pytest.param(SLOW, id="references"),
    ],
)
def test_a_pattern_that_takes_for_ever_does_not_hold(pattern: str) -> None:
    assert ModelPatternMatcher().match_rule(ModelPattern(pattern), asked("a" * LONGEST_ID)) is False


def test_a_pattern_that_takes_for_ever_is_told() -> None:
    events = routed(SLOW).ask(model="a" * LONGEST_ID).events

    (fields,) = [event.fields for event in events if event.name == "model-pattern-timeout"]
    assert fields == {"pattern": SLOW, "timeout_ms": 5, "model_len": LONGEST_ID}
