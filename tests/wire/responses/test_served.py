"""Responses clients of a router whose upstreams speak chat or messages, over real HTTP."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from attrs import evolve
from pydantic import BaseModel

from coderouter_core.api import StreamEvent, hookimpl
from coderouter_core.testing import (
    CutAfter,
    ErrorAfter,
    Hang,
    ProviderError,
    Reply,
    Script,
    ServedRouter,
    ToolCall,
    make_router,
)
from coderouter_core.wire.grammar import problems

RESPONSES: Any = "responses"
WEATHER = ToolCall("weather", {"city": 'Zürich "x" 🎉'})
OTHER = ToolCall("weather", {"city": "東京"})
PATCH = '*** Begin Patch\n+"ü" \\ 🎉\n*** End Patch'
TOOL: Any = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}
CUSTOM: Any = {"type": "custom", "name": "apply_patch", "description": "Edits files."}

every_wire = pytest.mark.parametrize(
    "wire",
    [pytest.param(Script.messages, id="messages-upstream"), pytest.param(Script.chat, id="chat-upstream")],
)
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def ask(router: ServedRouter, *, stream: bool, **more: Any) -> Any:
    client = openai.OpenAI(base_url=f"{router.url}/v1", api_key="client", max_retries=0, timeout=15)
    asked: dict[str, Any] = {"model": "gpt-x", "input": "hi", **more}
    if not stream:
        return client.responses.create(**asked)
    with client.responses.stream(**asked) as events:
        return events.get_final_response()


BUILTINS: Any = [
    pytest.param(
        ToolCall("shell", {"commands": ["ls", "pwd"], "timeout_ms": 5}),
        {"output": [{"stdout": "a.txt", "stderr": "", "outcome": {"type": "exit", "exit_code": 3}}]},
        "a.txt\nexit code 3",
        id="shell",
    ),
    pytest.param(
        ToolCall("apply_patch", {"type": "update_file", "path": "a.txt", "diff": "@@\n-a\n+b"}),
        {"status": "failed", "output": "no such file"},
        "failed\nno such file",
        id="apply-patch",
    ),
]


@both_ways
@pytest.mark.parametrize(("call", "gave", "told"), BUILTINS)
def test_a_tool_of_openai_that_the_client_runs_goes_there_and_back(
    call: ToolCall, gave: dict[str, Any], told: str, stream: bool
) -> None:
    router = make_router(Script(only=[Reply(calls=[call]), "done"]))
    more: Any = {"stream": stream, "tools": [{"type": "shell"}, {"type": "apply_patch"}]}

    [item] = ask(router, **more).output
    done = {"type": f"{item.type}_output", "call_id": item.call_id, **gave}
    ask(router, **more, input=[{"role": "user", "content": "hi"}, item, done])

    _, said, result = router.upstreams["only"].calls[-1].body["messages"]
    [function] = [each["function"] for each in said["tool_calls"]]
    assert (json.loads(function["arguments"]), result["content"]) == (call.arguments, told)


@every_wire
@both_ways
def test_text(wire: Any, stream: bool) -> None:
    answer = ask(make_router(Script(only=wire(Reply("Grüße 🎉", usage=(101, 57))))), stream=stream)

    assert (answer.output_text, answer.status, answer.usage.input_tokens, answer.usage.output_tokens) == (
        "Grüße 🎉",
        "completed",
        101,
        57,
    )


@every_wire
@both_ways
def test_parallel_function_calls(wire: Any, stream: bool) -> None:
    router = make_router(Script(only=wire(Reply("Looking.", calls=[WEATHER, OTHER], chunk=3))))

    answer = ask(router, stream=stream, tools=[TOOL])

    assert [item.type for item in answer.output] == ["message", "function_call", "function_call"]
    assert [item.arguments for item in answer.output[1:]] == [
        '{"city":"Zürich \\"x\\" 🎉"}',
        '{"city":"東京"}',
    ]


@every_wire
@both_ways
def test_free_text_of_a_custom_tool(wire: Any, stream: bool) -> None:
    router = make_router(
        Script(only=wire(Reply("", calls=[ToolCall("apply_patch", {"input": PATCH})], chunk=3)))
    )

    [item] = ask(router, stream=stream, tools=[CUSTOM]).output

    assert (item.type, item.input) == ("custom_tool_call", PATCH)


@every_wire
@both_ways
def test_thoughts(wire: Any, stream: bool) -> None:
    router = make_router(Script(only=wire(Reply("42", thinking="deep"))))

    answer = ask(router, stream=stream)

    assert (answer.output[0].summary[0].text, answer.output_text) == ("deep", "42")


@every_wire
def test_a_limit_is_told(wire: Any) -> None:
    answer = ask(make_router(Script(only=wire(Reply("cut o", stop="max_tokens")))), stream=False)

    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")


class City(BaseModel):
    name: str


def test_an_answer_that_is_parsed() -> None:
    router = make_router(Script(only=Script.chat('{"name": "Oslo"}')))
    client = openai.OpenAI(base_url=f"{router.url}/v1", api_key="client", max_retries=0, timeout=15)

    answer = client.responses.parse(model="m", input="hi", text_format=City)

    sent = router.upstreams["only"].calls[0].body["response_format"]["json_schema"]
    assert (answer.output_parsed, sent["name"], sent["strict"]) == (City(name="Oslo"), "City", True)


@every_wire
@both_ways
def test_what_came_of_a_call_reaches_the_upstream(wire: Any, stream: bool) -> None:
    router = make_router(Script(only=wire(Reply("", calls=[WEATHER]), "fine")))
    first = ask(router, stream=stream, tools=[TOOL]).output
    result = {"type": "function_call_output", "call_id": first[0].call_id, "output": "RAIN"}

    answer = ask(
        router,
        stream=stream,
        tools=[TOOL],
        input=[{"role": "user", "content": "hi"}, *[item.to_dict() for item in first], result],
    )

    assert (answer.output_text, b"RAIN" in router.upstreams["only"].calls[1].raw) == ("fine", True)


@every_wire
@both_ways
@pytest.mark.parametrize("failure", [ProviderError("no", status=500), CutAfter(1), ErrorAfter(1)])
def test_a_fallback_is_not_noticed(wire: Any, stream: bool, failure: Any) -> None:
    router = make_router(Script(first=wire(failure), second="fine"))

    answer = ask(router, stream=stream)

    assert (answer.output_text, len(router.upstreams["first"].calls)) == ("fine", 1)


@every_wire
@pytest.mark.parametrize("failure", [CutAfter(6), CutAfter(6, rst=True), ErrorAfter(6)])
def test_an_answer_that_breaks_says_so(wire: Any, failure: Any) -> None:
    asked = make_router(Script(only=wire(failure))).ask(dialect=RESPONSES, stream=True)

    assert (problems(RESPONSES, asked.raw), asked.body[-1]["type"], asked.error["code"]) == (
        [],
        "response.failed",
        "server_error",
    )


@every_wire
def test_a_stream_is_one_that_clients_understand(wire: Any) -> None:
    reply = Reply("Hello", thinking="hm", calls=[WEATHER, ToolCall("apply_patch", {"input": PATCH})], chunk=2)

    asked = make_router(Script(only=wire(reply))).ask(dialect=RESPONSES, stream=True, tools=[TOOL, CUSTOM])

    assert problems(RESPONSES, asked.raw) == []


@both_ways
@pytest.mark.parametrize(
    ("failure", "error"),
    [
        pytest.param(ProviderError("no", status=401), openai.AuthenticationError, id="401"),
        pytest.param(ProviderError("no", status=429), openai.RateLimitError, id="429"),
        pytest.param(ProviderError("no", status=400), openai.BadRequestError, id="400"),
        pytest.param(ProviderError("no", status=503), openai.InternalServerError, id="503"),
    ],
)
def test_an_error_before_the_stream_has_its_status(
    stream: bool, failure: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        ask(make_router(Script(only=Script.chat(failure))), stream=stream)


@every_wire
def test_a_prompt_that_is_too_long_has_its_code(wire: Any) -> None:
    words = "request (9010 tokens) exceeds the available context size (4096 tokens), try increasing it"
    asked = make_router(Script(only=wire(ProviderError(words, status=400)))).ask(dialect=RESPONSES)

    assert (asked.status, asked.error["code"]) == (400, "context_length_exceeded")


def test_what_is_refused_says_where() -> None:
    router = make_router(Script(only="hi"))

    with pytest.raises(openai.BadRequestError) as caught:
        ask(router, stream=False, previous_response_id="resp_1")

    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


def test_what_is_lost_is_told_once() -> None:
    asked = make_router(Script(only="hi")).ask(dialect=RESPONSES, tools=[TOOL, {"type": "web_search"}])

    assert asked.event_names.count("capability-degraded") == 1


def test_an_error_of_a_route_below_has_openais_shape() -> None:
    router = make_router(Script(only="hi"))

    answer = router.client.get("/v1/responses/resp_1")

    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")


@every_wire
@both_ways
def test_what_it_cost_is_recorded(wire: Any, stream: bool) -> None:
    router = make_router(
        Script(only=wire(Reply("hi", usage=(1000, 1000)))),
        providers={"only": {"cost": {"input_tokens_per_million": 1.0, "output_tokens_per_million": 2.0}}},
    )

    [attempt] = router.ask(dialect=RESPONSES, stream=stream).attempts

    assert attempt.cost is not None
    assert attempt.cost.usd == pytest.approx(0.003)


@every_wire
def test_a_system_prompt_of_the_profile_is_added(wire: Any) -> None:
    router = make_router(Script(only=wire("hi")), profile={"append_system_prompt": "BE KIND"})

    router.ask(dialect=RESPONSES, instructions="INS")

    assert b"BE KIND" in router.upstreams["only"].calls[0].raw


class Louder:
    """A plugin and its filter."""

    stage = 10

    @hookimpl
    def stream_filter(self) -> Louder:
        return self

    def feed(self, event: StreamEvent) -> list[StreamEvent]:
        return [evolve(event, text=event.text.upper(), frame=None)]

    def flush(self) -> list[StreamEvent]:
        return []


@every_wire
@both_ways
def test_filters_apply(wire: Any, stream: bool) -> None:
    router = make_router(Louder(), Script(only=wire("hello there")))

    assert router.ask(dialect=RESPONSES, stream=stream).text == "HELLO THERE"


def test_a_failure_after_a_ping_is_a_whole_stream() -> None:
    late = ProviderError("broken", status=500)
    router = make_router(Script(a=Hang(), b=late), providers={"a": {"timeout_s": 1}}, ping_after_s=0.2)

    asked = router.ask(dialect=RESPONSES, stream=True)

    assert (asked.raw[:8], problems(RESPONSES, asked.raw), asked.body[-1]["type"]) == (
        b": ping\n\n",
        [],
        "response.failed",
    )


@pytest.mark.parametrize(
    ("wire", "capabilities", "place"),
    [
        pytest.param(Script.chat, {"reasoning_passthrough": True}, "reasoning_content", id="chat"),
        pytest.param(Script.messages, {}, "signature", id="messages"),
    ],
)
@both_ways
def test_thoughts_come_back_to_the_upstream(wire: Any, capabilities: Any, place: str, stream: bool) -> None:
    router = make_router(
        Script(only=wire(Reply("", thinking="DEEP", calls=[WEATHER]), "fine")),
        providers={"only": {"capabilities": capabilities}},
    )
    asked = {"tools": [TOOL], "include": ["reasoning.encrypted_content"], "stream": stream}
    first = [item.to_dict() for item in ask(router, **asked).output]
    result = {"type": "function_call_output", "call_id": first[1]["call_id"], "output": "RAIN"}

    ask(router, **asked, input=[{"role": "user", "content": "hi"}, *first, result])

    turn = next(
        turn for turn in router.upstreams["only"].calls[1].body["messages"] if turn["role"] == "assistant"
    )
    assert ("DEEP" in str(turn), place in str(turn)) == (True, True)
