"""Whatever a file holds, there is a configuration or a list of problems."""

import contextlib
import json
from typing import Any

from attrs import field, frozen, validators
from hypothesis import given, settings
from hypothesis import strategies as st

from coderouter_core.config import disabled_plugins, parse
from coderouter_core.errors import ConfigError
from coderouter_core.model import Config, Option, Scope


@frozen
class Wire: ...


@frozen
class Server:
    embedded: tuple[int, ...] | None = None


@frozen
class Loop:
    tool_loop_window: int = field(default=5, validator=validators.ge(2))


@frozen
class Image:
    has_image: bool


OPTIONS = [
    ("openai-compat", Option(Scope.PROVIDER, Wire, kind="openai-compat", requires=("base_url",))),
    ("embedded", Option(Scope.PROVIDER, Server, kind="embedded")),
    ("tool-loop", Option(Scope.PROFILE, Loop)),
    ("has-image", Option(Scope.RULE, Image)),
]

GOOD: dict[str, Any] = {
    "default_profile": "auto",
    "display_timezone": "UTC",
    "ledger": {"url": "memory:"},
    "plugins": {"disabled": ["adaptive"]},
    "mode_aliases": {"code": "main"},
    "auth": {"keys": ["TEAM", {"name": "ada", "env": "TEAM"}]},
    "providers": [
        {"name": "a", "base_url": "http://a/v1", "model": "m", "cost": {"cache_read_discount": 1}},
        {"name": "b", "kind": "embedded", "embedded": [1], "capabilities": {"tools": True}},
    ],
    "profiles": [{"name": "main", "providers": ["a", "b"], "tool_loop_window": 3}],
    "auto_router": {
        "rules": [{"id": "r", "profile": "main", "match": {"has_image": True}}],
        "default_rule_profile": "main",
    },
}

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["auto", "main", "a"])
)
KEYS = st.text(max_size=4) | st.sampled_from(
    [
        "name",
        "kind",
        "providers",
        "profiles",
        "match",
        "if",
        "profile",
        "cost",
        "auth",
        "keys",
        "rules",
        "embedded",
    ]
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def read(text: str) -> Config | None:
    with contextlib.suppress(ConfigError):
        return parse(text, "f", OPTIONS, {"TEAM": "x"})
    return None


def positions(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(found for step, inner in items for found in positions(inner, (*path, step)))]


def replaced(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """`tree` with `value` at `path`."""
    if not path:
        return value
    copy = tree.copy()
    copy[path[0]] = replaced(tree[path[0]], path[1:], value)
    return copy


def test_the_tree_that_is_changed_here_is_good() -> None:
    assert read(json.dumps(GOOD)) is not None


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_any_tree_is_read_or_refused(tree: Any) -> None:
    found = read(json.dumps(tree))

    assert found is None or isinstance(found, Config)


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(positions(GOOD)), TREES)
def test_a_good_tree_with_anything_in_it_is_read_or_refused(path: tuple[Any, ...], value: Any) -> None:
    found = read(json.dumps(replaced(GOOD, path, value)))

    assert found is None or isinstance(found, Config)


@settings(max_examples=250, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!<>|?%#@,'\"\\\n\t 01.~x=U\ufeff\x85"), max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    found = read(text)

    assert found is None or isinstance(found, Config)


@settings(max_examples=100, deadline=None)
@given(TREES)
def test_disabled_plugins_are_found_in_any_tree(tree: Any) -> None:
    assert all(isinstance(name, str) for name in disabled_plugins(json.dumps({"plugins": tree}), {}))
