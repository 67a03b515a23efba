"""Where a provider is, and what is said of an address that cannot be called."""

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
    ("url", "problem"),
    [
        pytest.param(
            "ftp://host/v1", "must begin with http:// or https://; did you mean 'http://host/v1'?", id="ftp"
        ),
        pytest.param("http:///v1", "names no host after http:// or https://", id="no-host"),
        pytest.param("http://host:99999/v1", "is not a URL: its host or port cannot be read", id="port"),
        pytest.param("https://xn--zz/v1", "is not a URL: its host or port cannot be read", id="no-punycode"),
        pytest.param("https://\u0301a/v1", "is not a URL: its host or port cannot be read", id="no-name"),
        pytest.param("http://[::1/v1", "is not a URL: its host or port cannot be read", id="bracket"),
        pytest.param("http://host/v1#top", "must not hold spaces or a part after '#'", id="fragment"),
        pytest.param(
            "https://me:secret@host/v1",
            "must not hold a user name or password; put the key into api_key_env",
            id="user",
        ),
        pytest.param(
            "me:secret@host/v1",
            "must not hold a user name or password; put the key into api_key_env",
            id="user-without-scheme",
        ),
    ],
)
def test_a_base_url_that_cannot_be_called(url: str, problem: str) -> None:
    text = GOOD.replace("http://localhost:8080/v1", f'"{url}"')

    assert said(text) == [f"providers.yaml:4:15: providers[0].base_url: {problem}"]


def test_a_suggestion_for_a_base_url_repeats_no_query() -> None:
    assert said(GOOD.replace("http://localhost:8080/v1", "host/v1?key=hush")) == [
        "providers.yaml:4:15: providers[0].base_url: must begin with http:// or https://"
    ]


@pytest.mark.parametrize(
    "url",
    [
        "https://host/openai?api-version=2025-01-01",
        "http://[::1]:8080/v1",
        "http://host",
        "https://host/v1/@cf/meta",
        "https://bücher.example/v1",
        "https://xn--bcher-kva.example/v1",
    ],
)
def test_a_base_url_that_can_be_called(url: str) -> None:
    assert said(GOOD.replace("http://localhost:8080/v1", f'"{url}"')) == []
