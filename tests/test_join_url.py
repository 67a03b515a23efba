"""Addresses below a base URL."""

from __future__ import annotations

import pytest

from coderouter_core.errors import ConfigError
from coderouter_core.exchange import join_url


@pytest.mark.parametrize(
    ("base_url", "path", "url"),
    [
        pytest.param("http://up/v1", "chat", "http://up/v1/chat", id="plain"),
        pytest.param("http://up/v1/", "/chat", "http://up/v1/chat", id="slashes"),
        pytest.param("http://up//v1///", "//chat", "http://up/v1/chat", id="many-slashes"),
        pytest.param("http://up", "chat", "http://up/chat", id="no-path"),
        pytest.param("http://up:8/v1?api-version=2", "chat", "http://up:8/v1/chat?api-version=2", id="query"),
        pytest.param(
            "http://up/v1?a=1", "models?limit=5", "http://up/v1/models?a=1&limit=5", id="two-queries"
        ),
        pytest.param("http://up/v1#top", "chat", "http://up/v1/chat", id="fragment"),
        pytest.param("http://up/v1", "a#b", "http://up/v1/a%23b", id="number-sign-in-the-path"),
        pytest.param("http://up/v1", "@evil/chat", "http://up/v1/@evil/chat", id="at-sign-in-the-path"),
        pytest.param("http://[::1]:8/v1", "chat", "http://[::1]:8/v1/chat", id="ipv6"),
        pytest.param(" http://up/v1 ", "chat", "http://up/v1/chat", id="blanks"),
    ],
)
def test_a_path_is_joined_to_the_base(base_url: str, path: str, url: str) -> None:
    assert join_url(base_url, path) == url


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "localhost:11434/v1",
        "ftp://up/v1",
        "http:///v1",
        "/v1",
        "http://[::1/v1",
        "http://up:eighty/v1",
        "http://a\u200db/v1",
    ],
)
def test_a_base_that_is_no_address_is_a_mistake_of_the_configuration(base_url: str) -> None:
    with pytest.raises(ConfigError, match="base_url must be http://HOST"):
        join_url(base_url, "chat")


def test_a_bad_base_is_quoted_without_its_password() -> None:
    with pytest.raises(ConfigError) as caught:
        join_url("ftp://user:secret@up/v1", "chat")

    assert "secret" not in str(caught.value)
