"""No secret is ever repeated, wherever in the file it was written by mistake."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import field, frozen

from coderouter_core.config import parse
from coderouter_core.config.words import looks_secret
from coderouter_core.errors import ConfigError
from coderouter_core.model import Option, Scope

SECRETS = [
    "sk-ant-api03-abcdefghijkl",
    "ghp_0123456789abcdefghijABCDEFGHIJ",
    "hf_abcdefghijklmnop",
    "AIzaSyabcdefghijklmnopq",
    "Bearer abcdefghijkl",
    "9f86d081884c7d659a2feaa0c55ad015",
]


def _even(_instance: object, _attribute: object, value: str) -> None:
    raise ValueError(f"not a pattern: {value!r}")


@frozen
class Wire: ...


@frozen
class Pattern:
    pattern: str = field(validator=_even)


@frozen
class Guard:
    """Has a choice and a number, whose problems quote."""

    level: int = 0


OPTIONS = [
    ("openai-compat", Option(Scope.PROVIDER, Wire, kind="openai-compat", requires=("base_url", "model"))),
    ("pattern", Option(Scope.RULE, Pattern)),
    ("guard", Option(Scope.PROFILE, Guard)),
]

TREE: dict[str, Any] = {
    "default_profile": "main",
    "display_timezone": "UTC",
    "log_upstream_errors": "short",
    "max_body_bytes": 4096,
    "ledger": {"url": "memory:"},
    "plugins": {"disabled": []},
    "mode_aliases": {"code": "main"},
    "auth": {"keys": ["TEAM", {"name": "ada", "env": "TEAM"}, {"name": "bob", "sha256": "ab" * 32}]},
    "providers": [
        {
            "name": "local",
            "kind": "openai-compat",
            "base_url": "http://localhost/v1",
            "model": "m",
            "api_key_env": "KEY",
            "timeout_s": 5,
            "extra_body": {"a": 1},
            "capabilities": {"mcp": "none", "tools": True},
            "cost": {"input_tokens_per_million": 1},
        }
    ],
    "profiles": [{"name": "main", "providers": ["local"], "on_empty_answer": "next", "level": 1}],
    "auto_router": {
        "rules": [{"id": "a", "profile": "main", "match": {"pattern": "x"}}],
        "default_rule_profile": "main",
    },
}


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything in `tree`."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for step, inner in items:
        yield (*path, step)
        yield from places(inner, (*path, step))


def poisoned(path: tuple[Any, ...], secret: str, *, key: bool) -> str:
    """The tree as text, with `secret` as the value at `path`, or as the key."""
    tree = copy.deepcopy(TREE)
    around: Any = tree
    for step in path[:-1]:
        around = around[step]
    if key and isinstance(around, dict):
        around[secret] = around.pop(path[-1])
    else:
        around[path[-1]] = secret
    return json.dumps(tree)


def told(text: str) -> str:
    try:
        parse(text, "f", OPTIONS, {"TEAM": "x"})
    except ConfigError as error:
        return f"{error}{error!r}{error.problems!r}"
    return ""


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("key", [False, True], ids=["value", "key"])
def test_a_secret_anywhere_is_in_no_message(secret: str, *, key: bool) -> None:
    leaking = [path for path in places(TREE) if secret in told(poisoned(path, secret, key=key))]

    assert leaking == []


@pytest.mark.parametrize(
    "place", [("providers", 0, "api_key_env"), ("auth", "keys", 0), ("auth", "keys", 1, "env")]
)
def test_a_key_in_place_of_a_variables_name_is_a_problem(place: tuple[Any, ...]) -> None:
    assert "NAME of an environment variable" in told(poisoned(place, "sk-ant-api03-abcdefghijkl", key=False))


def test_what_is_no_variables_name_is_not_repeated_though_it_looks_harmless() -> None:
    assert "hunter two" not in told(poisoned(("providers", 0, "api_key_env"), "hunter two", key=False))


def test_a_password_in_a_base_url_is_not_repeated() -> None:
    assert "hush" not in told(poisoned(("providers", 0, "base_url"), "https://me:hush@host/v1", key=False))


def test_the_value_of_a_variable_is_in_no_configuration() -> None:
    tree = copy.deepcopy(TREE)
    tree.pop("auto_router")
    config = parse(json.dumps(tree), "f", OPTIONS, {"TEAM": "opensesame", "KEY": "opensesame"})

    assert "opensesame" not in repr(config)


@pytest.mark.parametrize(
    "name",
    [
        "claude-sonnet-4-6-20260101",
        "meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "Qwen3-Coder-480B-A35B-Instruct-FP8",
        "ANTHROPIC_API_KEY",
        "http://127.0.0.1:11434/v1",
        "skip",
        "sk-learn",
    ],
)
def test_names_and_addresses_do_not_look_like_secrets(name: str) -> None:
    assert not looks_secret(name)
