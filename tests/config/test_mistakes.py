"""Every mistake is told: where, what, and what to do."""

from typing import Literal

import pytest
from attrs import field, frozen, validators

from coderouter_core.config import parse
from coderouter_core.errors import ConfigError
from coderouter_core.model import Option, Scope


@frozen
class Wire: ...


@frozen
class Server:
    embedded: int | None = None


@frozen
class Pressure:
    memory_pressure_action: Literal["off", "warn", "skip"] = "warn"
    memory_pressure_cooldown_s: int = field(default=120, validator=[validators.ge(10), validators.le(3600)])


@frozen
class Budget:
    monthly_budget_usd: float | None = field(default=None, validator=validators.optional(validators.ge(0)))


@frozen
class Image:
    has_image: bool


@frozen
class Tools:
    has_tools: bool


PLUGINS = [
    ("openai-compat", Option(Scope.PROVIDER, Wire, kind="openai-compat", requires=("base_url", "model"))),
    ("embedded", Option(Scope.PROVIDER, Server, kind="embedded")),
    ("memory-pressure", Option(Scope.PROFILE, Pressure)),
    ("budget", Option(Scope.COST, Budget)),
    ("has-image", Option(Scope.RULE, Image)),
    ("has-tools", Option(Scope.RULE, Tools)),
]

GOOD = """\
default_profile: main
providers:
  - name: local
    base_url: http://localhost:8080/v1
    model: qwen
  - name: claude
    base_url: https://example.org/v1
    model: sonnet
profiles:
  - name: main
    providers: [local, claude]
"""

TEN = """\
default_profile: mian
alow_paid: true
providers:
  - name: local
    base_url: localhost:8080/v1
    model: qwen
    timeout_s: 700
  - {name: claude, base_url: "https://example.org/v1", model: sonnet, cost: {monthly_budget_usd: -5}}
  - name: claude
    base_url: https://example.org/v1
profiles:
  - name: main
    providers: [local, cloude]
    memory_pressure_action: skp
    memory_pressure_cooldown_s: true
"""


def said(text: str, environ: dict[str, str] | None = None) -> list[str]:
    """The problems of `text`, a line each; none when it loads."""
    try:
        parse(text, "providers.yaml", PLUGINS, environ or {})
    except ConfigError as error:
        return str(error).split("\n")
    return []


def with_provider(line: str) -> str:
    return GOOD.replace("    model: qwen\n", f"    model: qwen\n    {line}\n")


def with_profile(line: str) -> str:
    return f"{GOOD}    {line}\n"


def test_ten_mistakes_are_told_at_once_each_with_its_place() -> None:
    assert said(TEN) == [
        "providers.yaml:1:18: default_profile: no profile is named 'mian'; did you mean 'main'?",
        "providers.yaml:2:1: alow_paid: unknown key; did you mean 'allow_paid'?",
        "providers.yaml:5:15: providers[0].base_url: must begin with http:// or https://; did you mean "
        "'http://localhost:8080/v1'?",
        "providers.yaml:7:16: providers[0].timeout_s: must be ≤ 600, not 700",
        "providers.yaml:8:98: providers[1].cost.monthly_budget_usd: must be ≥ 0, not -5",
        "providers.yaml:9:5: providers[2].model: missing; a provider of kind 'openai-compat' needs it",
        "providers.yaml:9:11: providers[2].name: 'claude' is the name of providers[1] already; rename one",
        "providers.yaml:13:24: profiles[0].providers[1]: no provider is named 'cloude'; did you mean 'claude'?",
        "providers.yaml:14:29: profiles[0].memory_pressure_action: must be one of off, warn, skip, not 'skp'; "
        "did you mean 'skip'?",
        "providers.yaml:15:33: profiles[0].memory_pressure_cooldown_s: must be a whole number, not true",
    ]


def test_the_file_the_mistakes_are_made_in_is_good() -> None:
    assert said(GOOD) == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        pytest.param("timeout_s: 0", "6:16: providers[0].timeout_s: must be ≥ 1, not 0", id="too-small"),
        pytest.param(
            "timeout_s: '30'", "6:16: providers[0].timeout_s: must be a number, not '30'", id="text"
        ),
        pytest.param("timeout_s: .nan", "6:16: providers[0].timeout_s: must be a number, not nan", id="nan"),
        pytest.param("paid: 1", "6:11: providers[0].paid: must be true or false, not 1", id="no-boolean"),
        pytest.param("paid:", "6:5: providers[0].paid: must be true or false, not empty", id="empty"),
        pytest.param(
            "append_system_prompt: 5",
            "6:27: providers[0].append_system_prompt: must be text, not 5; put it in quotes",
            id="no-text",
        ),
        pytest.param(
            "extra_body: []", "6:17: providers[0].extra_body: must be a mapping, not a list", id="list"
        ),
        pytest.param(
            "extra_body: {a: [.inf]}",
            "6:17: providers[0].extra_body: must not hold .inf or .nan, which JSON cannot say",
            id="not-json",
        ),
        pytest.param(
            "extra_body: {a: 99999999999999999999}",
            "6:17: providers[0].extra_body: must not hold a whole number of more than 64 bits",
            id="too-long-for-json",
        ),
        pytest.param(
            "capabilities: {tols: true}",
            "6:20: providers[0].capabilities.tols: unknown key; did you mean 'tools'?",
            id="nested-key",
        ),
        pytest.param(
            "capabilities: {mcp: anthropc}",
            "6:25: providers[0].capabilities.mcp: must be one of none, anthropic, provider_specific, not "
            "'anthropc'; did you mean 'anthropic'?",
            id="choice",
        ),
        pytest.param(
            "capabilities: {max_context_tokens: 0}",
            "6:40: providers[0].capabilities.max_context_tokens: must be ≥ 1, not 0",
            id="optional-number",
        ),
        pytest.param(
            "memory_pressure_action: skip",
            "6:5: providers[0].memory_pressure_action: this key belongs on a profile, not here",
            id="wrong-scope",
        ),
        pytest.param(
            "embedded: 1",
            "6:5: providers[0].embedded: this key belongs on a provider of kind 'embedded', not here",
            id="wrong-kind",
        ),
        pytest.param(
            "kind: openai-compt",
            "6:11: providers[0].kind: no adapter is of kind 'openai-compt'; did you mean 'openai-compat'?",
            id="unknown-kind",
        ),
        pytest.param(
            "model: again",
            "6:5: providers[0].model: stands here twice, first in line 5; keep one",
            id="duplicate-key",
        ),
        pytest.param("kind: 5", "6:11: providers[0].kind: must be text, not 5; put it in quotes", id="kind"),
        pytest.param("cost: 5", "6:11: providers[0].cost: must be a mapping, not 5", id="no-mapping"),
    ],
)
def test_a_mistake_on_a_provider(line: str, problem: str) -> None:
    assert said(with_provider(line)) == [f"providers.yaml:{problem}"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        pytest.param(
            "on_empty_answer: retry",
            "12:22: profiles[0].on_empty_answer: must be one of next, accept, not 'retry'",
            id="choice",
        ),
        pytest.param(
            "memory_pressure_cooldown_s: 10.5",
            "12:33: profiles[0].memory_pressure_cooldown_s: must be a whole number, not 10.5",
            id="fraction",
        ),
        pytest.param(
            "has_image: true",
            "12:5: profiles[0].has_image: this key belongs in a rule's condition, not here",
            id="wrong-scope",
        ),
    ],
)
def test_a_mistake_on_a_profile(line: str, problem: str) -> None:
    assert said(with_profile(line)) == [f"providers.yaml:{problem}"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        pytest.param(
            "providers: [local, claude]",
            "providers: []",
            "11:16: profiles[0].providers: must not be empty",
            id="empty-chain",
        ),
        pytest.param(
            "providers: [local, claude]",
            "providers: local",
            "11:16: profiles[0].providers: must be a list, not 'local'",
            id="chain-is-text",
        ),
        pytest.param(
            "name: local", "name: ''", "3:11: providers[0].name: must not be empty", id="empty-name"
        ),
        pytest.param(
            "name: local",
            "name: ' local'",
            "3:11: providers[0].name: must be one line without spaces round it, not ' local'",
            id="space-before-a-name",
        ),
        pytest.param(
            "name: local",
            'name: "a\\nb"',
            "3:11: providers[0].name: must be one line without spaces round it, not 'a\\nb'",
            id="name-of-two-lines",
        ),
    ],
)
def test_a_mistake_in_a_name_or_a_chain(old: str, new: str, problem: str) -> None:
    assert f"providers.yaml:{problem}" in said(GOOD.replace(old, new))


def test_a_mistake_in_one_key_hides_none_in_another() -> None:
    text = GOOD.replace(
        "default_profile: main", "default_profile: main\nallow_paid: 3\ndisplay_timezone: +09:00"
    )

    assert [line.split(": ")[1] for line in said(text)] == ["allow_paid", "display_timezone"]


def test_profiles_cannot_be_called_auto() -> None:
    assert said(f"{GOOD}  - {{name: auto, providers: [local]}}") == [
        "providers.yaml:12:12: profiles[1].name: 'auto' is reserved for choosing by rules "
        "(default_profile: auto); rename the profile"
    ]


def test_an_alias_names_a_profile() -> None:
    assert said(f"{GOOD}mode_aliases: {{code: man}}") == [
        "providers.yaml:12:22: mode_aliases.code: no profile is named 'man'; did you mean 'main'?"
    ]


def test_merge_keys_bring_their_values() -> None:
    text = GOOD.replace("  - name: local\n", "  - &base\n    name: local\n").replace(
        "  - name: claude\n    base_url: https://example.org/v1\n", "  - <<: *base\n    name: claude\n"
    )

    assert parse(text, "providers.yaml", PLUGINS, {}).providers[1].base_url == "http://localhost:8080/v1"


def test_a_mistake_that_a_merge_key_brought_stands_where_it_was_written() -> None:
    text = with_provider("timeout_s: 0").replace("  - name: local\n", "  - &base\n    name: local\n")
    merged = text.replace("  - name: claude\n", "  - <<: *base\n    name: claude\n")

    assert [line.split(" ")[0] for line in said(merged)] == ["providers.yaml:7:16:", "providers.yaml:7:16:"]
