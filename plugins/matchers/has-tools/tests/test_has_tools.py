from __future__ import annotations

from typing import Any

import pytest
from coderouter_matcher_has_tools import HasTools, HasToolsMatcher

from coderouter_core.api import ConfigError, Dialect, Request
from coderouter_core.testing import Script, ServedRouter, conformance, make_router

TOOL = {"name": "run", "input_schema": {"type": "object"}}
FUNCTION = {"type": "function", "function": {"name": "run", "parameters": {"type": "object"}}}


def routed(value: Any) -> ServedRouter:
    return make_router(
        HasToolsMatcher(),
        Script(agent="agent", writing="writing"),
        profiles=[{"name": name, "providers": [name]} for name in ("agent", "writing")],
        default_profile="auto",
        auto_router={"rules": [{"if": {"has_tools": value}, "route_to": "agent"}]},
    )


def test_it_conforms() -> None:
    conformance(HasToolsMatcher())


@pytest.mark.parametrize(
    ("body", "holds"),
    [
        pytest.param({"tools": [TOOL]}, True, id="tools"),
        pytest.param({"functions": [{"name": "run"}]}, True, id="functions"),
        pytest.param({"tools": []}, False, id="no-tools"),
        pytest.param({"tools": None}, False, id="null"),
        pytest.param({"tools": "run"}, False, id="not-a-list"),
        pytest.param({}, False, id="missing"),
    ],
)
def test_declared_tools_decide(body: dict[str, Any], holds: bool) -> None:
    request = Request("r", Dialect.CHAT, body, b"")

    assert HasToolsMatcher().match_rule(HasTools(has_tools=True), request) is holds


@pytest.mark.parametrize("tools", [[TOOL], []], ids=["tools", "none"])
def test_false_never_holds(tools: list[Any]) -> None:
    request = Request("r", Dialect.CHAT, {"tools": tools}, b"")

    assert HasToolsMatcher().match_rule(HasTools(has_tools=False), request) is False


def test_a_condition_of_another_matcher_is_left_to_it() -> None:
    assert HasToolsMatcher().match_rule("another", Request("r", Dialect.CHAT, {}, b"")) is None


@pytest.mark.parametrize(("dialect", "tool"), [("messages", TOOL), ("chat", FUNCTION)])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_has_tools_routes(dialect: str, tool: Any, stream: bool) -> None:
    router = routed(True)

    said = [router.ask("hi", dialect=dialect, stream=stream, **body).text for body in ({"tools": [tool]}, {})]

    assert said == ["agent", "writing"]


def test_has_tools_false_loads_and_does_not_route() -> None:
    assert routed(False).ask("hi", tools=[TOOL]).text == "writing"


def test_what_is_neither_true_nor_false_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"rules\[0\]\.if\.has_tools: must be"):
        routed("yes")
