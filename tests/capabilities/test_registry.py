"""What is known of models: the user's rules, the bundled ones, what is assumed by kind."""

from pathlib import Path
from typing import Any

import pytest
from attrs import fields

from coderouter_core.capabilities import Flags, Registry, effective
from coderouter_core.errors import ConfigError
from coderouter_core.model import Capabilities, Provider

BUNDLED = Registry.load(None)


def registry(directory: Path, text: str, kinds: list[str] | None = None) -> Registry:
    path = directory / "model-capabilities.yaml"
    path.write_text(text, encoding="utf-8")
    return Registry.load(path, kinds)


def said(directory: Path, text: str, kinds: list[str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        registry(directory, text, kinds)
    return [str(problem).removeprefix(f"{directory}/") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("kind", "model", "flags"),
    [
        pytest.param(
            "anthropic", "claude-sonnet-4-6-20260101", Flags(thinking=True, cache_control=True), id="claude"
        ),
        pytest.param("anthropic", "claude-sonnet-4-0", Flags(cache_control=True), id="older-claude"),
        pytest.param("openai-compat", "claude-sonnet-4-6", Flags(), id="claude-behind-another-wire"),
        pytest.param("openai-compat", "gemma4:26b", Flags(tools=True, thinking=True), id="gemma"),
        pytest.param("openai_compat", "gemma4:26b", Flags(tools=True, thinking=True), id="other-spelling"),
        pytest.param("openai-compat", "Gemma4:26b", Flags(), id="case-counts"),
        pytest.param(
            "openai-compat",
            "qwen/qwen3-coder:free",
            Flags(tools=True, claude_code_suitability="ok"),
            id="qwen",
        ),
        pytest.param(
            "openai-compat",
            "meta-llama/llama-3.3-70b-instruct",
            Flags(claude_code_suitability="degraded"),
            id="star-crosses-slashes",
        ),
        pytest.param(
            "anthropic", "claude-sonnet-5-20270101", Flags(thinking=True), id="claude-of-a-later-family"
        ),
        pytest.param("openai-compat", "GLM-4.6-Air", Flags(tools=True), id="set-of-digits"),
        pytest.param("openai-compat", "GLM-4.4", Flags(), id="digit-outside-the-set"),
        pytest.param("openai-compat", "never-heard-of", Flags(), id="unknown"),
    ],
)
def test_a_bundled_rule(kind: str, model: str, flags: Flags) -> None:
    assert BUNDLED.lookup(kind, model) == flags


def test_the_users_rules_come_first_flag_by_flag(tmp_path: Path) -> None:
    found = registry(
        tmp_path,
        "version: 1\nrules:\n"
        "  - {match: 'gemma4:26*', capabilities: {thinking: false}}\n"
        "  - {match: 'gemma4:*', capabilities: {thinking: true, max_context_tokens: 8192}}\n",
    )

    assert found.lookup("openai-compat", "gemma4:26b") == Flags(
        thinking=False, tools=True, max_context_tokens=8192
    )


def test_a_rule_without_kind_holds_for_all(tmp_path: Path) -> None:
    found = registry(tmp_path, "rules: [{match: x, capabilities: {tools: true}}]")

    assert [found.lookup(kind, "x").tools for kind in ("anthropic", "acme")] == [True, True]


def test_a_rule_of_any_kind_holds_for_all(tmp_path: Path) -> None:
    found = registry(tmp_path, "rules: [{match: x, kind: any, capabilities: {tools: true}}]")

    assert found.lookup("acme", "x").tools is True


def test_a_file_that_is_not_there_is_no_mistake(tmp_path: Path) -> None:
    assert Registry.load(tmp_path / "nowhere.yaml") == BUNDLED


def test_an_empty_file_is_no_mistake(tmp_path: Path) -> None:
    assert registry(tmp_path, "# nothing yet\n") == BUNDLED


def test_every_mistake_is_told_with_its_place(tmp_path: Path) -> None:
    text = (
        "version: 2\n"
        "rules:\n"
        "  - {match: '', capabilities: {tools: yes please}}\n"
        "  - {mach: x, capabilities: {max_context_tokens: 0, claude_code_suitability: okay}}\n"
        "  - {match: x}\n"
        "kind: {}\n"
    )

    assert said(tmp_path, text) == [
        "model-capabilities.yaml:1:10: version: must be 1, not 2",
        "model-capabilities.yaml:3:13: rules[0].match: must not be empty",
        "model-capabilities.yaml:3:39: rules[0].capabilities.tools: must be true or false, not 'yes please'",
        "model-capabilities.yaml:4:5: rules[1].match: missing; it has no default",
        "model-capabilities.yaml:4:6: rules[1].mach: unknown key; did you mean 'match'?",
        "model-capabilities.yaml:4:50: rules[1].capabilities.max_context_tokens: must be ≥ 1, not 0",
        "model-capabilities.yaml:4:78: rules[1].capabilities.claude_code_suitability: must be one of ok, degraded, "
        "not 'okay'; did you mean 'ok'?",
        "model-capabilities.yaml:5:5: rules[2].capabilities: missing; it has no default",
        "model-capabilities.yaml:6:1: kind: unknown key; did you mean 'kinds'?",
    ]


def test_a_kind_that_no_adapter_speaks_is_a_mistake_where_the_kinds_are_known(tmp_path: Path) -> None:
    text = "rules: [{match: x, kind: antropic, capabilities: {}}]\nkinds: {acme: {tools: true}}"

    assert said(tmp_path, text, ["anthropic", "openai-compat"]) == [
        "model-capabilities.yaml:1:26: rules[0].kind: no adapter is of kind 'antropic'; did you mean 'anthropic'?",
        "model-capabilities.yaml:2:9: kinds.acme: no adapter is of kind 'acme'; known: anthropic, openai-compat",
    ]


@pytest.mark.parametrize(
    ("declared", "kind", "model", "expected"),
    [
        pytest.param({}, "anthropic", "claude-opus-4-5", True, id="registry"),
        pytest.param({"thinking": False}, "anthropic", "claude-opus-4-5", False, id="explicit-no-wins"),
        pytest.param({"thinking": True}, "anthropic", "other", True, id="explicit-yes"),
        pytest.param({}, "anthropic", "other", None, id="nobody-said"),
    ],
)
def test_thinking(declared: dict[str, Any], kind: str, model: str, *, expected: bool | None) -> None:
    provider = Provider("p", kind=kind, model=model, capabilities=Capabilities(**declared))

    assert effective(provider, BUNDLED).thinking is expected


@pytest.mark.parametrize(
    ("declared", "kind", "rules", "expected"),
    [
        pytest.param(None, "anthropic", "", True, id="kind"),
        pytest.param(None, "openai-compat", "", None, id="other-kind"),
        pytest.param(
            None, "anthropic", "rules: [{match: m, capabilities: {cache_control: false}}]", False, id="rule"
        ),
        pytest.param(
            True, "anthropic", "rules: [{match: m, capabilities: {cache_control: false}}]", True, id="yes"
        ),
        pytest.param(False, "anthropic", "", False, id="no"),
        pytest.param(None, "acme", "kinds: {acme: {cache_control: true}}", True, id="kind-of-the-users"),
    ],
)
def test_prompt_caching(
    tmp_path: Path, kind: str, rules: str, *, declared: bool | None, expected: bool | None
) -> None:
    provider = Provider("p", kind=kind, model="m", capabilities=Capabilities(prompt_cache=declared))

    assert effective(provider, registry(tmp_path, rules)).prompt_cache is expected


def test_what_is_assumed_of_a_kind_was_declared_by_nobody() -> None:
    assert BUNDLED.lookup("anthropic", "some-model").cache_control is None


@pytest.mark.parametrize(
    ("flag", "capability", "value"),
    [
        ("tools", "tools", False),
        ("vision", "vision", False),
        ("tool_schema", "tool_schema", "simple"),
        ("reasoning_passthrough", "reasoning_passthrough", True),
        ("max_context_tokens", "max_context_tokens", 4096),
    ],
)
def test_a_flag_of_the_registry_becomes_a_capability(
    tmp_path: Path, flag: str, capability: str, value: object
) -> None:
    rules = f"rules: [{{match: m, capabilities: {{{flag}: {str(value).lower()}}}}}]"
    found = effective(Provider("p", model="m"), registry(tmp_path, rules))

    assert getattr(found, capability) == value


#: Models by kind, and what CodeRouter 1.10 knew of them.
RULES_OF_1_10 = [
    (
        "claude-opus-4-1 claude-sonnet-4-6 claude-sonnet-4-7-x claude-haiku-4-5",
        "anthropic",
        {"thinking": True},
    ),
    (
        "claude-opus-4-1 claude-sonnet-4-0 claude-haiku-4-5 qwen3.5-x qwen3.6-x",
        "anthropic",
        {"cache_control": True},
    ),
    ("a/llama-3.3-70b-x a/Llama-3.3-70B-x", "openai_compat", {"claude_code_suitability": "degraded"}),
    (
        "qwen3-coder:30b qwen/qwen3-coder-x qwen/qwen3-coder:free Qwen/Qwen3-Coder-480B",
        "openai_compat",
        {"tools": True, "claude_code_suitability": "ok"},
    ),
    (
        "qwen3.6:27b qwen/qwen3.6-x gemma4:26b google/gemma-4-x",
        "openai_compat",
        {"tools": True, "thinking": True},
    ),
    (
        "GLM-5 GLM-4.5 GLM-4.9-x moonshotai/kimi-k2 moonshotai/Kimi-K2-x openai/gpt-oss-120b gpt-oss-20b"
        " deepseek-ai/DeepSeek-V3 deepseek/deepseek-v3.2 MiniMaxAI/MiniMax-M2 minimax/minimax-m2"
        " nvidia/nemotron-3-x nvidia/Nemotron-3-x mistralai/Devstral-x mistral/devstral",
        "openai_compat",
        {"tools": True},
    ),
]


@pytest.mark.parametrize(
    ("kind", "model", "known"),
    [(kind, model, known) for models, kind, known in RULES_OF_1_10 for model in models.split()],
)
def test_what_coderouter_1_10_knew_is_known(kind: str, model: str, known: dict[str, Any]) -> None:
    flags = BUNDLED.lookup(kind, model)

    assert {flag: getattr(flags, flag) for flag in known} == known


def test_an_embedded_model_is_known_to_make_grammars_of_schemas() -> None:
    assert effective(Provider("p", kind="embedded"), BUNDLED).tool_schema == "simple"


def test_every_flag_stands_in_the_reference() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "capabilities.md").read_text(encoding="utf-8")

    assert [flag.name for flag in fields(Flags) if f"\n| `{flag.name}` |" not in page] == []


def test_what_the_registry_does_not_know_stays_as_configured() -> None:
    provider = Provider("p", capabilities=Capabilities(vision=True, mcp="anthropic"))

    assert effective(provider, BUNDLED) == Capabilities(vision=True, mcp="anthropic")
