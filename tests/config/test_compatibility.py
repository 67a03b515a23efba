"""Files of CodeRouter 1.10 load unchanged."""

from typing import Literal

import pytest
from attrs import field, frozen, validators

from coderouter_core.config import parse
from coderouter_core.errors import ConfigError
from coderouter_core.model import Config, Option, Prices, Rule, Scope


@frozen
class Wire: ...


@frozen
class Filters:
    output_filters: tuple[Literal["strip_thinking", "strip_stop_markers"], ...] = ()


@frozen
class Budget:
    monthly_budget_usd: float | None = field(default=None, validator=validators.optional(validators.ge(0)))


@frozen
class Pressure:
    memory_pressure_action: Literal["off", "warn", "skip"] = "warn"
    memory_pressure_cooldown_s: int = 120


@frozen
class Health:
    backend_health_action: Literal["off", "warn", "demote"] = "warn"


@frozen
class Adaptive:
    adaptive: bool = False


@frozen
class Tools:
    has_tools: bool


@frozen
class Model:
    model_pattern: str


@frozen
class Size:
    content_token_count_min: int = field(validator=validators.ge(1))


NEEDS = ("base_url", "model")
ADAPTERS = [
    ("openai-compat", Option(Scope.PROVIDER, Wire, kind="openai-compat", requires=NEEDS)),
    ("anthropic", Option(Scope.PROVIDER, Wire, kind="anthropic", requires=NEEDS)),
]
PLUGINS = [
    *ADAPTERS,
    ("output-filters", Option(Scope.PROVIDER, Filters)),
    ("budget", Option(Scope.COST, Budget)),
    ("memory-pressure", Option(Scope.PROFILE, Pressure)),
    ("backend-health", Option(Scope.PROFILE, Health)),
    ("adaptive", Option(Scope.PROFILE, Adaptive)),
    ("has-tools", Option(Scope.RULE, Tools)),
    ("model-pattern", Option(Scope.RULE, Model)),
    ("content-token-count", Option(Scope.RULE, Size, facts=("tokens",))),
]

LOCAL_FIRST = """\
# local first, paid last
default_profile: main
providers:
  - {name: gpu-box, base_url: "http://127.0.0.1:11434/v1", model: "qwen2.5-coder:7b", timeout_s: 120, output_filters: [strip_thinking]}
  - name: claude
    kind: anthropic
    base_url: https://api.anthropic.com
    model: claude-sonnet-4-6
    api_key_env: ANTHROPIC_API_KEY
    paid: true
    cost: {input_tokens_per_million: 3, output_tokens_per_million: 15, monthly_budget_usd: 20}
profiles:
  - {name: main, providers: [gpu-box, claude], memory_pressure_action: skip, backend_health_action: demote, adaptive: true}
mode_aliases: {code: main}
"""

OWN_RULES = """\
# auto routing with own rules
default_profile: auto
auto_router:
  rules:
    - {id: "user:tools", profile: cloud, match: {has_tools: true}}
    - {id: "user:haiku", profile: small, match: {model_pattern: "claude-.*haiku.*"}}
    - {id: "user:big",   profile: cloud, match: {content_token_count_min: 32000}}
  default_rule_profile: small
providers:
  - {name: gpu-box, base_url: "http://127.0.0.1:11434/v1", model: "qwen2.5-coder:7b"}
profiles:
  - {name: cloud, providers: [gpu-box]}
  - {name: small, providers: [gpu-box]}
"""


def loaded(text: str, options: list[tuple[str, Option]] = PLUGINS) -> Config:
    return parse(text, "providers.yaml", options, {})


def rules(text: str) -> tuple[Rule, ...]:
    found = loaded(text).auto_router
    assert found is not None
    return found.rules


def problems(text: str, options: list[tuple[str, Option]]) -> dict[str, str]:
    """What is wrong with `text`, by path."""
    with pytest.raises(ConfigError) as caught:
        parse(text, "providers.yaml", options, {})
    return {problem.path: problem.message for problem in caught.value.problems}


def test_the_keys_of_the_core_become_values() -> None:
    claude = loaded(LOCAL_FIRST).providers[1]

    assert (claude.kind, claude.model, claude.paid, claude.api_key_env) == (
        "anthropic",
        "claude-sonnet-4-6",
        True,
        "ANTHROPIC_API_KEY",
    )


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        pytest.param(Pressure, Pressure("skip"), id="memory-pressure"),
        pytest.param(Health, Health("demote"), id="backend-health"),
        pytest.param(Adaptive, Adaptive(True), id="adaptive"),
    ],
)
def test_a_profile_has_the_typed_options_of_plugins(option: type, expected: object) -> None:
    assert loaded(LOCAL_FIRST).profiles[0].option(option) == expected


def test_a_provider_has_the_typed_options_of_plugins() -> None:
    assert loaded(LOCAL_FIRST).providers[0].option(Filters) == Filters(("strip_thinking",))


def test_keys_under_cost_become_options_of_the_provider() -> None:
    assert loaded(LOCAL_FIRST).providers[1].option(Budget) == Budget(20.0)


def test_prices_are_numbers_though_the_file_has_whole_ones() -> None:
    assert loaded(LOCAL_FIRST).providers[1].cost == Prices(3.0, 15.0)


def test_own_rules_load_with_their_conditions() -> None:
    found = rules(OWN_RULES)

    assert [(rule.id, rule.profile, rule.condition) for rule in found] == [
        ("user:tools", "cloud", Tools(True)),
        ("user:haiku", "small", Model("claude-.*haiku.*")),
        ("user:big", "cloud", Size(32000)),
    ]


def test_a_rule_knows_which_facts_its_condition_needs() -> None:
    found = rules(OWN_RULES)

    assert [rule.facts for rule in found] == [(), (), ("tokens",)]


@pytest.mark.parametrize(
    ("path", "extra"),
    [
        pytest.param("providers[0].output_filters", "output-filters", id="output-filters"),
        pytest.param("providers[1].cost.monthly_budget_usd", "budget", id="budget"),
        pytest.param("profiles[0].memory_pressure_action", "memory-pressure", id="memory-pressure"),
        pytest.param("profiles[0].backend_health_action", "backend-health", id="backend-health"),
        pytest.param("profiles[0].adaptive", "adaptive", id="adaptive"),
    ],
)
def test_a_key_of_a_missing_plugin_names_its_extra(path: str, extra: str) -> None:
    message = problems(LOCAL_FIRST, ADAPTERS)[path]

    assert f"'{extra}'" in message or f"[{extra}]" in message


@pytest.mark.parametrize(
    ("path", "extra"),
    [
        pytest.param("auto_router.rules[0].match.has_tools", "has-tools", id="has-tools"),
        pytest.param("auto_router.rules[1].match.model_pattern", "model-pattern", id="model-pattern"),
        pytest.param("auto_router.rules[2].match.content_token_count_min", "content-token-count", id="size"),
    ],
)
def test_a_condition_of_a_missing_plugin_names_its_extra(path: str, extra: str) -> None:
    message = problems(OWN_RULES, ADAPTERS)[path]

    assert f"'{extra}'" in message or f"[{extra}]" in message


def test_a_missing_plugin_is_the_only_problem_of_a_good_file() -> None:
    assert len(problems(LOCAL_FIRST, ADAPTERS)) == 5


def test_a_kind_whose_adapter_is_missing_is_told_how_to_get_it() -> None:
    message = problems(LOCAL_FIRST, [option for option in PLUGINS if option[0] != "anthropic"])

    assert message["providers[1].kind"] == (
        "'anthropic' comes with a plugin that is not installed; run: pip install 'coderouter-core[anthropic]'"
    )


def test_both_spellings_of_a_kind_are_one() -> None:
    text = LOCAL_FIRST.replace("name: gpu-box,", "name: gpu-box, kind: openai_compat,")

    assert loaded(text).providers[0].kind == "openai-compat"


@pytest.mark.parametrize("word", ["yes", "on", "True", "YES"])
def test_words_of_yaml_1_1_are_booleans(word: str) -> None:
    assert loaded(LOCAL_FIRST.replace("paid: true", f"paid: {word}")).providers[1].paid is True


def test_words_of_yaml_1_1_stay_text_in_quotes() -> None:
    text = LOCAL_FIRST.replace("name: main", 'name: "on"').replace("main", '"on"')

    assert loaded(text).default_profile == "on"


def test_if_and_route_to_are_match_and_profile() -> None:
    text = OWN_RULES.replace("match:", "if:").replace(" profile:", " route_to:")
    found = rules(text)

    assert found[0].condition == Tools(True)


def test_a_rule_without_id_is_named_by_its_place() -> None:
    found = rules(OWN_RULES.replace('id: "user:haiku", ', ""))

    assert [rule.id for rule in found] == ["user:tools", "user:2", "user:big"]


def test_an_empty_condition_counts_as_not_written() -> None:
    found = rules(OWN_RULES.replace("{has_tools: true}", "{has_tools: true, model_pattern: }"))

    assert found[0].condition == Tools(True)
