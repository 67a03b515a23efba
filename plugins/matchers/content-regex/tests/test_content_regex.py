from __future__ import annotations

import pytest
from coderouter_matcher_content_regex import LONGEST_TEXT, ContentRegex, ContentRegexMatcher

from coderouter_core.api import ConfigError, Dialect, Request
from coderouter_core.testing import Script, ServedRouter, conformance, make_router

#: Patterns that try every way to split a text, and texts on which that takes for ever.
CATASTROPHIC = [
    pytest.param(r"(a+)+$", "a" * 60_000 + "b", id="nested-repeats"),
    pytest.param(r"(x+x+)+y", "x" * 60_000, id="repeats-beside-each-other"),
    pytest.param(r"^(\w+\s?)*$", "word " * 9_000 + "!", id="words-and-blanks"),
    pytest.param(r"(?:a?){50}a{50}$", "a" * 49 + "b" * 50_000, id="many-that-may-be-missing"),
]


def asked(text: str) -> Request:
    return Request("r", Dialect.MESSAGES, {"messages": [{"role": "user", "content": text}]}, b"")


def routed(pattern: str) -> ServedRouter:
    return make_router(
        ContentRegexMatcher(),
        Script(sql="sql", writing="writing"),
        profiles=[{"name": name, "providers": [name]} for name in ("sql", "writing")],
        default_profile="auto",
        auto_router={"rules": [{"if": {"content_regex": pattern}, "route_to": "sql"}]},
    )


def test_it_conforms() -> None:
    conformance(ContentRegexMatcher())


@pytest.mark.parametrize(
    ("pattern", "text", "holds"),
    [
        pytest.param(r"SELECT\s", "please SELECT * now", True, id="within"),
        pytest.param(r"^SELECT", "please SELECT *", False, id="anchored"),
        pytest.param(r"(?m)^SELECT", "please:\nSELECT *", True, id="line"),
        pytest.param(r"select", "SELECT", False, id="case-counts"),
        pytest.param(r"(?i)select", "SELECT", True, id="case-ignored-on-demand"),
        pytest.param(r"", "", True, id="empty-pattern"),
        pytest.param(r"x", "", False, id="empty-text"),
        pytest.param(r"end$", "a" * LONGEST_TEXT + "end", True, id="end-of-a-long-text"),
        pytest.param(r"begin", "begin" + "a" * LONGEST_TEXT, False, id="beginning-of-a-long-text"),
        pytest.param(
            r"^a", "a" * (LONGEST_TEXT + 1), False, id="the-end-of-a-long-text-is-not-its-beginning"
        ),
    ],
)
def test_the_pattern_must_be_found(pattern: str, text: str, holds: bool) -> None:
    assert ContentRegexMatcher().match_rule(ContentRegex(pattern), asked(text)) is holds


def test_a_condition_of_another_matcher_is_left_to_it() -> None:
    assert ContentRegexMatcher().match_rule("another", asked("")) is None


@pytest.mark.parametrize("dialect", ["messages", "chat"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_content_regex_routes(dialect: str, stream: bool) -> None:
    router = routed(r"SELECT .* FROM")

    said = [router.ask(text, dialect=dialect, stream=stream).text for text in ("SELECT a FROM b", "a poem")]

    assert said == ["sql", "writing"]


@pytest.mark.parametrize(("pattern", "text"), CATASTROPHIC)
def test_a_pattern_that_takes_for_ever_does_not_hold(pattern: str, text: str) -> None:
    assert ContentRegexMatcher().match_rule(ContentRegex(pattern), asked(text)) is False


def test_a_pattern_that_takes_for_ever_is_told_without_the_text() -> None:
    asked = routed(r"(a+)+$").ask("a" * 5_000 + "b")

    (fields,) = [event.fields for event in asked.events if event.name == "content-regex-timeout"]
    assert fields == {"pattern": r"(a+)+$", "timeout_ms": 5, "content_len": 5_001}


def test_a_request_is_answered_although_a_pattern_takes_for_ever() -> None:
    assert routed(r"(a+)+$").ask("a" * 5_000 + "b").text == "writing"


def test_a_pattern_that_is_none_is_an_error_with_field_and_pattern() -> None:
    with pytest.raises(ConfigError) as error:
        routed("(open")

    assert "auto_router.rules[0].if.content_regex: not a regular expression" in str(error.value)
    assert "'(open'" in str(error.value)


@pytest.mark.parametrize("one", ["a", r"\-", "[a]", r"\x61"], ids=repr)
def test_a_literal_text_that_takes_seconds_to_make_ready_is_an_error(one: str) -> None:
    with pytest.raises(ConfigError, match="holds a literal text of more than 256 characters: shorten it"):
        routed(f"x.*{one * 257}")


def test_a_long_pattern_of_many_words_loads() -> None:
    pattern = "|".join(f"word{number}" for number in range(200))

    assert ContentRegexMatcher().match_rule(ContentRegex(pattern), asked("a word199 here")) is True
