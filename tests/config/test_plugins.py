"""Keys belong to plugins: declared, disabled, not installed."""

import pytest
from attrs import frozen

from coderouter_core.config import disabled_plugins, parse
from coderouter_core.config.features import Features, owner_of
from coderouter_core.errors import ConfigError
from coderouter_core.model import Config, Option, Scope


@frozen
class Wire: ...


@frozen
class Loop:
    tool_loop_window: int = 5


@frozen
class OtherLoop:
    tool_loop_window: int = 6


@frozen
class Timeout:
    timeout_s: float = 1.0


@frozen
class Acme:
    acme: str


@frozen
class Site:
    site: str = "here"


@frozen
class Nested:
    when: "Site" = Site()


class NoAttrs: ...


@frozen
class Unreadable:
    file: Exception | None = None


@frozen
class Outer:
    inner: tuple[Unreadable, ...] = ()


ADAPTER = ("openai-compat", Option(Scope.PROVIDER, Wire, kind="openai-compat"))
LOOP = ("tool-loop", Option(Scope.PROFILE, Loop))
TEXT = """\
{top}
default_profile: main
providers: [{{name: local}}]
profiles:
  - name: main
    providers: [local]
    {key}
"""


def config(
    *options: tuple[str, Option], top: str = "", key: str = "", disabled: tuple[str, ...] = (), off: str = ""
) -> Config:
    return parse(
        TEXT.format(top=top, key=key),
        "f",
        [ADAPTER, *options],
        {"CODEROUTER_DISABLE": off},
        disabled=disabled,
    )


def said(
    *options: tuple[str, Option], top: str = "", key: str = "", disabled: tuple[str, ...] = (), off: str = ""
) -> str:
    with pytest.raises(ConfigError) as caught:
        config(*options, top=top, key=key, disabled=disabled, off=off)
    return str(caught.value)


def test_two_plugins_cannot_own_one_key() -> None:
    assert said(LOOP, ("other", Option(Scope.PROFILE, OtherLoop))) == (
        "the key 'tool_loop_window' on a profile is declared by 'tool-loop' and by 'other'; "
        "uninstall or disable one of them"
    )


def test_a_plugin_cannot_own_a_key_of_the_core() -> None:
    assert "the key 'timeout_s' on a profile is declared by 'coderouter-core' and by 'slow'" in said(
        ("slow", Option(Scope.PROFILE, Timeout))
    )


def test_two_plugins_cannot_speak_one_kind() -> None:
    assert "the kind 'openai-compat' is declared by 'openai-compat' and by 'mine'" in said(
        ("mine", Option(Scope.PROVIDER, Wire, kind="openai_compat"))
    )


def test_one_key_can_belong_to_providers_of_two_kinds() -> None:
    kinds = [("a", Option(Scope.PROVIDER, Site, kind="a")), ("b", Option(Scope.PROVIDER, Site, kind="b"))]

    assert config(*kinds).default_profile == "main"


def test_a_disabled_plugin_clashes_with_nobody() -> None:
    options = (LOOP, ("other", Option(Scope.PROFILE, OtherLoop)))

    assert config(*options, disabled=("tool_loop",)).profiles[0].option(OtherLoop) == OtherLoop(6)


@pytest.mark.parametrize(
    ("cls", "problem"),
    [
        pytest.param(NoAttrs, "NoAttrs must be an attrs class", id="no-attrs"),
        pytest.param(Unreadable, "Unreadable.file: no file can hold a Exception", id="type-of-a-field"),
        pytest.param(Outer, "Unreadable.file: no file can hold a Exception", id="type-inside"),
    ],
)
def test_an_option_that_no_file_can_say_is_the_plugins_mistake(cls: type, problem: str) -> None:
    assert said(("odd", Option(Scope.PROFILE, cls))) == (
        f"plugin 'odd' declares an option that cannot be read: {problem}"
    )


def test_router_options_are_typed() -> None:
    assert config(("acme", Option(Scope.ROUTER, Site)), top="site: there").option(Site) == Site("there")


def test_options_that_are_not_written_have_their_defaults() -> None:
    assert config(("acme", Option(Scope.ROUTER, Site))).option(Site) == Site("here")


def test_an_option_can_be_a_mapping_with_keys_of_its_own() -> None:
    found = config(("acme", Option(Scope.ROUTER, Nested)), top="when: {site: there}")

    assert found.option(Nested) == Nested(Site("there"))


def test_a_key_that_an_adapter_needs_is_asked_for() -> None:
    option = Option(Scope.PROVIDER, Acme, kind="acme")
    text = TEXT.format(top="", key="").replace("name: local", "name: local, kind: acme")

    with pytest.raises(ConfigError) as caught:
        parse(text, "f", [("acme", option)], {})

    assert str(caught.value) == "f:3:13: providers[0].acme: missing; it has no default"


@pytest.mark.parametrize(
    ("top", "off", "where"),
    [
        pytest.param("plugins: {disabled: [tool_loop]}", "", "plugins.disabled", id="file"),
        pytest.param("", "tool_loop", "CODEROUTER_DISABLE", id="environment"),
    ],
)
@pytest.mark.parametrize("options", [(), (LOOP,)], ids=["not-loaded", "loaded"])
def test_a_key_of_a_disabled_plugin_says_so(
    top: str, off: str, where: str, options: tuple[tuple[str, Option], ...]
) -> None:
    assert said(*options, top=top, key="tool_loop_window: 3", off=off) == (
        "f:7:5: profiles[0].tool_loop_window: comes with the plugin 'tool-loop', which is disabled; "
        f"remove the key, or 'tool-loop' from {where}"
    )


def test_a_kind_of_a_disabled_plugin_says_so() -> None:
    assert said(off="openai-compat") == (
        "f:3:13: providers[0].kind: 'openai-compat' comes with the plugin 'openai-compat', which is disabled; "
        "remove the provider, or 'openai-compat' from CODEROUTER_DISABLE"
    )


def test_a_disabled_plugin_has_no_options() -> None:
    assert Loop not in config(LOOP, off="tool-loop").profiles[0].options


def test_a_misspelt_name_in_the_file_is_a_problem() -> None:
    assert said(LOOP, top="plugins: {disabled: [tool-lop]}") == (
        "f:1:22: plugins.disabled[0]: no plugin is named 'tool-lop'; did you mean 'tool-loop'?"
    )


def test_a_misspelt_name_in_the_environment_is_a_problem() -> None:
    assert said(LOOP, off="tool-loop, tool-lop ,") == (
        "CODEROUTER_DISABLE: no plugin is named 'tool-lop'; did you mean 'tool-loop'?"
    )


def test_the_configuration_knows_what_is_disabled() -> None:
    found = config(LOOP, top="plugins: {disabled: [tool_loop]}", off="budget, adaptive")

    assert found.plugins_disabled == ("tool-loop", "budget", "adaptive")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("plugins: {disabled: [a_b, c]}", ("a-b", "c", "d"), id="list"),
        pytest.param("plugins: {disabled: a}", ("d",), id="no-list"),
        pytest.param("plugins: [a]", ("d",), id="no-mapping"),
        pytest.param("- a", ("d",), id="no-document"),
        pytest.param("a: [", ("d",), id="no-yaml"),
        pytest.param("", ("d",), id="empty"),
    ],
)
def test_disabled_plugins_are_known_before_the_file_is_read(text: str, expected: tuple[str, ...]) -> None:
    assert disabled_plugins(text, {"CODEROUTER_DISABLE": " d ,"}) == expected


FEATURES = [
    "tool-loop",
    "budget",
    "adaptive",
    "has-image",
    "code-fence-ratio",
    "content-token-count",
    "has-tools",
]


@pytest.mark.parametrize(
    ("key", "owner"),
    [
        ("tool_loop_window", "tool-loop"),
        ("monthly_budget_usd", "budget"),
        ("adaptive", "adaptive"),
        ("has_image", "has-image"),
        ("code_fence_ratio_min", "code-fence-ratio"),
        ("content_token_count_min", "content-token-count"),
        ("tool_count_loop", None),
        ("budgets", None),
        ("tools", None),
    ],
)
def test_a_key_belongs_to_the_extra_whose_words_stand_in_it(key: str, owner: str | None) -> None:
    assert owner_of(key, FEATURES) == owner


def test_the_longest_name_wins() -> None:
    assert owner_of("tool_loop_budget", ["budget", "tool-loop", "loop"]) == "tool-loop"


def test_the_extras_are_read_from_the_installed_distribution() -> None:
    extras = Features.of_installation().extras

    assert {"openai-compat", "has-image", "tool-loop"} <= extras.keys()


@pytest.mark.parametrize("family", ["adapters", "matchers", "all"])
def test_a_family_is_no_feature(family: str) -> None:
    assert family not in Features.of_installation().extras


@pytest.mark.parametrize(
    ("there", "advice"),
    [
        pytest.param(
            True,
            "comes with a plugin that is not installed; run: pip install 'coderouter-core[tool-loop]'",
            id="in-this-version",
        ),
        pytest.param(
            False,
            "comes with the extra 'tool-loop', for which this version has no plugin yet; remove it",
            id="not-yet",
        ),
    ],
)
def test_advice_about_a_missing_plugin(advice: str, *, there: bool) -> None:
    assert Features({"tool-loop": there}).advice("tool-loop") == advice
