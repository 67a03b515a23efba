"""What servers do oddly, and how their streams break, behind a router."""

from typing import Any

import anthropic
import openai
import pytest

from coderouter_core.testing import (
    CutAfter,
    EmptyStream,
    ErrorAfter,
    ErrorFirst,
    GarbageAfter,
    Html,
    ProviderError,
    Quirk,
    Reply,
    Script,
    StallAfter,
    Step,
    ToolCall,
    make_router,
)

CALLS = (ToolCall("weather", {"city": "Zürich"}), ToolCall("weather", {"city": '東京 "x" \\ 🎉'}))
INPUTS = [call.arguments for call in CALLS]
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}
ASK: dict[str, Any] = {"model": "any", "messages": [{"role": "user", "content": "hi"}]}

STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
WIRES = pytest.mark.parametrize("wire", [Script.messages, Script.chat], ids=["messages", "chat"])
BOTH = pytest.mark.parametrize("dialect", ["messages", "chat"])

#: Nothing of these is an answer, so the next provider is asked.
WITHOUT_CONTENT = pytest.mark.parametrize(
    "step",
    [
        pytest.param(ErrorFirst(), id="error-first"),
        pytest.param(EmptyStream(), id="empty"),
        pytest.param(Html(), id="html"),
        pytest.param(GarbageAfter(0), id="garbage"),
        pytest.param(CutAfter(1), id="cut"),
        pytest.param(CutAfter(1, rst=True), id="reset"),
        pytest.param(ErrorAfter(1), id="error-after-the-start"),
        pytest.param(StallAfter(1, seconds=0.05), id="stall"),
        pytest.param(ProviderError("overloaded", 529), id="529"),
    ],
)

#: These break after content, so there is no way back.
BROKEN = pytest.mark.parametrize(
    "step",
    [
        pytest.param(CutAfter(5), id="ends"),
        pytest.param(CutAfter(5, rst=True), id="reset"),
        pytest.param(ErrorAfter(5), id="error"),
        pytest.param(StallAfter(5, seconds=0.05), id="stalls"),
        pytest.param(GarbageAfter(5), id="garbage"),
    ],
)


@pytest.mark.parametrize(
    "quirk",
    [
        Quirk.ARGS_OBJECT,
        Quirk.COMMENTS,
        Quirk.CONTENT_PARTS,
        Quirk.CRLF,
        Quirk.INTERLEAVED,
        Quirk.NO_DONE,
        Quirk.NO_FINISH,
        Quirk.NO_INDEX,
        Quirk.NO_ROLE,
        Quirk.NO_SPACE,
        Quirk.NO_TOOL_ID,
        Quirk.NO_USAGE,
        Quirk.NULL_CONTENT,
        Quirk.REASONING,
        Quirk.REPEAT_ID,
        Quirk.SAME_INDEX,
        Quirk.SPLIT_BYTES,
        Quirk.TOOL_FINISH_STOP,
        Quirk.UNASKED_USAGE,
        Quirk.USAGE_ON_FINISH,
        Quirk.WHOLE_ARGS,
    ],
)
@STREAMED
def test_a_chat_servers_quirk_does_not_reach_the_anthropic_sdk(quirk: Quirk, stream: bool) -> None:
    reply = Reply("Go", thinking="hm", calls=CALLS, chunk=5, quirks=[quirk])
    tools: list[Any] = [{"name": "weather", "input_schema": SCHEMA}]
    with (
        make_router(Script(local=reply)) as router,
        anthropic.Anthropic(base_url=router.url, api_key="client", max_retries=0) as client,
    ):
        if stream:
            with client.messages.stream(max_tokens=99, tools=tools, **ASK) as events:
                message: Any = events.get_final_message()
        else:
            message = client.messages.create(max_tokens=99, tools=tools, **ASK)

    assert [block.type for block in message.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert [block.input for block in message.content[2:]] == INPUTS
    assert message.stop_reason == "tool_use"


@pytest.mark.parametrize(
    "quirk",
    [
        Quirk.COMMENTS,
        Quirk.CRLF,
        Quirk.DATA_ONLY,
        Quirk.NO_DONE,
        Quirk.NO_SPACE,
        Quirk.NO_USAGE,
        Quirk.SPLIT_BYTES,
    ],
)
def test_a_messages_servers_quirk_does_not_reach_the_openai_sdk(quirk: Quirk) -> None:
    reply = Reply("Gö 🎉", thinking="hm", chunk=2, quirks=[quirk])
    with (
        make_router(Script(cloud=Script.messages(reply))) as router,
        openai.OpenAI(base_url=f"{router.url}/v1", api_key="client", max_retries=0) as client,
        client.chat.completions.stream(**ASK) as events,
    ):
        choice = events.get_final_completion().choices[0]

    assert (choice.message.content, choice.finish_reason) == ("Gö 🎉", "stop")


@WITHOUT_CONTENT
@STREAMED
@WIRES
@BOTH
def test_what_breaks_before_content_is_not_seen(step: Step, stream: bool, wire: Any, dialect: str) -> None:
    with make_router(Script(first=wire(step), second="hello")) as router:
        asked = router.ask(dialect=dialect, stream=stream)

    assert (asked.status, asked.provider, asked.text) == (200, "second", "hello")


@BROKEN
@WIRES
@BOTH
def test_what_breaks_after_content_ends_with_an_error(step: Step, wire: Any, dialect: str) -> None:
    with make_router(Script(first=wire(step), second="not asked")) as router:
        asked = router.ask(dialect=dialect, stream=True)

    assert asked.error is not None
    assert [attempt.provider.name for attempt in asked.attempts] == ["first"]


@BROKEN
@WIRES
def test_no_end_is_invented_for_a_broken_stream(step: Step, wire: Any) -> None:
    with make_router(Script(first=wire(step))) as router:
        asked = router.ask(stream=True)

    assert not any(event["type"] in {"message_delta", "message_stop"} for event in asked.body)


@BROKEN
@WIRES
def test_a_whole_answer_that_breaks_is_the_next_providers(step: Step, wire: Any) -> None:
    with make_router(Script(first=wire(step), second="hello")) as router:
        assert router.ask().provider == "second"
