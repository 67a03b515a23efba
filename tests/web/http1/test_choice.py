"""Who reads HTTP/1, and why not the other."""

from __future__ import annotations

from typing import Any

import pytest

from coderouter_core.errors import ConfigError
from coderouter_core.web.http1 import Choice, choose
from coderouter_core.web.http1.choice import obstacle


@pytest.mark.parametrize(
    ("asked", "told", "name"),
    [
        pytest.param(None, {}, "httptools", id="default"),
        pytest.param(None, {"CODEROUTER_HTTP1": " "}, "httptools", id="blank"),
        pytest.param(None, {"CODEROUTER_HTTP1": "h11"}, "h11", id="variable"),
        pytest.param("httptools", {"CODEROUTER_HTTP1": "h11"}, "httptools", id="option-wins"),
        pytest.param("h11", {}, "h11", id="option"),
    ],
)
def test_it_is_who_was_asked_for(asked: str | None, told: dict[str, str], name: str) -> None:
    assert choose(asked, told) == Choice(name)


def test_a_name_that_is_neither_is_an_error() -> None:
    with pytest.raises(ConfigError, match="CODEROUTER_HTTP1: 'nginx' is neither httptools nor h11"):
        choose(None, {"CODEROUTER_HTTP1": "nginx"})


@pytest.mark.parametrize(
    ("asked", "unmet"), [("httptools", "not today"), (None, ""), ("h11", "")], ids=["asked", "default", "h11"]
)
def test_it_is_said_only_where_it_was_asked_for(asked: str | None, unmet: str) -> None:
    assert choose(asked, {}, lambda: "not today") == Choice("h11", unmet)


def other_connections(self: Any, app: Any, reader: Any, writer: Any) -> None: ...


class OtherContext:
    def __init__(self, most: int | None) -> None: ...


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        pytest.param({}, "", id="nothing"),
        pytest.param({"installed": "0.18.99"}, "", id="patch"),
        pytest.param(
            {"installed": "0.19.0"},
            "hypercorn 0.19.0 is not one of those it was tested with (0.17, 0.18)",
            id="untested",
        ),
        pytest.param(
            {"installed": "0.18.1", "takes": other_connections},
            "hypercorn 0.18.1 makes its connections of other things",
            id="signature",
        ),
        pytest.param(
            {"installed": "0.18.1", "context": OtherContext},
            "hypercorn 0.18.1 does not say in the same way that it ends",
            id="end",
        ),
    ],
)
def test_hypercorn_must_be_as_it_was_known(changed: dict[str, Any], why: str) -> None:
    assert obstacle(**changed) == why
