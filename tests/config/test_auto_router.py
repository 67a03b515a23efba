"""Rules that choose a profile, as the file writes them."""

import pytest
from attrs import field, frozen, validators

from coderouter_core.config import parse
from coderouter_core.errors import ConfigError
from coderouter_core.model import AutoRouter, Option, Scope


@frozen
class Wire: ...


@frozen
class Image:
    has_image: bool


@frozen
class Fences:
    code_fence_ratio_min: float = field(validator=[validators.ge(0), validators.le(1)])


@frozen
class Text:
    content_regex: str
    content_regex_flags: str = ""


ADAPTER = ("openai-compat", Option(Scope.PROVIDER, Wire, kind="openai-compat"))
IMAGE = ("has-image", Option(Scope.RULE, Image))
FENCES = ("code-fence-ratio", Option(Scope.RULE, Fences, facts=("code_fence_ratio",)))
TEXT = ("content-regex", Option(Scope.RULE, Text))

PROFILES = ("multi", "coding", "writing")


def document(top: str, profiles: tuple[str, ...] = PROFILES) -> str:
    listed = "".join(f"  - {{name: {name}, providers: [local]}}\n" for name in profiles)
    return f"{top}\nproviders: [{{name: local}}]\nprofiles:\n{listed}"


def auto_router(
    top: str, *more: tuple[str, Option], profiles: tuple[str, ...] = PROFILES, mode: str = ""
) -> AutoRouter:
    options = [ADAPTER, *more]
    found = parse(document(top, profiles), "f", options, {"CODEROUTER_MODE": mode}).auto_router
    assert found is not None
    return found


def said(
    top: str, *more: tuple[str, Option], profiles: tuple[str, ...] = PROFILES, mode: str = ""
) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        auto_router(top, *more, profiles=profiles, mode=mode)
    return [str(problem) for problem in caught.value.problems]


def test_without_rules_the_bundled_ones_apply() -> None:
    found = auto_router("default_profile: auto", IMAGE, FENCES)

    assert [(rule.id, rule.profile, rule.condition, rule.facts) for rule in found.rules] == [
        ("builtin:image-attachment", "multi", Image(True), ()),
        ("builtin:code-fence-dense", "coding", Fences(0.3), ("code_fence_ratio",)),
    ]


def test_without_rules_the_bundled_default_applies() -> None:
    found = auto_router("default_profile: auto", IMAGE, FENCES)

    assert found.default_rule_profile == "writing"


def test_a_bundled_rule_whose_matcher_is_missing_is_left_out() -> None:
    found = auto_router("default_profile: auto", IMAGE)

    assert [rule.id for rule in found.rules] == ["builtin:image-attachment"]


def test_nothing_asks_for_rules_when_a_profile_is_the_default() -> None:
    text = document("default_profile: coding")

    assert parse(text, "f", [ADAPTER, IMAGE, FENCES], {}).auto_router is None


def test_bundled_rules_need_their_profiles() -> None:
    assert said("default_profile: auto", IMAGE, FENCES, profiles=("coding", "other")) == [
        "f:1:18: default_profile: without rules of your own, 'auto' chooses among the profiles multi, coding, "
        "writing; missing: multi, writing; add them, or write auto_router.rules, or set default_profile to one of "
        "coding, other"
    ]


def test_bundled_rules_need_their_profiles_when_the_environment_asks_for_them() -> None:
    assert said("default_profile: coding", IMAGE, profiles=("coding",), mode="auto")[0].startswith(
        "CODEROUTER_MODE: "
    )


def test_an_empty_list_of_rules_means_the_bundled_ones_with_an_own_default() -> None:
    found = auto_router(
        "default_profile: auto\nauto_router: {rules: [], default_rule_profile: coding}", IMAGE
    )

    assert ([rule.profile for rule in found.rules], found.default_rule_profile) == (
        ["multi"],
        "coding",
    )


def test_an_empty_list_of_rules_needs_the_bundled_profiles_too() -> None:
    top = "default_profile: auto\nauto_router: {default_rule_profile: other}"

    assert "missing: multi, coding" in said(top, IMAGE, profiles=("other",))[0]


def test_rules_that_are_switched_off_need_no_profiles_but_the_default() -> None:
    top = "default_profile: auto\nauto_router: {disabled: true, default_rule_profile: other}"

    assert auto_router(top, IMAGE, profiles=("other",)) == AutoRouter((), "other", disabled=True)


def test_the_default_of_rules_must_be_a_profile_even_where_rules_are_not_used() -> None:
    top = "default_profile: other\nauto_router: {default_rule_profile: others}"

    assert said(top, profiles=("other",)) == [
        "f:2:37: auto_router.default_rule_profile: no profile is named 'others'; did you mean 'other'?"
    ]


def test_a_default_of_rules_that_is_not_written_is_told_as_such() -> None:
    assert said("default_profile: other\nauto_router: {}", profiles=("other",)) == [
        "f:2:14: auto_router.default_rule_profile: no profile is named 'writing'; known: other "
        "(the default of this key; write another)"
    ]


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        pytest.param(
            "{profile: codng, match: {has_image: true}}",
            "3:16: auto_router.rules[0].profile: no profile is named 'codng'; did you mean 'coding'?",
            id="unknown-profile",
        ),
        pytest.param(
            "{profile: coding, match: {}}",
            "3:31: auto_router.rules[0].match: a rule needs one condition; known: has_image, content_regex, "
            "content_regex_flags",
            id="no-condition",
        ),
        pytest.param(
            "{profile: coding, match: {has_image: true, content_regex: x}}",
            "3:31: auto_router.rules[0].match: a rule has one condition, this has 2 (has_image, content_regex); "
            "write a rule for each",
            id="two-conditions",
        ),
        pytest.param(
            "{route_to: coding, if: {has_imag: true}}",
            "3:30: auto_router.rules[0].if.has_imag: unknown key; did you mean 'has_image'?",
            id="unknown-condition",
        ),
        pytest.param(
            "{route_to: coding, if: {has_image: ja}}",
            "3:41: auto_router.rules[0].if.has_image: must be true or false, not 'ja'",
            id="value-of-a-condition",
        ),
        pytest.param(
            "{profile: coding, route_to: coding, if: {has_image: true}}",
            "3:24: auto_router.rules[0].route_to: says the same as 'profile'; keep one of them",
            id="both-spellings",
        ),
        pytest.param(
            "{profile: coding}",
            "3:6: auto_router.rules[0]: a rule needs 'match' (or 'if')",
            id="no-match",
        ),
        pytest.param(
            "{profile: coding, match: 5}",
            "3:31: auto_router.rules[0].match: must be a mapping, not 5",
            id="match-is-no-mapping",
        ),
        pytest.param(
            "{id: '', profile: coding, match: {has_image: true}}",
            "3:11: auto_router.rules[0].id: must be text that is not empty, not ''",
            id="empty-id",
        ),
        pytest.param(
            "{profil: coding, match: {has_image: true}, profile: coding}",
            "3:7: auto_router.rules[0].profil: unknown key; did you mean 'profile'?",
            id="unknown-key",
        ),
        pytest.param("coding", "3:6: auto_router.rules[0]: must be a mapping, not 'coding'", id="text"),
    ],
)
def test_a_mistake_in_a_rule(rule: str, problem: str) -> None:
    assert said(f"default_profile: auto\nauto_router: {{rules: [\n     {rule}]}}", IMAGE, TEXT) == [
        f"f:{problem}"
    ]


def test_several_keys_of_one_matcher_are_one_condition() -> None:
    top = "default_profile: auto\nauto_router: {rules: [{profile: multi, match: {content_regex: x, content_regex_flags: i}}]}"
    found = auto_router(top, IMAGE, TEXT)

    assert found.rules[0].condition == Text("x", "i")
