"""Keys at the top level, and files that have none."""

import pytest
from attrs import frozen

from coderouter_core.config import parse
from coderouter_core.errors import ConfigError
from coderouter_core.model import Option, Scope


@frozen
class Wire: ...


OPTIONS = [
    ("openai-compat", Option(Scope.PROVIDER, Wire, kind="openai-compat", requires=("base_url", "model")))
]

GOOD = """\
default_profile: main
providers:
  - name: local
    base_url: http://localhost:8080/v1
    model: qwen
profiles:
  - name: main
    providers: [local]
"""


def said(text: str) -> list[str]:
    """The problems of `text`, a line each; none when it loads."""
    try:
        parse(text, "providers.yaml", OPTIONS, {})
    except ConfigError as error:
        return str(error).split("\n")
    return []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        pytest.param(
            "display_timezone: Asia/Tokio",
            "9:19: display_timezone: must be the name of a time zone, such as Asia/Tokyo, not 'Asia/Tokio'; "
            "did you mean 'Asia/Tokyo'?",
            id="zone",
        ),
        pytest.param(
            "display_timezone: ''",
            "9:19: display_timezone: must be the name of a time zone, such as Asia/Tokyo, not ''",
            id="no-zone",
        ),
        pytest.param(
            "ledger: {url: 'redis://me:pw@host'}",
            "9:15: ledger.url: must begin with memory: or sqlite:",
            id="ledger",
        ),
        pytest.param("max_body_bytes: 5", "9:17: max_body_bytes: must be ≥ 1024, not 5", id="size"),
        pytest.param(
            "allowed_hosts: [a, 5]",
            "9:20: allowed_hosts[1]: must be text, not 5; put it in quotes",
            id="item-of-a-list",
        ),
        pytest.param(
            "log_upstream_errors: ful",
            "9:22: log_upstream_errors: must be one of none, short, full, not 'ful'; did you mean 'full'?",
            id="choice",
        ),
    ],
)
def test_a_mistake_at_the_top_level(line: str, problem: str) -> None:
    assert said(f"{GOOD}{line}\n") == [f"providers.yaml:{problem}"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "1:1: the file is empty; write a mapping with providers and profiles", id="empty"),
        pytest.param(
            "# nothing\n", "1:1: the file is empty; write a mapping with providers and profiles", id="comment"
        ),
        pytest.param(
            "- a", "1:1: the file holds a list; write a mapping with providers and profiles", id="list"
        ),
        pytest.param(
            "a:\n\t- b",
            "2:1: not YAML: a tab; indent with spaces (while scanning for the next token)",
            id="tab",
        ),
        pytest.param("a: b: c", "1:5: not YAML: mapping values are not allowed here", id="syntax"),
        pytest.param("a: *x", "1:4: not YAML: found undefined alias 'x'", id="alias"),
        pytest.param("a: \x00", "1:4: not YAML: a character that YAML does not allow", id="character"),
    ],
)
def test_a_file_that_is_no_mapping(text: str, problem: str) -> None:
    assert said(text) == [f"providers.yaml:{problem}"]


def test_a_default_profile_that_nobody_wrote_is_explained() -> None:
    assert said(GOOD.replace("default_profile: main\n", "")) == [
        "providers.yaml:1:1: default_profile: no profile is named 'default'; known: main; "
        "write default_profile: and the name of one"
    ]


def test_missing_sections_are_told_without_what_follows_from_them() -> None:
    assert said("allow_paid: true\nprofiles: [{name: main, providers: [x]}]\ndefault_profile: main") == [
        "providers.yaml:1:1: providers: missing; write at least one entry"
    ]


@pytest.mark.parametrize(
    ("top", "problem"),
    [
        pytest.param("providers: []", "providers: must have at least one entry", id="no-providers"),
        pytest.param("profiles: []", "profiles: must have at least one entry", id="no-profiles"),
        pytest.param("providers: 5", "providers: must be a list, not 5", id="providers-are-no-list"),
        pytest.param("profiles: 5", "profiles: must be a list, not 5", id="profiles-are-no-list"),
        pytest.param(
            "providers: [a]", "providers[0]: must be a mapping with a name, not 'a'", id="provider-is-text"
        ),
        pytest.param(
            "profiles: [a]", "profiles[0]: must be a mapping with a name, not 'a'", id="profile-is-text"
        ),
    ],
)
def test_a_section_that_cannot_be_read(top: str, problem: str) -> None:
    section = top.split(":")[0]
    tree = {
        "providers": "[{name: local, base_url: http://a, model: m}]",
        "profiles": "[{name: default, providers: [local]}]",
    }
    rest = "".join(f"{key}: {value}\n" for key, value in tree.items() if key != section)

    assert [line.split(": ", 1)[1] for line in said(f"{rest}{top}")] == [problem]
