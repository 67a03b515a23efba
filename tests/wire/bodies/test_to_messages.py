"""Chat Completions requests as Messages requests."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from coderouter_core.errors import RequestError
from coderouter_core.model import Dialect
from coderouter_core.wire import Translated, codec, translate

PNG = "aVZCT1J3MEtHZ28="
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
IMAGE_PART = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
USER = {"role": "user", "content": "hi"}
HI = {"role": "user", "content": [{"type": "text", "text": "hi"}]}
SCHEMA = {"type": "object", "properties": {"city": {}}}
FUNCTION = {"type": "function", "function": {"name": "w", "description": "d", "parameters": SCHEMA}}
TOOL = {"name": "w", "input_schema": SCHEMA, "description": "d"}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def said(content: Any, role: str = "assistant", **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def call(identity: str | None = "c1", arguments: Any = "{}") -> dict[str, Any]:
    place = {} if identity is None else {"id": identity}
    return {**place, "type": "function", "function": {"name": "w", "arguments": arguments}}


def called(*calls: dict[str, Any]) -> dict[str, Any]:
    return said(None, tool_calls=list(calls))


def tool(identity: str | None, content: Any) -> dict[str, Any]:
    return {"role": "tool", "content": content, **({} if identity is None else {"tool_call_id": identity})}


def translated(how: dict[str, Any] | None = None, /, **body: Any) -> Translated:
    whole = {"model": "m", "messages": [USER], **body}
    codec(Dialect.CHAT).check(whole)
    found = translate(whole, Dialect.CHAT, Dialect.MESSAGES, **(how or {}))
    codec(Dialect.MESSAGES).check(found.body)
    return found


def turns(*messages: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    found = translated(messages=list(messages)).body["messages"]
    return [(turn["role"], turn["content"]) for turn in found]


def dropped(**body: Any) -> list[str]:
    return [field for field, _ in translated(**body).dropped]


def test_a_plain_request() -> None:
    assert translated(
        max_tokens=9, temperature=0.5, top_p=0.9, top_k=5, stop=["END"], stream=True
    ) == Translated(
        {
            "model": "m",
            "top_p": 0.9,
            "top_k": 5,
            "max_tokens": 9,
            "messages": [HI],
            "temperature": 0.5,
            "stop_sequences": ["END"],
            "stream": True,
        }
    )


@pytest.mark.parametrize(
    ("asked", "most"),
    [
        ({}, 4096),
        ({"max_tokens": 7}, 7),
        ({"max_completion_tokens": 8}, 8),
        ({"max_completion_tokens": 8, "max_tokens": 7}, 8),
        ({"max_tokens": None}, 4096),
    ],
    ids=str,
)
def test_how_long_the_answer_may_be(asked: dict[str, Any], most: int) -> None:
    assert translated(**asked).body["max_tokens"] == most


def test_a_client_that_sets_no_limit_has_room_for_the_answer_beside_the_thinking() -> None:
    found = translated({"control": "anthropic"}, thinking={"type": "enabled", "budget_tokens": 10_000})

    assert found.body["max_tokens"] == 14_096


@pytest.mark.parametrize(
    ("asked", "sent", "told"),
    [(0.7, 0.7, []), (1, 1, []), (1.7, 1, ["temperature"]), (-1, 0, ["temperature"])],
)
def test_temperature_is_held_between_0_and_1(asked: float, sent: float, told: list[str]) -> None:
    found = translated(temperature=asked)

    assert (found.body["temperature"], [field for field, _ in found.dropped]) == (sent, told)


@pytest.mark.parametrize(
    ("stop", "sequences", "told"),
    [("END", ["END"], []), (["a", "\n"], ["a"], ["stop"]), (["a"], ["a"], [])],
)
def test_stop_strings(stop: Any, sequences: list[str], told: list[str]) -> None:
    found = translated(stop=stop)

    assert (found.body["stop_sequences"], [field for field, _ in found.dropped]) == (sequences, told)


@pytest.mark.parametrize(
    ("heads", "system"),
    [
        pytest.param([said("be brief", "system")], "be brief", id="system"),
        pytest.param([said("be brief", "developer")], "be brief", id="developer"),
        pytest.param(
            [said("a", "system"), said([text("b")], "developer")], [text("a"), text("b")], id="both"
        ),
        pytest.param(
            [said([{**text("a"), "cache_control": {"type": "ephemeral"}}], "system")],
            [{**text("a"), "cache_control": {"type": "ephemeral"}}],
            id="with-a-cache-hint",
        ),
    ],
)
def test_what_stands_before_the_first_turn_is_the_system_prompt(
    heads: list[dict[str, Any]], system: Any
) -> None:
    body = translated(messages=[*heads, USER]).body

    assert (body["system"], body["messages"]) == (system, [HI])


def test_a_system_turn_amid_the_conversation_stays_there_marked() -> None:
    found = translated(messages=[USER, said("ok"), said("now in French", "system"), USER])

    assert (found.body["messages"][2]["content"], found.dropped[0][0]) == (
        [text("<system>\nnow in French\n</system>"), text("hi")],
        "messages.role",
    )


def test_a_request_of_only_system_prompts_asks_with_them() -> None:
    found = translated(messages=[said("count to three", "system")])

    assert (found.body["messages"], "system" in found.body) == (
        [{"role": "user", "content": [text("count to three")]}],
        False,
    )


@pytest.mark.parametrize("content", ["", None, "  \n", []], ids=repr)
def test_a_request_that_says_nothing_still_has_a_turn(content: Any) -> None:
    assert turns(said(content, "user")) == [("user", [text("(no text)")])]


def test_turns_of_the_same_role_are_joined() -> None:
    assert turns(USER, USER, said("a"), said("b"), USER) == [
        ("user", [text("hi"), text("hi")]),
        ("assistant", [text("a"), text("b")]),
        ("user", [text("hi")]),
    ]


def test_the_users_turn_comes_first() -> None:
    assert [role for role, _ in turns(said("a"), USER)] == ["user", "assistant", "user"]


def test_an_assistant_turn_that_holds_nothing_is_left_out() -> None:
    assert turns(USER, said(""), USER) == [("user", [text("hi"), text("hi")])]


def test_a_prefilled_answer_ends_without_white_space() -> None:
    assert turns(USER, said("{ \n"))[-1] == ("assistant", [text("{")])


def test_the_users_own_white_space_is_kept() -> None:
    assert turns(said("hi \n", "user")) == [("user", [text("hi \n")])]


def test_text_and_images_keep_their_order() -> None:
    assert turns(said([text("a"), IMAGE_PART, text("b")], "user")) == [
        ("user", [text("a"), IMAGE, text("b")])
    ]


@pytest.mark.parametrize(
    ("image_url", "source"),
    [
        pytest.param({"url": "https://x/i.png"}, {"type": "url", "url": "https://x/i.png"}, id="address"),
        pytest.param("https://x/i.png", {"type": "url", "url": "https://x/i.png"}, id="bare-string"),
        pytest.param(
            {"url": f"data:image/jpeg;charset=x;base64,{PNG}"},
            {"type": "base64", "media_type": "image/jpeg", "data": PNG},
            id="jpeg",
        ),
        pytest.param(
            {"url": f"data:;base64,{PNG}"},
            {"type": "base64", "media_type": "image/png", "data": PNG},
            id="without-a-type",
        ),
    ],
)
def test_an_image(image_url: Any, source: dict[str, str]) -> None:
    part = {"type": "image_url", "image_url": image_url}

    assert turns(said([part], "user")) == [("user", [{"type": "image", "source": source}])]


def test_a_pdf_is_a_document() -> None:
    part = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,eA=="}}
    source = {"type": "base64", "media_type": "application/pdf", "data": "eA=="}

    assert turns(said([part], "user")) == [
        ("user", [{"type": "document", "source": source, "title": "a.pdf"}])
    ]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}},
        {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
        {"type": "file", "file": {"file_id": "f"}},
    ],
    ids=lambda part: part["type"],
)
def test_parts_that_cannot_be_shown_leave_a_note_and_are_told(part: dict[str, Any]) -> None:
    kind = part["type"]
    found = translated(messages=[said([part], "user")])

    assert (found.body["messages"][0]["content"], found.dropped[0][0]) == (
        [text(f"[{kind} left out: it cannot be shown to this model]")],
        f"messages.{kind}",
    )


def test_calls_and_their_results() -> None:
    found = turns(
        USER,
        said("so", tool_calls=[call("c1", '{"city": "a"}'), call("c2", '{"city": "b"}')]),
        tool("c1", "one"),
        tool("c2", [text("two"), IMAGE_PART]),
        said("and?", "user"),
    )

    assert found[1:] == [
        (
            "assistant",
            [
                text("so"),
                {"type": "tool_use", "id": "c1", "name": "w", "input": {"city": "a"}},
                {"type": "tool_use", "id": "c2", "name": "w", "input": {"city": "b"}},
            ],
        ),
        (
            "user",
            [
                {"type": "tool_result", "tool_use_id": "c1", "content": [text("one")]},
                {"type": "tool_result", "tool_use_id": "c2", "content": [text("two"), IMAGE]},
                text("and?"),
            ],
        ),
    ]


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ("", {}),
        ({"a": 1}, {"a": 1}),
        ('{"a": "b', {"a": "b"}),
        ("nonsense", {"_raw": "nonsense"}),
        (None, {}),
    ],
    ids=repr,
)
def test_arguments_become_an_object(arguments: Any, value: dict[str, Any]) -> None:
    assert turns(USER, called(call(arguments=arguments)))[1][1][0]["input"] == value


def test_results_stand_before_what_the_user_said_meanwhile() -> None:
    found = turns(USER, called(call("c1")), said("wait", "user"), tool("c1", "one"))

    assert [block["type"] for block in found[2][1]] == ["tool_result", "text"]


def test_an_empty_result_has_no_content() -> None:
    assert turns(USER, called(call("c1")), tool("c1", ""))[2][1] == [
        {"type": "tool_result", "tool_use_id": "c1"}
    ]


def test_ids_get_the_letters_that_messages_allows() -> None:
    found = turns(USER, called(call("functions.w:0")), tool("functions.w:0", "one"))

    assert (found[1][1][0]["id"], found[2][1][0]["tool_use_id"]) == ("functions_w_0", "functions_w_0")


def test_results_find_calls_that_have_no_id() -> None:
    found = turns(USER, called(call(None), call(None)), tool(None, "one"), tool(None, "two"))

    calls = [block["id"] for block in found[1][1]]
    assert (calls, len(set(calls))) == ([block["tool_use_id"] for block in found[2][1]], 2)


def test_legacy_function_calls() -> None:
    found = turns(
        USER,
        said(None, function_call={"name": "w", "arguments": '{"a":1}'}),
        {"role": "function", "name": "w", "content": "one"},
    )

    assert (found[1][1][0]["input"], found[1][1][0]["id"]) == ({"a": 1}, found[2][1][0]["tool_use_id"])


def test_a_refusal_in_the_history_is_text() -> None:
    assert turns(USER, said(None, refusal="no"), USER)[1] == ("assistant", [text("no")])


def test_reasoning_of_earlier_turns_stays_behind_and_is_told() -> None:
    found = translated(messages=[USER, said("a", reasoning_content="hm"), USER])

    assert (found.body["messages"][1]["content"], [field for field, _ in found.dropped]) == (
        [text("a")],
        ["messages.reasoning_content"],
    )


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_of_earlier_turns_leads_them_where_it_is_wanted(field: str) -> None:
    found = translated({"reasoning": True}, messages=[USER, said("a", **{field: "hm"}), USER])

    assert (found.body["messages"][1]["content"], found.dropped) == (
        [{"type": "thinking", "thinking": "hm", "signature": "coderouter:unsigned"}, text("a")],
        (),
    )


def test_a_call_without_a_result_is_given_one_and_told() -> None:
    found = translated(
        messages=[USER, called(call("c1"), call("c2")), tool("c2", "two"), said("so", "assistant")]
    )

    assert (found.body["messages"][2]["content"], found.dropped[0][0]) == (
        [
            {"type": "tool_result", "tool_use_id": "c2", "content": [text("two")]},
            {
                "type": "tool_result",
                "tool_use_id": "c1",
                "content": [text("[no result: this call was not answered]")],
                "is_error": True,
            },
        ],
        "messages.tool_calls",
    )


def test_a_result_without_a_call_is_text_and_told() -> None:
    found = translated(messages=[USER, said("so"), tool("c1", "two")])

    assert (found.body["messages"][2]["content"], found.dropped[0][0]) == (
        [text("[result of a tool call that is not in the conversation]"), text("two")],
        "messages.tool",
    )


def test_ids_that_become_the_same_stay_apart() -> None:
    found = turns(USER, called(call("a.b"), call("a:b")), tool("a.b", "one"), tool("a:b", "two"))

    ids = [block["id"] for block in found[1][1]]
    assert (ids, len(set(ids))) == ([block["tool_use_id"] for block in found[2][1]], 2)


def test_calls_without_an_id_have_the_same_one_in_the_next_turn() -> None:
    history = [USER, called(call(None)), tool(None, "one")]

    assert turns(*history, said("so"), USER)[:3] == turns(*history)


def test_a_name_that_messages_does_not_allow_leads_back() -> None:
    found = translated(tools=[{"type": "function", "function": {"name": "ns.tool"}}])

    assert found.names == {found.body["tools"][0]["name"]: "ns.tool"}


@pytest.mark.parametrize("n", [2, 9])
def test_several_answers_are_refused_by_name(n: int) -> None:
    with pytest.raises(RequestError, match=f"^n: must be 1 .* not {n}$") as raised:
        translated(n=n)

    assert raised.value.fault.status == 400


@pytest.mark.parametrize(("user", "length"), [("u-1", 3), ("u" * 257, 64)])
def test_who_asks(user: str, length: int) -> None:
    found = translated(user=user)

    assert (len(found.body["metadata"]["user_id"]), found.dropped) == (length, ())


FORMAT = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}}


def test_the_schema_of_the_answer_goes_to_a_provider_that_takes_one() -> None:
    found = translated({"structured": True}, response_format=FORMAT)

    assert (found.body["output_config"], found.dropped) == (
        {"format": {"type": "json_schema", "schema": SCHEMA}},
        (),
    )


def test_the_schema_of_the_answer_is_told_where_it_is_not_taken() -> None:
    assert dropped(response_format=FORMAT) == ["response_format"]


@pytest.mark.parametrize(
    ("control", "effort", "sent", "told"),
    [
        ("anthropic", "high", {"output_config": {"effort": "high"}}, []),
        ("anthropic", "none", {"thinking": {"type": "disabled"}}, []),
        ("openai", "high", {"reasoning_effort": "high"}, []),
        ("none", "high", {}, ["reasoning_effort"]),
        ("provider_specific", "high", {}, ["reasoning_effort"]),
    ],
)
def test_effort_by_what_the_provider_takes(
    control: str, effort: str, sent: dict[str, Any], told: list[str]
) -> None:
    found = translated({"control": control}, reasoning_effort=effort)

    fields = found.body.keys() & {"thinking", "output_config", "reasoning_effort"}
    assert ({key: found.body[key] for key in fields}, [field for field, _ in found.dropped]) == (sent, told)


def test_anthropics_own_fields_reach_a_provider_that_takes_them_and_never_contradict() -> None:
    off = {"type": "disabled"}
    found = translated({"control": "anthropic"}, thinking=off, reasoning_effort="low")

    assert (found.body["thinking"], "output_config" in found.body, [field for field, _ in found.dropped]) == (
        off,
        False,
        ["reasoning_effort"],
    )


def test_a_name_in_the_history_is_told() -> None:
    assert dropped(messages=[{**USER, "name": "Ann"}]) == ["messages.name"]


def test_a_function_is_a_tool() -> None:
    assert translated(tools=[FUNCTION]).body["tools"] == [TOOL]


def test_a_legacy_function_is_a_tool() -> None:
    assert translated(functions=[FUNCTION["function"]]).body["tools"] == [TOOL]


@pytest.mark.parametrize("parameters", [None, {}], ids=str)
def test_a_function_without_parameters_takes_an_object(parameters: Any) -> None:
    [found] = translated(
        tools=[{"type": "function", "function": {"name": "w", "parameters": parameters}}]
    ).body["tools"]

    assert found == {"name": "w", "input_schema": {"type": "object", "properties": {}}}


def test_a_strict_function_is_told() -> None:
    assert dropped(tools=[{"type": "function", "function": {"name": "w", "strict": True}}]) == [
        "tools.strict"
    ]


def test_the_wanted_detail_of_an_image_is_told() -> None:
    part = {"type": "image_url", "image_url": {"url": "https://x/i.png", "detail": "high"}}

    assert dropped(messages=[said([part], "user")]) == ["messages.image_url.detail"]


def test_a_tool_that_is_no_function_is_told() -> None:
    assert dropped(tools=[FUNCTION, {"type": "custom", "custom": {"name": "x"}}]) == ["tools.custom"]


@pytest.mark.parametrize(
    ("asked", "choice"),
    [
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": {"type": "function", "function": {"name": "w"}}}, {"type": "tool", "name": "w"}),
        ({"function_call": {"name": "w"}}, {"type": "tool", "name": "w"}),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        (
            {"tool_choice": "required", "parallel_tool_calls": False},
            {"type": "any", "disable_parallel_tool_use": True},
        ),
        ({"parallel_tool_calls": True}, None),
    ],
    ids=str,
)
def test_the_choice_of_tools(asked: dict[str, Any], choice: dict[str, Any] | None) -> None:
    found = translated(tools=[FUNCTION], **asked)

    assert (found.body.get("tool_choice"), found.dropped) == (choice, ())


@pytest.mark.parametrize(("mode", "kind"), [("auto", "auto"), ("required", "any")])
def test_a_choice_of_some_tools_leaves_only_those(mode: str, kind: str) -> None:
    other = {"type": "function", "function": {"name": "other"}}
    allowed = {"mode": mode, "tools": [{"type": "function", "function": {"name": "w"}}]}
    found = translated(
        tools=[FUNCTION, other], tool_choice={"type": "allowed_tools", "allowed_tools": allowed}
    )

    names = [tool["name"] for tool in found.body["tools"]]
    assert (names, found.body["tool_choice"], found.dropped) == (["w"], {"type": kind}, ())


def test_a_choice_without_tools_goes_without_a_word() -> None:
    found = translated(tool_choice="auto", parallel_tool_calls=False)

    assert ("tool_choice" in found.body, found.dropped) == (False, ())


def test_what_messages_cannot_take_is_told_and_left_out() -> None:
    extra = {
        "response_format": {"type": "json_object"},
        "seed": 7,
        "reasoning_effort": "low",
        "logit_bias": {"5": 1},
        "frequency_penalty": 0.5,
        "service_tier": "flex",
    }
    found = translated(**extra)

    assert ({field for field, _ in found.dropped}, found.body.keys() & extra.keys()) == (set(extra), set())


@pytest.mark.parametrize(
    "extra",
    [{"n": 1}, {"response_format": {"type": "text"}}, {"logprobs": False}, {"seed": None}, {"profile": "x"}],
    ids=str,
)
def test_what_is_the_case_anyway_goes_without_a_word(extra: dict[str, Any]) -> None:
    found = translated(**extra)

    assert (found.body.keys() & extra.keys(), found.dropped) == (set(), ())


def test_effort_is_carried_to_a_provider_that_takes_it() -> None:
    found = translated({"control": "anthropic"}, reasoning_effort="minimal")

    assert (found.body["output_config"], found.dropped) == ({"effort": "low"}, ())


def test_the_clients_body_is_not_changed() -> None:
    body = {
        "model": "m",
        "messages": [
            said([text("s")], "system"),
            USER,
            said("so", tool_calls=[call("a:b")]),
            tool("a:b", [text("x"), IMAGE_PART]),
            said([text("now")], "system"),
            said("{ ", "assistant"),
        ],
        "tools": [FUNCTION],
        "parallel_tool_calls": False,
    }
    before = orjson.dumps(body)
    translate(body, Dialect.CHAT, Dialect.MESSAGES, control="anthropic")

    assert orjson.dumps(body) == before
