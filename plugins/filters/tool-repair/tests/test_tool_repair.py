"""Calls that models write as text, over real HTTP."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from coderouter_filter_tool_repair import ToolRepairKeys, ToolRepairPlugin
from coderouter_filter_tool_repair.stream import ToolRepair
from coderouter_filter_tool_repair.tools import Tool, Tools
from hypothesis import given
from hypothesis import strategies as st

from coderouter_core.api import StreamEvent
from coderouter_core.testing import (
    Asked,
    Depends,
    ErrorAfter,
    Raw,
    Reply,
    Script,
    ServedRouter,
    StallAfter,
    ToolCall,
    conformance,
    make_router,
)

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = {
    "messages": [{"name": "get_weather", "input_schema": SCHEMA}],
    "chat": [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}],
}
CALL = '{"name": "get_weather", "arguments": {"city": "Oslo"}}'
OSLO = [("get_weather", {"city": "Oslo"})]

WAYS = [
    pytest.param("messages", Script.messages, False, id="messages"),
    pytest.param("messages", Script.messages, True, id="messages-stream"),
    pytest.param("messages", Script.chat, False, id="messages-from-chat"),
    pytest.param("messages", Script.chat, True, id="messages-from-chat-stream"),
    pytest.param("chat", Script.chat, False, id="chat"),
    pytest.param("chat", Script.chat, True, id="chat-stream"),
    pytest.param("chat", Script.messages, False, id="chat-from-messages"),
    pytest.param("chat", Script.messages, True, id="chat-from-messages-stream"),
]
EACH_WAY = pytest.mark.parametrize(("dialect", "spoken", "stream"), WAYS)
STREAMED = pytest.mark.parametrize("stream", [False, True])


def repairing(step: Any, spoken: Any = Script.chat, **provider: Any) -> ServedRouter:
    return make_router(ToolRepairPlugin(), Script(only=spoken(step)), providers={"only": provider})


def ask(
    step: Any, dialect: str = "messages", spoken: Any = Script.chat, stream: bool = False, **body: Any
) -> Asked:
    return repairing(step, spoken).ask(dialect=dialect, stream=stream, **{"tools": TOOLS[dialect], **body})


def calls(asked: Asked) -> list[tuple[str, Any]]:
    """Names and arguments of the calls that a client of either dialect reads."""
    return [(name, json.loads(arguments)) for name, arguments in _calls(asked)]


def _calls(asked: Asked) -> list[tuple[str, str]]:
    if not isinstance(asked.body, list):
        blocks = [block for block in asked.body.get("content") or () if block["type"] == "tool_use"]
        functions = [
            call["function"]
            for choice in asked.body.get("choices") or ()
            for call in choice["message"].get("tool_calls") or ()
        ]
        return [(block["name"], json.dumps(block["input"])) for block in blocks] + [
            (function["name"], function["arguments"]) for function in functions
        ]
    found: dict[int, list[str]] = {}
    for event in asked.body:
        block = event.get("content_block") or {}
        if block.get("type") == "tool_use":
            found[event["index"]] = [block["name"], ""]
        if event.get("index") in found and event["type"] == "content_block_delta":
            found[event["index"]][1] += event["delta"]["partial_json"]
        for choice in event.get("choices") or ():
            for call in choice["delta"].get("tool_calls") or ():
                entry = found.setdefault(call["index"], ["", ""])
                entry[0] += call["function"].get("name") or ""
                entry[1] += call["function"].get("arguments") or ""
    return [(name, arguments) for name, arguments in found.values()]


def reason(asked: Asked) -> str:
    """Why the answer stopped, in the words of the client's dialect."""
    if not isinstance(asked.body, list):
        return asked.body.get("stop_reason") or asked.body["choices"][0]["finish_reason"]
    deltas = [event.get("delta", {}).get("stop_reason") for event in asked.body]
    deltas += [choice["finish_reason"] for event in asked.body for choice in event.get("choices") or ()]
    (said,) = [each for each in deltas if each]
    return str(said)


def told(asked: Asked, name: str) -> list[dict[str, Any]]:
    return [dict(event.fields) for event in asked.events if event.name == name]


@STREAMED
@pytest.mark.parametrize(
    ("tool", "written", "item"),
    [
        pytest.param(
            {"type": "custom", "name": "apply_patch"},
            '{"name": "apply_patch", "arguments": {"input": "*** Begin Patch"}}',
            ("custom_tool_call", "apply_patch", "*** Begin Patch"),
            id="free-text",
        ),
        pytest.param(
            {
                "type": "namespace",
                "name": "mcp",
                "tools": [{"type": "function", "name": "ls", "parameters": {"type": "object"}}],
            },
            '{"name": "mcp__ls", "arguments": {}}',
            ("function_call", "ls", None),
            id="of-a-group",
        ),
    ],
)
def test_a_tool_of_a_responses_client_is_known_by_the_name_that_the_model_was_told(
    tool: dict[str, Any], written: str, item: Any, stream: bool
) -> None:
    asked = repairing(Reply(written)).ask(dialect="responses", stream=stream, tools=[tool])

    answer = asked.body[-1]["response"] if stream else asked.body
    [found] = answer["output"]
    assert (found["type"], found["name"], found.get("input")) == item


@STREAMED
def test_a_name_that_was_too_long_for_the_provider_is_known_in_its_short_form(stream: bool) -> None:
    name = "get_weather_" * 6
    tools = [{"name": name, "input_schema": SCHEMA}]
    router = repairing(
        Depends(lambda body: Reply(CALL.replace("get_weather", body["tools"][0]["function"]["name"])))
    )

    assert calls(router.ask(tools=tools, stream=stream)) == [(name, {"city": "Oslo"})]


def test_it_fits() -> None:
    conformance(ToolRepairPlugin())


DEEPSEEK = '<｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Oslo"}<｜tool▁call▁end｜>'
KIMI = (
    '<|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{"city": "Oslo"}<|tool_call_end|>'
)
HARMONY = '<|channel|>commentary to=functions.get_weather json<|message|>{"city": "Oslo"}<|call|>'


@STREAMED
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"<｜tool▁calls▁begin｜>{DEEPSEEK}\n{DEEPSEEK}<｜tool▁calls▁end｜>", id="deepseek"),
        pytest.param(f"<|tool_calls_section_begin|>{KIMI}{KIMI}<|tool_calls_section_end|>", id="kimi"),
        pytest.param(f"{HARMONY}<|start|>assistant{HARMONY}", id="harmony"),
    ],
)
def test_calls_in_the_tokens_of_a_template_leave_nothing_behind(text: str, stream: bool) -> None:
    asked = ask(Reply(f"Sure.\n{text}", chunk=5), stream=stream)

    assert (asked.text, calls(asked)) == ("Sure.\n", OSLO * 2)


@EACH_WAY
def test_a_call_in_the_text_becomes_a_call(dialect: str, spoken: Any, stream: bool) -> None:
    asked = ask(Reply(f"Sure.\n<tool_call>\n{CALL}\n</tool_call>", chunk=3), dialect, spoken, stream)

    assert (asked.text, calls(asked)) == ("Sure.\n", OSLO)


@EACH_WAY
def test_an_answer_with_repaired_calls_stops_to_use_tools(dialect: str, spoken: Any, stream: bool) -> None:
    asked = ask(CALL, dialect, spoken, stream)

    assert reason(asked) == {"messages": "tool_use", "chat": "tool_calls"}[dialect]


@STREAMED
def test_a_call_outweighs_the_text_at_which_the_answer_stopped(stream: bool) -> None:
    asked = ask(Reply(CALL, stop="stop_sequence"), spoken=Script.messages, stream=stream)

    assert reason(asked) == "tool_use"


@EACH_WAY
def test_an_answer_that_was_cut_short_says_so(dialect: str, spoken: Any, stream: bool) -> None:
    asked = ask(Reply(CALL, stop="max_tokens"), dialect, spoken, stream)

    assert (calls(asked), reason(asked)) == (OSLO, {"messages": "max_tokens", "chat": "length"}[dialect])


@EACH_WAY
def test_an_answer_that_is_only_a_call_has_no_text(dialect: str, spoken: Any, stream: bool) -> None:
    asked = ask(f"```json\n{CALL}\n```", dialect, spoken, stream)
    blocks = [
        event["content_block"]["type"]
        for event in (asked.body if stream else ())
        if event.get("type") == "content_block_start"
    ]

    assert (asked.text, calls(asked), "text" in blocks) == ("", OSLO, False)


@STREAMED
def test_white_space_before_a_call_gives_no_text(stream: bool) -> None:
    asked = ask(Reply(f"\n\n{CALL}\n", chunk=1), stream=stream)

    assert (asked.text, calls(asked), b'"text_delta"' in asked.raw) == ("", OSLO, False)


@STREAMED
@pytest.mark.parametrize("text", [" \n", "\n\n Hello"])
def test_white_space_before_text_stays(text: str, stream: bool) -> None:
    step = Reply(text, chunk=1, stop="max_tokens")

    assert ask(step, "chat", stream=stream).text == text


@EACH_WAY
def test_several_calls_become_several_calls(dialect: str, spoken: Any, stream: bool) -> None:
    text = f"[{CALL}, {CALL.replace('Oslo', 'Rome')}]"

    assert calls(ask(text, dialect, spoken, stream)) == [*OSLO, ("get_weather", {"city": "Rome"})]


@STREAMED
def test_calls_come_after_the_text_around_them(stream: bool) -> None:
    asked = ask(f"Sure.\n\n{CALL}\n\nDone.", stream=stream)

    assert (asked.text, calls(asked)) == ("Sure.\n\n\n\nDone.", OSLO)


@EACH_WAY
def test_what_is_no_call_stays_text(dialect: str, spoken: Any, stream: bool) -> None:
    text = 'Hm.\n{"name": "get_weather", "arguments": {"town": "Oslo"}}\nOr {"name": "bob"}.'
    asked = ask(Reply(text, chunk=2), dialect, spoken, stream)

    assert (asked.text, calls(asked)) == (text, [])


@STREAMED
def test_without_tools_nothing_is_a_call(stream: bool) -> None:
    asked = repairing(CALL).ask(stream=stream)

    assert (asked.text, calls(asked)) == (CALL, [])


@pytest.mark.parametrize(("dialect", "choice"), [("chat", "none"), ("messages", {"type": "none"})])
def test_where_no_tool_may_be_called_nothing_is_a_call(dialect: str, choice: Any) -> None:
    assert ask(CALL, dialect, tool_choice=choice).text == CALL


@pytest.mark.parametrize(("kind", "on"), [("openai-compat", True), ("embedded", True), ("anthropic", False)])
def test_it_is_on_where_models_may_not_know_tools(kind: str, on: bool) -> None:
    assert ToolRepairKeys().is_on(kind) is on


def test_tool_repair_switches_it_off() -> None:
    asked = repairing(CALL, tool_repair=False).ask(tools=TOOLS["messages"])

    assert asked.text == CALL


def test_legacy_functions_are_tools_too() -> None:
    functions = [{"name": "get_weather", "parameters": SCHEMA}]

    asked = repairing(CALL).ask(dialect="chat", functions=functions)

    called = asked.body["choices"][0]["message"]["function_call"]
    assert [(called["name"], json.loads(called["arguments"]))] == OSLO


@EACH_WAY
def test_beside_native_calls_text_is_left_alone(dialect: str, spoken: Any, stream: bool) -> None:
    text = f"Sure.\n{CALL}\n\n"
    step = Reply(text, calls=[ToolCall("get_weather", {"city": "Rome"})])
    asked = ask(step, dialect, spoken, stream)

    assert (asked.text, calls(asked)) == (text, [("get_weather", {"city": "Rome"})])


@STREAMED
def test_each_of_several_choices_is_repaired_on_its_own(stream: bool) -> None:
    choices = [
        {"index": at, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for at, text in enumerate([CALL[:20], CALL])
    ]
    body = json.dumps({"id": "chatcmpl-1", "object": "chat.completion", "choices": choices}).encode()
    asked = ask(Raw(200, {"content-type": "application/json"}, body), "chat", stream=stream, n=2)

    assert (asked.text, calls(asked)) == (CALL[:20], [("get_weather", {"city": "Oslo"})])


@STREAMED
def test_a_repaired_call_is_told(stream: bool) -> None:
    asked = ask(f"{CALL}\n{CALL}", stream=stream)

    assert told(asked, "tool-call-repaired") == [
        {"provider": "only", "model": "only-model", "tool": "get_weather", "form": "json", "count": 2}
    ]


@STREAMED
def test_what_could_not_be_repaired_is_told_without_its_arguments(stream: bool) -> None:
    asked = ask(
        '<tool_call>{"name": "get_weather", "arguments": {"town": "secret"}}</tool_call>', stream=stream
    )

    assert told(asked, "tool-call-unrepaired") == [
        {"provider": "only", "model": "only-model", "form": "tool_call", "reason": "arguments lack 'city'"}
    ]


@pytest.mark.parametrize(
    ("dialect", "path"), [("messages", "/v1/messages"), ("chat", "/v1/chat/completions")]
)
def test_the_first_text_leaves_before_the_second_came(dialect: str, path: str) -> None:
    # The upstream falls silent behind the first piece of text until everything is over.
    served = repairing(StallAfter(events=2, reply=Reply("Ordinary text", chunk=8)))
    body = {
        "model": "any",
        "max_tokens": 9,
        "stream": True,
        "messages": [{"role": "user", "content": "hi"}],
        "tools": TOOLS[dialect],
    }
    with httpx.stream("POST", served.url + path, json=body, timeout=10) as answer:
        lines = (line for line in answer.iter_lines() if "Ordinary" in line)

        assert next(lines)


def test_a_provider_that_breaks_within_a_call_is_given_up_for_the_next() -> None:
    script = Script(first=ErrorAfter(events=4, reply=Reply(CALL)), second="hello")
    asked = make_router(ToolRepairPlugin(), script).ask(stream=True, tools=TOOLS["messages"])

    assert (asked.provider, asked.text) == ("second", "hello")


def test_an_answer_without_calls_is_relayed_as_it_came() -> None:
    text = "Ordinary text with {braces} and `code`."
    script = Reply(text, chunk=3)
    asked = ask(script, "chat")
    bare = make_router(Script(only=script)).ask(dialect="chat")

    assert (asked.body.keys(), asked.body["choices"]) == (bare.body.keys(), bare.body["choices"])


def weather(told: list[str]) -> ToolRepair:
    """A filter that notes in `told` the forms of what it found."""
    tools = Tools([Tool("get_weather", SCHEMA)])
    return ToolRepair(tools, lambda found, failed: told.extend(each.form for each in (*found, *failed)))


def filtered(text: str) -> tuple[str, list[str]]:
    """The text that is left of an answer, and the forms of what was found in it."""
    told: list[str] = []
    repair = weather(told)
    events = [
        StreamEvent("block_start", 0, "text"),
        StreamEvent("delta", 0, "text", text),
        StreamEvent("block_stop", 0, "text"),
    ]
    out = [event for each in events for event in repair.feed(each)] + list(repair.flush())
    return "".join(event.text for event in out if event.block == "text"), told


@given(
    parts=st.lists(
        st.sampled_from([CALL, CALL[:20], "```\n", "<tool_call>", "a", " ", "\n", "{"]), max_size=6
    )
)
def test_a_text_that_passes_at_a_glance_stays_as_it_is(parts: list[str]) -> None:
    text = "".join(parts)

    assert not weather([]).passes(text) or filtered(text) == (text, [])


@pytest.mark.parametrize(("text", "passes"), [("Plain words, {braces} too.", True), (CALL, False)])
def test_a_text_passes_at_a_glance_unless_a_call_may_be_in_it(text: str, passes: bool) -> None:
    assert weather([]).passes(text) is passes
