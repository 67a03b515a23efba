"""Messages requests as Chat Completions requests."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from coderouter_core.model import Dialect
from coderouter_core.wire import Translated, codec, translate

PNG = "aVZCT1J3MEtHZ28="
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
IMAGE_PART = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
USER = {"role": "user", "content": "hi"}
TOOL = {"name": "w", "description": "d", "input_schema": {"type": "object", "properties": {"city": {}}}}
FUNCTION = {
    "type": "function",
    "function": {"name": "w", "parameters": TOOL["input_schema"], "description": "d"},
}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def use(identity: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": identity, "name": "w", "input": arguments}


def result(identity: str, content: Any = "", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": identity, "content": content, **more}


def turn(role: str, *blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "content": list(blocks)}


def translated(how: dict[str, Any] | None = None, /, **body: Any) -> Translated:
    whole = {"model": "m", "max_tokens": 9, "messages": [USER], **body}
    codec(Dialect.MESSAGES).check(whole)
    return translate(whole, Dialect.MESSAGES, Dialect.CHAT, **(how or {}))


def messages(*turns: dict[str, Any], **body: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = translated(messages=list(turns), **body).body["messages"]
    return found


def dropped(**body: Any) -> list[str]:
    return [field for field, _ in translated(**body).dropped]


def test_a_plain_request() -> None:
    assert translated(temperature=0.5, top_p=0.9, stop_sequences=["END"]) == Translated(
        {
            "model": "m",
            "max_tokens": 9,
            "temperature": 0.5,
            "top_p": 0.9,
            "messages": [USER],
            "stop": ["END"],
        }
    )


def test_a_stream_asks_for_its_usage() -> None:
    body = translated(stream=True).body

    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


@pytest.mark.parametrize(
    ("system", "content"),
    [
        pytest.param("be brief", "be brief", id="string"),
        pytest.param(
            [text("be brief"), {**text("be kind"), "cache_control": {"type": "ephemeral"}}],
            "be brief\nbe kind",
            id="blocks",
        ),
        pytest.param(
            [text("x-anthropic-billing-header: a=b"), text("be brief")], "be brief", id="attribution"
        ),
        pytest.param(
            [text("be brief"), text("x-anthropic-billing-header: a=b")],
            "be brief\nx-anthropic-billing-header: a=b",
            id="attribution-only-first",
        ),
    ],
)
def test_the_system_prompt_is_the_first_message(system: Any, content: str) -> None:
    assert messages(USER, system=system) == [{"role": "system", "content": content}, USER]


@pytest.mark.parametrize("system", ["", [], [text("")], [text("x-anthropic-billing-header: a=b")]], ids=str)
def test_an_empty_system_prompt_is_none(system: Any) -> None:
    assert messages(USER, system=system) == [USER]


def test_a_system_turn_stays_where_it_stands() -> None:
    amid = {"role": "system", "content": [text("now in French")]}

    assert messages(USER, amid, USER) == [USER, {"role": "system", "content": "now in French"}, USER]


def test_text_blocks_become_one_string() -> None:
    assert messages(turn("user", text("a"), text(""), text("b"))) == [{"role": "user", "content": "a\nb"}]


def test_text_and_images_keep_their_order() -> None:
    parts = messages(turn("user", text("a"), IMAGE, text("b")))[0]["content"]

    assert parts == [text("a"), IMAGE_PART, text("b")]


def test_an_image_by_address_keeps_it() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://x/i.png"}}

    [part] = messages(turn("user", image))[0]["content"]
    assert part == {"type": "image_url", "image_url": {"url": "https://x/i.png"}}


def test_an_uploaded_image_leaves_a_note_and_is_told() -> None:
    image = {"type": "image", "source": {"type": "file", "file_id": "f"}}
    found = translated(messages=[turn("user", image)])

    assert (found.body["messages"][0]["content"], found.dropped[0][0]) == (
        "[image left out: it cannot be shown to this model]",
        "messages.image",
    )


def test_calls_of_the_assistant() -> None:
    assert messages(
        USER, turn("assistant", text("so"), use("t1", city="Zürich")), turn("user", result("t1", "ok"))
    ) == [
        USER,
        {
            "role": "assistant",
            "content": "so",
            "tool_calls": [
                {"id": "t1", "type": "function", "function": {"name": "w", "arguments": '{"city":"Zürich"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "ok"},
    ]


def test_a_call_without_text_has_null_content() -> None:
    assert messages(USER, turn("assistant", use("t1")), turn("user", result("t1")))[1]["content"] is None


def test_results_come_right_after_the_calls_and_the_rest_of_the_turn_follows() -> None:
    found = messages(
        USER,
        turn("assistant", use("t1"), use("t2")),
        turn("user", text("first"), result("t1", [text("one")]), result("t2", "two"), text("last")),
    )

    assert found[2:] == [
        {"role": "tool", "tool_call_id": "t1", "content": "one"},
        {"role": "tool", "tool_call_id": "t2", "content": "two"},
        {"role": "user", "content": "first\nlast"},
    ]


def changing(kind: str, tool: dict[str, Any]) -> dict[str, Any]:
    return {"role": "system", "content": [{"type": kind, "tool": tool}]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param("tool_addition", "Tool w is available from now on.", id="addition"),
        pytest.param("tool_removal", "Tool w is not available from now on.", id="removal"),
    ],
)
def test_a_change_of_tools_amid_the_conversation_is_told_where_it_stands(change: str, said: str) -> None:
    amid = changing(change, {"type": "tool_reference", "name": "w"})

    assert messages(USER, amid, USER, tools=[TOOL])[1] == {"role": "system", "content": said}


def test_a_tool_that_is_defined_amid_the_conversation_joins_the_tools() -> None:
    amid = changing("tool_addition", {"type": "tool_definition", "definition": TOOL})

    assert translated(messages=[USER, amid, USER]).body["tools"] == [FUNCTION]


def test_a_tool_that_is_defined_again_is_declared_once_and_as_it_was_defined_last() -> None:
    old = {**TOOL, "description": "old"}
    amid = changing("tool_addition", {"type": "tool_definition", "definition": TOOL})

    assert translated(messages=[USER, amid, USER, amid, USER], tools=[old]).body["tools"] == [FUNCTION]


def test_a_system_turn_that_only_sets_an_effort_is_left_out_and_told() -> None:
    amid = {"role": "system", "output_config": {"effort": "low"}}
    found = translated(messages=[USER, amid, USER])

    assert ([turn["role"] for turn in found.body["messages"]], [field for field, _ in found.dropped]) == (
        ["user", "user"],
        ["messages.output_config"],
    )


def test_results_come_right_after_the_calls_though_a_system_turn_stands_between() -> None:
    amid = {"role": "system", "content": "hurry"}
    found = messages(USER, turn("assistant", use("t1")), amid, turn("user", result("t1", "one"), text("go")))

    assert [message["role"] for message in found] == ["user", "assistant", "tool", "system", "user"]


def test_a_failed_result_is_marked() -> None:
    found = messages(
        USER, turn("assistant", use("t1")), turn("user", result("t1", "no such file", is_error=True))
    )

    assert found[2]["content"] == "Error: no such file"


@pytest.mark.parametrize("content", ["", None, [], [text("")]], ids=str)
def test_an_empty_result_is_an_empty_text(content: Any) -> None:
    found = messages(USER, turn("assistant", use("t1")), turn("user", result("t1", content)))

    assert found[2]["content"] == ""


def test_an_image_in_a_result_moves_to_the_next_user_message() -> None:
    found = messages(
        USER, turn("assistant", use("t1")), turn("user", result("t1", [text("see"), IMAGE]), text("and?"))
    )

    assert found[2:] == [
        {"role": "tool", "tool_call_id": "t1", "content": "see\n[image: it follows in the next message]"},
        {
            "role": "user",
            "content": [text("[image from the result of tool call t1]"), IMAGE_PART, text("and?")],
        },
    ]


def test_a_found_tool_is_named() -> None:
    reference = {"type": "tool_reference", "tool_name": "WebFetch"}
    found = messages(USER, turn("assistant", use("t1")), turn("user", result("t1", [reference])))

    assert found[2]["content"] == "Tool WebFetch is available now."


@pytest.mark.parametrize(
    ("block", "content"),
    [
        pytest.param(
            {"type": "document", "title": "T", "source": {"type": "text", "data": "body"}},
            "T\nbody",
            id="text",
        ),
        pytest.param(
            {"type": "document", "source": {"type": "content", "content": [text("a"), text("b")]}},
            "a\nb",
            id="content",
        ),
        pytest.param(
            {"type": "search_result", "title": "T", "source": "https://x", "content": [text("found")]},
            "T\nhttps://x\nfound",
            id="search-result",
        ),
        pytest.param({"type": "input_text", "text": "a"}, "a", id="input-text"),
    ],
)
def test_blocks_that_hold_text_become_text(block: dict[str, Any], content: str) -> None:
    assert messages(turn("user", block)) == [{"role": "user", "content": content}]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "x"}},
        {"type": "container_upload", "file_id": "f"},
    ],
    ids=lambda block: block["type"],
)
def test_blocks_that_cannot_be_shown_leave_a_note_and_are_told(block: dict[str, Any]) -> None:
    kind = block["type"]
    found = translated(messages=[turn("user", block, text("so?"))])

    assert (found.body["messages"][0]["content"], found.dropped[0][0]) == (
        f"[{kind} left out: it cannot be shown to this model]\nso?",
        f"messages.{kind}",
    )


THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}


def test_thinking_of_earlier_turns_stays_behind_and_is_told() -> None:
    found = translated(messages=[USER, turn("assistant", THOUGHT, text("a")), USER])

    assert (found.body["messages"][1], [field for field, _ in found.dropped]) == (
        {"role": "assistant", "content": "a"},
        ["messages.thinking"],
    )


def test_thinking_of_earlier_turns_goes_back_where_it_is_wanted() -> None:
    found = translated({"reasoning": True}, messages=[USER, turn("assistant", THOUGHT, text("a")), USER])

    assert found.body["messages"][1]["reasoning_content"] == "hm"


def test_a_turn_with_calls_always_has_reasoning_where_it_is_wanted() -> None:
    found = translated(
        {"reasoning": True}, messages=[USER, turn("assistant", use("t1")), turn("user", result("t1"))]
    )

    assert found.body["messages"][1]["reasoning_content"] == ""


def test_thinking_that_only_anthropic_can_read_is_told_where_reasoning_is_wanted() -> None:
    sealed = {"type": "redacted_thinking", "data": "x"}
    found = translated({"reasoning": True}, messages=[USER, turn("assistant", sealed, text("a")), USER])

    assert [field for field, _ in found.dropped] == ["messages.redacted_thinking"]


def test_an_assistant_turn_that_holds_nothing_is_left_out() -> None:
    assert messages(USER, turn("assistant", THOUGHT), USER) == [USER, USER]


def test_a_call_without_a_result_is_given_one_and_told() -> None:
    found = translated(
        messages=[USER, turn("assistant", use("t1"), use("t2")), turn("user", result("t2", "two"))]
    )

    assert (found.body["messages"][2:], found.dropped[0][0]) == (
        [
            {"role": "tool", "tool_call_id": "t2", "content": "two"},
            {"role": "tool", "tool_call_id": "t1", "content": "[no result: this call was not answered]"},
        ],
        "messages.tool_use",
    )


def test_a_result_without_a_call_is_text_and_told() -> None:
    found = translated(
        messages=[USER, turn("assistant", text("a")), turn("user", result("t1", "two"), text("so?"))]
    )

    assert (found.body["messages"][2], found.dropped[0][0]) == (
        {"role": "user", "content": "[result of a tool call that is not in the conversation]\ntwo\nso?"},
        "messages.tool_result",
    )


def test_results_in_two_turns_stand_together_before_the_image_of_the_first() -> None:
    found = messages(
        USER,
        turn("assistant", use("t1"), use("t2")),
        turn("user", result("t1", [IMAGE])),
        turn("user", result("t2", "two")),
    )

    assert [message["role"] for message in found[2:]] == ["tool", "tool", "user"]


def test_two_turns_of_calls_in_a_row_are_one() -> None:
    found = messages(
        USER,
        turn("assistant", text("a"), use("t1")),
        turn("assistant", text("b"), use("t2")),
        turn("user", result("t1"), result("t2")),
    )

    assert (found[1]["content"], [call["id"] for call in found[1]["tool_calls"]]) == ("a\nb", ["t1", "t2"])


def test_ids_that_are_too_long_or_taken_stay_those_of_their_results() -> None:
    long = "t" * 50
    found = messages(
        USER,
        turn("assistant", use(long), use("t1"), use("t1")),
        turn("user", result(long, "a"), result("t1", "b"), result("t1", "c")),
    )

    ids = [call["id"] for call in found[1]["tool_calls"]]
    assert (ids, len(set(ids)), max(map(len, ids))) == ([each["tool_call_id"] for each in found[2:]], 3, 40)


LONG = "mcp__a_server__" + "x" * 60


def test_a_name_that_is_too_long_is_the_same_wherever_it_stands_and_leads_back() -> None:
    found = translated(
        tools=[{**TOOL, "name": LONG}],
        tool_choice={"type": "tool", "name": LONG},
        messages=[USER, turn("assistant", {**use("t1"), "name": LONG}), turn("user", result("t1"))],
    )

    [tool] = found.body["tools"]
    name = tool["function"]["name"]
    [call] = found.body["messages"][1]["tool_calls"]
    assert (
        len(name),
        call["function"]["name"],
        found.body["tool_choice"]["function"]["name"],
        found.names,
    ) == (
        64,
        name,
        name,
        {name: LONG},
    )


def test_names_that_are_allowed_stay() -> None:
    assert translated(tools=[TOOL]).names == {}


@pytest.mark.parametrize(
    ("user", "sent"),
    [("u-1", "u-1"), ("u" * 65, "f20e249d15fa4b9f44ba21d154f62e1efa76ddfdce5d25139a33a4787cee5a8b")],
    ids=["short", "too-long"],
)
def test_who_asks(user: str, sent: str) -> None:
    found = translated(metadata={"user_id": user})

    assert (found.body["user"], found.dropped) == (sent, ())


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}


@pytest.mark.parametrize("field", ["output_config", "output_format"])
def test_the_schema_of_the_answer(field: str) -> None:
    wanted = {"type": "json_schema", "schema": SCHEMA}
    found = translated(**{field: {"format": wanted} if field == "output_config" else wanted})

    assert (found.body["response_format"], found.dropped) == (
        {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}},
        (),
    )


@pytest.mark.parametrize(
    "block",
    [
        {**text("a"), "citations": [{"type": "char_location"}]},
        {"type": "document", "source": {"type": "text", "data": "a"}, "citations": {"enabled": True}},
    ],
    ids=["of-a-text", "of-a-document"],
)
def test_citations_are_told(block: dict[str, Any]) -> None:
    assert dropped(messages=[turn("user", block)]) == ["messages.citations"]


def test_work_of_anthropics_servers_in_earlier_turns_is_told() -> None:
    server = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    found = translated(messages=[USER, turn("assistant", server, text("a")), USER])

    assert (found.body["messages"][1]["content"], found.dropped[0][0]) == ("a", "messages.server_tool_use")


def test_a_request_of_empty_turns_still_has_one() -> None:
    assert messages(turn("user", text(""))) == [{"role": "user", "content": ""}]


def test_a_tool_is_a_function() -> None:
    assert translated(tools=[TOOL]).body["tools"] == [FUNCTION]


def test_a_tool_without_description_has_none() -> None:
    [tool] = translated(tools=[{"name": "w", "input_schema": {"type": "object"}}]).body["tools"]

    assert "description" not in tool["function"]


@pytest.mark.parametrize("schema", [{}, None], ids=str)
def test_a_tool_without_schema_takes_an_object(schema: Any) -> None:
    [tool] = translated(tools=[{"name": "w", "input_schema": schema}]).body["tools"]

    assert tool["function"]["parameters"] == {"type": "object", "properties": {}}


def test_hints_of_a_tool_go_without_a_word() -> None:
    hinted = {
        **TOOL,
        "type": "custom",
        "cache_control": {"type": "ephemeral"},
        "defer_loading": True,
        "eager_input_streaming": True,
    }
    found = translated(tools=[hinted])

    assert (found.body["tools"], found.dropped) == ([FUNCTION], ())


@pytest.mark.parametrize("field", ["strict", "input_examples", "allowed_callers"])
def test_what_a_tool_loses_is_told(field: str) -> None:
    assert dropped(tools=[{**TOOL, field: [1]}]) == [f"tools.{field}"]


def test_a_tool_of_anthropics_servers_is_left_out_and_told() -> None:
    found = translated(tools=[TOOL, {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}])

    assert (found.body["tools"], found.dropped[0][0]) == ([FUNCTION], "tools.web_search")


def test_without_any_tool_left_there_is_no_choice_of_tools() -> None:
    tools = [{"type": "web_search_20250305", "name": "web_search"}]

    assert translated(tools=tools, tool_choice={"type": "any"}).body.keys() == {
        "model",
        "max_tokens",
        "messages",
    }


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        ({"type": "tool", "name": "w"}, {"tool_choice": {"type": "function", "function": {"name": "w"}}}),
        (
            {"type": "auto", "disable_parallel_tool_use": True},
            {"tool_choice": "auto", "parallel_tool_calls": False},
        ),
    ],
    ids=str,
)
def test_the_choice_of_tools(choice: dict[str, Any], expected: dict[str, Any]) -> None:
    body = translated(tools=[TOOL], tool_choice=choice).body

    assert {key: value for key, value in body.items() if "tool_c" in key} == expected


def test_a_choice_that_names_no_tool_is_told() -> None:
    assert dropped(tools=[TOOL], tool_choice={"type": "tool", "name": "gone"}) == ["tool_choice"]


def test_what_chat_completions_cannot_take_is_told_and_left_out() -> None:
    extra = {
        "metadata": {"team": "t"},
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "high"},
        "context_management": {"edits": []},
        "top_k": 5,
        "brand_new": 1,
    }
    found = translated(**extra)

    assert ([field for field, _ in found.dropped], found.body.keys() & extra.keys()) == (list(extra), set())


@pytest.mark.parametrize("field", ["profile", "anthropic_beta"])
def test_keys_that_are_not_the_upstreams_go_without_a_word(field: str) -> None:
    found = translated(**{field: "x"})

    assert (field in found.body, found.dropped) == (False, ())


def test_cache_control_never_leaks() -> None:
    cache = {"cache_control": {"type": "ephemeral"}}
    body = translated(
        system=[{**text("s"), **cache}],
        tools=[{**TOOL, **cache}],
        messages=[
            turn("user", {**text("a"), **cache}, {**IMAGE, **cache}),
            turn("assistant", {**use("t1"), **cache}),
            turn("user", {**result("t1", [{**text("x"), **cache}]), **cache}),
        ],
    ).body

    assert b"cache_control" not in orjson.dumps(body)


@pytest.mark.parametrize(
    ("asked", "effort"),
    [
        pytest.param({"output_config": {"effort": "low"}}, "low", id="effort"),
        pytest.param(
            {"output_config": {"effort": "max"}, "thinking": {"type": "adaptive"}}, "high", id="highest"
        ),
        pytest.param({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low", id="small-budget"),
        pytest.param({"thinking": {"type": "enabled", "budget_tokens": 31999}}, "high", id="large-budget"),
    ],
)
def test_effort_is_carried_to_a_provider_that_takes_it(asked: dict[str, Any], effort: str) -> None:
    found = translated({"control": "openai"}, **asked)

    assert (found.body["reasoning_effort"], found.dropped) == (effort, ())


@pytest.mark.parametrize("control", ["none", "openai", "provider_specific"])
def test_thinking_that_is_switched_off_is_no_loss(control: str) -> None:
    found = translated({"control": control}, thinking={"type": "disabled"})

    assert ("thinking" in found.body, found.dropped) == (False, ())


@pytest.mark.parametrize("control", ["none", "openai", "anthropic", "provider_specific"])
def test_there_is_no_effort_where_thinking_is_off(control: str) -> None:
    found = translated({"control": control}, thinking={"type": "disabled"}, output_config={"effort": "high"})

    assert (
        found.body.keys() & {"reasoning_effort", "output_config"},
        [field for field, _ in found.dropped],
    ) == (
        set(),
        ["output_config.effort"],
    )


def test_a_backend_with_anthropics_fields_gets_them_as_they_are() -> None:
    asked = {"thinking": {"type": "enabled", "budget_tokens": 2048}, "output_config": {"effort": "max"}}
    found = translated({"control": "anthropic"}, **asked)

    assert ({key: found.body.get(key) for key in asked}, found.dropped) == (asked, ())


def test_thinking_that_the_model_may_choose_is_the_backends_own_way() -> None:
    found = translated({"control": "openai"}, thinking={"type": "adaptive", "display": "omitted"})

    assert ("reasoning_effort" in found.body, [field for field, _ in found.dropped]) == (
        False,
        ["thinking.display"],
    )


def test_the_clients_body_is_not_changed() -> None:
    body = {
        "model": "m",
        "max_tokens": 9,
        "system": [text("x-anthropic-billing-header"), text("s")],
        "messages": [
            turn("user", text("a"), IMAGE),
            turn("assistant", use("t1")),
            turn("user", result("t1", [IMAGE])),
        ],
        "tools": [TOOL],
        "output_config": {"effort": "low"},
    }
    before = orjson.dumps(body)
    translate(body, Dialect.MESSAGES, Dialect.CHAT, control="openai", reasoning=True)

    assert orjson.dumps(body) == before
