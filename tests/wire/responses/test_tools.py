"""Tools of a Responses request as functions, and back."""

from __future__ import annotations

from typing import Any

import pytest

from coderouter_core.wire.responses.tools import Tools

RUN = {"type": "function", "name": "run", "description": "d", "parameters": {"type": "object"}}
PATCH = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: patch"},
}


def group(name: str, *tools: Any) -> dict[str, Any]:
    return {"type": "namespace", "name": name, "description": f"About {name}.", "tools": list(tools)}


def sent(*tools: Any) -> list[str]:
    return [tool.sent for tool in Tools({"tools": list(tools)})]


def test_a_function_keeps_its_name() -> None:
    assert sent(RUN) == ["run"]


def test_a_custom_tool_is_told_with_its_grammar() -> None:
    [tool] = Tools({"tools": [PATCH]})

    assert ("Edits files." in tool.description, "start: patch" in tool.description) == (True, True)


def test_a_custom_tool_takes_one_string() -> None:
    [tool] = Tools({"tools": [PATCH]})

    assert tool.schema["properties"]["input"]["type"] == "string"


@pytest.mark.parametrize(
    ("tools", "names"),
    [
        pytest.param([group("agents", RUN)], ["agents__run"], id="group"),
        pytest.param([group("functions", RUN)], ["run"], id="the-top-level-by-its-name"),
        pytest.param([group("a b", RUN)], ["run_88c1f5c2"], id="odd-letters"),
        pytest.param([group("x" * 60, RUN)], ["run_4b2f5c0b"], id="too-long"),
    ],
)
def test_names_of_groups(tools: list[Any], names: list[str]) -> None:
    assert [name[:4] for name in sent(*tools)] == [name[:4] for name in names]
    assert [len(name) for name in sent(*tools)] == [len(name) for name in names]


@pytest.mark.parametrize("first", [{**RUN, "name": "a__run"}, group("a", RUN)])
def test_equal_names_are_told_apart(first: Any) -> None:
    tools = Tools({"tools": [first, group("a", RUN), {**RUN, "name": "a__run"}]})

    places = {(tools.called(tool.sent).namespace, tools.called(tool.sent).name) for tool in tools}
    assert places == {("a", "run"), ("", "a__run")}


def test_the_way_back_is_that_of_the_way_there() -> None:
    tools = Tools({"tools": [group("agents", RUN, PATCH)]})

    found = tools.called(tools.sent("apply_patch", "agents"))
    assert (found.kind, found.name, found.namespace) == ("custom", "apply_patch", "agents")


@pytest.mark.parametrize("kind", ["additional_tools", "tool_search_output"])
def test_tools_within_the_conversation_are_declared_too(kind: str) -> None:
    assert [tool.sent for tool in Tools({"input": [{"type": kind, "tools": [RUN]}]})] == ["run"]


@pytest.mark.parametrize(
    ("tool", "names"),
    [
        pytest.param({"type": "apply_patch"}, ["apply_patch"], id="patches"),
        pytest.param({"type": "shell"}, ["shell"], id="shell"),
        pytest.param({"type": "shell", "environment": {"type": "local"}}, ["shell"], id="local-shell"),
        pytest.param({"type": "shell", "environment": {"type": "container_auto"}}, [], id="shell-of-openai"),
    ],
)
def test_tools_of_openai_that_the_client_runs_are_functions(tool: dict[str, Any], names: list[str]) -> None:
    assert sent(tool) == names


def test_what_servers_run_is_left_out_and_told() -> None:
    assert Tools({"tools": [{"type": "web_search"}, RUN, {"type": "web_search"}]}).left_out == ["web_search"]


def test_a_group_is_described_with_its_first_tool() -> None:
    first, second = Tools({"tools": [group("a", RUN, {**RUN, "name": "b"})]})

    assert (first.description, second.description) == ("About a.\n\nd", "d")
