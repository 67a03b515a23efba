"""The tool-loop guard through a router, and its detector against a simple one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest
from coderouter_guard_tool_loop import HINT, Call, ToolLoopGuard, calls_backwards, trailing_run
from hypothesis import given
from hypothesis import strategies as st

from coderouter_core.api import ConfigError
from coderouter_core.testing import Script, ServedRouter, conformance, make_router

LOOK = ("look", {"city": "Oslo", "unit": "c"})
LOOK_TURNED = ("look", {"unit": "c", "city": "Oslo"})
OTHER = ("look", {"city": "Rome"})
PATCH = {"type": "update_file", "path": "a.py", "diff": "@@"}


def messages(calls: Sequence[tuple[str, Any]]) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = [{"role": "user", "content": "weather?"}]
    for at, (name, arguments) in enumerate(calls):
        turns.append(
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": f"t{at}", "name": name, "input": arguments}],
            }
        )
        turns.append(
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"t{at}", "content": "rain"}]}
        )
    return turns


def chat(calls: Sequence[tuple[str, Any]]) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = [{"role": "user", "content": "weather?"}]
    for at, (name, arguments) in enumerate(calls):
        function = {"name": name, "arguments": orjson.dumps(arguments).decode()}
        turns.append(
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": f"t{at}", "type": "function", "function": function}],
            }
        )
        turns.append({"role": "tool", "tool_call_id": f"t{at}", "content": "rain"})
    return turns


def responses(calls: Sequence[tuple[str, Any]]) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = [{"role": "user", "content": "weather?"}]
    for at, (name, arguments) in enumerate(calls):
        text = orjson.dumps(arguments).decode()
        turns.append({"type": "function_call", "call_id": f"t{at}", "name": name, "arguments": text})
        turns.append({"type": "function_call_output", "call_id": f"t{at}", "output": "rain"})
    return turns


def guarded(**profile: Any) -> ServedRouter:
    return make_router(ToolLoopGuard(), Script(only="hello"), profile=profile)


INGRESS = [
    pytest.param("messages", messages, False, id="messages"),
    pytest.param("messages", messages, True, id="messages-stream"),
    pytest.param("chat", chat, False, id="chat"),
    pytest.param("chat", chat, True, id="chat-stream"),
    pytest.param("responses", responses, False, id="responses"),
    pytest.param("responses", responses, True, id="responses-stream"),
]


def test_it_fits() -> None:
    conformance(ToolLoopGuard())


@pytest.mark.parametrize(("dialect", "turns", "stream"), INGRESS)
def test_tool_loop_action_warn_tells_and_lets_pass(dialect: str, turns: Any, stream: bool) -> None:
    asked = guarded().ask(turns([LOOK, LOOK_TURNED, LOOK]), dialect=dialect, stream=stream)

    (event,) = [event for event in asked.events if event.name == "tool-loop-detected"]
    assert (asked.text, event.fields) == (
        "hello",
        {
            "profile": "default",
            "tool_name": "look",
            "repeat_count": 3,
            "threshold": 3,
            "window": 5,
            "action": "warn",
        },
    )


@pytest.mark.parametrize(("dialect", "turns", "stream"), INGRESS)
def test_tool_loop_action_break_is_an_error_that_no_retry_helps(
    dialect: str, turns: Any, stream: bool
) -> None:
    asked = guarded(tool_loop_action="break").ask(turns([LOOK] * 7), dialect=dialect, stream=stream)

    assert asked.error is not None
    assert (
        asked.status,
        asked.headers["x-should-retry"],
        asked.error["message"][:18],
        asked.error["tool_loop"],
    ) == (
        400,
        "false",
        "tool_loop_detected",
        {"profile": "default", "tool_name": "look", "repeat_count": 7, "threshold": 3, "window": 5},
    )


def test_break_has_its_code_for_openai_clients() -> None:
    error = guarded(tool_loop_action="break").ask(chat([LOOK] * 3), dialect="chat").error

    assert error is not None
    assert error["code"] == "tool_loop_detected"


def test_arguments_are_never_shown() -> None:
    asked = guarded(tool_loop_action="break").ask(messages([("look", {"secret": "Oslo-canary"})] * 4))

    assert "Oslo-canary" not in asked.raw.decode() + repr([event.fields for event in asked.events])


@pytest.mark.parametrize(("dialect", "turns", "stream"), INGRESS)
def test_tool_loop_action_inject_appends_a_hint(dialect: str, turns: Any, stream: bool) -> None:
    router = guarded(tool_loop_action="inject")

    router.ask(turns([LOOK] * 3), dialect=dialect, stream=stream)

    sent = router.upstreams["only"].calls[0].body["messages"]
    assert (sent[0]["role"], HINT in sent[0]["content"]) == ("system", True)


def test_tool_loop_inject_hint_overrides_the_text() -> None:
    router = guarded(tool_loop_action="inject", tool_loop_inject_hint="Enough.")

    router.ask(messages([LOOK] * 3), system="Be kind.")

    assert router.upstreams["only"].calls[0].body["messages"][0]["content"].endswith("Be kind.\n\nEnough.")


@pytest.mark.parametrize(
    "calls",
    [
        pytest.param([], id="no-calls"),
        pytest.param([LOOK, LOOK], id="too-few"),
        pytest.param([LOOK, LOOK, OTHER], id="broken-off"),
        pytest.param([LOOK, OTHER, LOOK, OTHER], id="taking-turns"),
        pytest.param([("a", {"n": 1}), ("a", {"n": True}), ("a", {"n": 1})], id="one-is-not-true"),
    ],
)
def test_no_loop(calls: list[Any]) -> None:
    assert "tool-loop-detected" not in guarded().ask(messages(calls)).event_names


def test_tool_loop_threshold_and_window_are_the_profiles() -> None:
    router = guarded(tool_loop_threshold=2, tool_loop_window=2)

    assert "tool-loop-detected" in router.ask(messages([LOOK, LOOK])).event_names


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        pytest.param(
            {"tool_loop_window": 2},
            "profiles[0].tool_loop_threshold: must be ≤ tool_loop_window (2), not 3",
            id="window",
        ),
        pytest.param({"tool_loop_window": 51}, "tool_loop_window: must be ≤ 50, not 51", id="range"),
        pytest.param({"tool_loop_action": "stop"}, "tool_loop_action: must be one of", id="action"),
    ],
)
def test_a_config_that_cannot_work_is_an_error(keys: Mapping[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as error:
        guarded(**keys)

    assert says in str(error.value)


CALLS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from([{}, {"x": 1}, {"x": 1, "y": [2]}, None])), max_size=12
)


INGRESSES = (messages, chat, responses)


def naive(calls: Sequence[tuple[str, Any]]) -> int:
    return next((at for at, call in enumerate(reversed(calls)) if call != calls[-1]), len(calls))


@given(CALLS)
def test_the_run_is_that_of_a_simple_count_in_every_dialect(calls: list[tuple[str, Any]]) -> None:
    runs = [trailing_run(calls_backwards(reversed(turns(calls))))[1] for turns in INGRESSES]

    assert runs == [naive(calls)] * len(INGRESSES)


@given(CALLS, st.integers(0, 3))
def test_parallel_calls_in_one_turn_count_each(calls: list[tuple[str, Any]], more: int) -> None:
    blocks = [{"type": "tool_use", "name": "z", "input": {"k": 1}} for _ in range(more)]
    turns = [*messages(calls), {"role": "assistant", "content": blocks}]

    assert trailing_run(calls_backwards(reversed(turns)))[1] == (more or naive(calls))


def test_text_that_is_not_json_is_compared_as_text() -> None:
    assert trailing_run(iter([Call("a", "{x"), Call("a", "{x"), Call("a", "{y")])) == ("a", 2)


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(
            {"type": "custom_tool_call", "name": "apply_patch", "input": "*** Begin Patch"}, id="custom"
        ),
        pytest.param({"type": "local_shell_call", "action": {"command": ["ls"]}}, id="command"),
        pytest.param({"type": "shell_call", "action": {"commands": ["ls"]}}, id="shell"),
        pytest.param({"type": "apply_patch_call", "operation": PATCH}, id="patch"),
        pytest.param({"type": "tool_search_call", "arguments": {"query": "x"}}, id="search"),
        pytest.param(
            {"type": "function_call", "namespace": "a", "name": "run", "arguments": "{}"}, id="group"
        ),
    ],
)
def test_agents_calls_of_other_kinds_count(item: dict[str, Any]) -> None:
    assert trailing_run(calls_backwards([item, {"type": "reasoning"}, item, item]))[1] == 3


def test_patches_of_different_files_are_different() -> None:
    patches = [
        {"type": "apply_patch_call", "operation": {**PATCH, "path": f"{name}.py"}} for name in ("b", "a", "a")
    ]

    assert trailing_run(calls_backwards(patches))[1] == 1


def test_tools_of_different_groups_are_different() -> None:
    items = [
        {"type": "function_call", "namespace": group, "name": "run", "arguments": "{}"} for group in "ab"
    ]

    assert trailing_run(calls_backwards(items))[1] == 1


@pytest.mark.parametrize("depth", [200, 300, 900])
def test_arguments_nested_too_deep_to_compare_are_the_same_in_the_same_words(depth: int) -> None:
    deep = "[" * depth + "]" * depth

    assert trailing_run(iter([Call("a", deep), Call("a", deep), Call("a", f" {deep}")])) == (
        "a",
        2 + (depth <= 250),
    )
