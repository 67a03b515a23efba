"""What Claude Code sends, as it reaches backends of both dialects, over real HTTP."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import anthropic
import openai
import orjson
import pytest

from coderouter_core.api import Drop, Provider, hookimpl
from coderouter_core.testing import ProviderError, Reply, Script, ServedRouter, ToolCall, make_router

EPHEMERAL = {"cache_control": {"type": "ephemeral"}}
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
SIGNED = {"type": "thinking", "thinking": "hm", "signature": "EqQBCgIYAhIM"}
MINTED = {"type": "thinking", "thinking": "hm", "signature": "coderouter:unsigned"}
FOREIGN = {"type": "thinking", "thinking": "hm", "signature": "3f0c9a52-2d6b-4b8e-9d77-6d5f1c0e8a11"}
USE = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"file_path": "/a.png"}}
RESULT = {
    "type": "tool_result",
    "tool_use_id": "toolu_1",
    "content": [PNG, {"type": "text", "text": "a.png"}],
}
THINKS: dict[str, Any] = {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 4096}
CLAUDE: dict[str, Any] = {"model": "claude-opus-4-5", "capabilities": {"thinking": True}}
BETAS = "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,effort-2025-11-24"


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


def turn(role: str, *blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "content": list(blocks)}


def attributed(nonce: str) -> list[dict[str, Any]]:
    return [
        text(f"x-anthropic-billing-header: cc_version=2.1.330; cch={nonce};"),
        text("You are an agent.", **EPHEMERAL),
        text("Be brief.", **EPHEMERAL),
    ]


HISTORY: list[dict[str, Any]] = [
    turn("user", text("<system-reminder>Today</system-reminder>"), text("look at a.png")),
    {"role": "system", "content": [text("New tools may come.")]},
    turn("assistant", SIGNED, text("I look."), USE, {**USE, "id": "toolu_2", "name": "ToolSearch"}),
    turn(
        "user",
        RESULT,
        {
            "type": "tool_result",
            "tool_use_id": "toolu_2",
            "content": [{"type": "tool_reference", "tool_name": "WebFetch"}],
            "is_error": False,
        },
    ),
]
TOOLS = [
    {"name": "Read", "description": "d", "input_schema": {"type": "object"}, "eager_input_streaming": True},
    {"name": "WebFetch", "description": "d", "input_schema": {"type": "object"}, "defer_loading": True},
]


def code(turns: list[dict[str, Any]], nonce: str = "a1b2c") -> dict[str, Any]:
    """A request of Claude Code whose last block is the end of the cached prompt."""
    *before, last = turns
    *blocks, end = last["content"]
    return {
        "messages": [*before, {**last, "content": [*blocks, {**end, **EPHEMERAL}]}],
        "system": attributed(nonce),
        "tools": TOOLS,
        "metadata": {"user_id": "user_" + "0" * 80},
        "max_tokens": 32_000,
        "thinking": {"type": "adaptive", "display": "omitted"},
        "output_config": {"effort": "high"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    }


def local(*steps: Any, **keys: Any) -> ServedRouter:
    return make_router(Script(only=Script.chat(*(steps or ("fine",)))), providers={"only": keys})


def native(*steps: Any, plugins: tuple[Any, ...] = (), **keys: Any) -> ServedRouter:
    return make_router(
        *plugins, Script(only=Script.messages(*(steps or ("fine",)))), providers={"only": {**CLAUDE, **keys}}
    )


def sent(router: ServedRouter, call: int = 0) -> Any:
    return router.upstreams["only"].calls[call].body


def degraded(asked: Any) -> set[str]:
    told = (event.fields["dropped"] for event in asked.events if event.name == "capability-degraded")
    return set(itertools.chain.from_iterable(told))


# ---- prompt caches of local backends


def test_the_prompt_of_the_next_turn_begins_with_the_bytes_of_this_one() -> None:
    router = local("one", "two")
    answer, question = turn("assistant", text("It is a cat.")), turn("user", text("and b.png?"))

    router.ask(**code(HISTORY, "a1b2c"), stream=True)
    router.ask(**code([*HISTORY, answer, question], "d3e4f"), stream=True)

    first, second = (sent(router, at) for at in (0, 1))
    begun = orjson.dumps(first["messages"]).removesuffix(b"]")
    assert (
        orjson.dumps(second["messages"]).startswith(begun),
        orjson.dumps(second["tools"]) == orjson.dumps(first["tools"]),
    ) == (True, True)


def test_so_does_that_of_a_local_model_that_speaks_messages() -> None:
    router = native(model="qwen3-coder", capabilities={"thinking": True, "prompt_cache": False})
    answer, question = turn("assistant", text("It is a cat.")), turn("user", text("and b.png?"))

    router.ask(**code(HISTORY, "a1b2c"))
    router.ask(**code([*HISTORY, answer, question], "d3e4f"))

    first, second = (sent(router, at) for at in (0, 1))
    begun = orjson.dumps(first["messages"]).removesuffix(b"]")
    assert (
        orjson.dumps(second["messages"]).startswith(begun),
        orjson.dumps(second["system"]) == orjson.dumps(first["system"]),
    ) == (True, True)


def test_nothing_that_only_anthropic_reads_is_in_the_prompt_of_a_local_model() -> None:
    router = local()

    router.ask(**code(HISTORY))

    raw = router.upstreams["only"].calls[0].raw
    marks = (b"billing-header", b"cache_control", b"defer_loading", b"eager_input", b"EqQBCgIYAhIM")
    assert [mark for mark in marks if mark in raw] == []


def test_a_system_turn_stays_amid_the_conversation_and_images_follow_all_results() -> None:
    router = local()

    router.ask(**code(HISTORY))

    roles = [message["role"] for message in sent(router)["messages"]]
    assert roles == ["system", "user", "system", "assistant", "tool", "tool", "user"]


def test_what_a_local_backend_does_not_get_is_told() -> None:
    asked = local().ask(**code(HISTORY))

    assert {"thinking", "output_config.effort", "context_management", "messages.thinking"} <= degraded(asked)


# ---- attribution


@pytest.mark.parametrize(
    ("model", "kept"),
    [("claude-opus-4-5", True), ("anthropic.claude-sonnet-4-5-v1:0", True), ("qwen3-coder", False)],
)
def test_the_attribution_is_for_claude_and_no_other_model(model: str, kept: bool) -> None:
    router = native(model=model)

    router.ask(**code(HISTORY))

    assert sent(router)["system"] == attributed("a1b2c")[0 if kept else 1 :]


def test_claude_gets_every_byte_but_the_model() -> None:
    router = native()
    body = {"model": "claude-x", "stream": False, **code(HISTORY), "brand_new": {"x": 1}}
    raw = orjson.dumps(body)

    router.client.post("/v1/messages", content=raw, headers={"content-type": "application/json"})

    assert router.upstreams["only"].calls[0].raw == raw.replace(b'"claude-x"', b'"claude-opus-4-5"')


# ---- thinking


@pytest.mark.parametrize("foreign", [MINTED, FOREIGN], ids=["ours", "another-models"])
def test_thinking_of_another_model_does_not_reach_claude_and_is_off_where_it_would_have_led(
    foreign: dict[str, Any],
) -> None:
    router = native()

    asked = router.ask(
        [turn("user", text("hi")), turn("assistant", foreign, USE), turn("user", RESULT)], **THINKS
    )

    assert (sent(router)["messages"][1]["content"], sent(router)["thinking"], degraded(asked)) == (
        [USE],
        {"type": "disabled"},
        {"messages.thinking", "thinking"},
    )


def test_thinking_stays_on_where_no_call_of_the_other_model_is_answered() -> None:
    router = native()
    turns = [turn("user", text("hi")), turn("assistant", FOREIGN, text("so")), turn("user", text("go on"))]

    router.ask(turns, **THINKS)

    assert sent(router)["thinking"] == THINKS["thinking"]


def test_claudes_own_thinking_stays_where_it_is() -> None:
    router = native()

    router.ask([turn("user", text("hi")), turn("assistant", SIGNED, USE), turn("user", RESULT)], **THINKS)

    assert (sent(router)["messages"][1]["content"], sent(router)["thinking"]) == (
        [SIGNED, USE],
        THINKS["thinking"],
    )


def test_where_thinking_is_off_there_is_none_to_clear() -> None:
    router = native()
    edits = [{"type": "clear_thinking_20251015"}, {"type": "clear_tool_uses_20250919"}]

    router.ask(
        [turn("user", text("hi")), turn("assistant", FOREIGN, USE), turn("user", RESULT)],
        context_management={"edits": edits},
        **THINKS,
    )

    assert sent(router)["context_management"] == {"edits": edits[1:]}


@pytest.mark.parametrize(("model", "kept"), [("claude-opus-4-5", True), ("deepseek-v4", False)])
def test_effort_without_thinking_is_for_claude_alone(model: str, kept: bool) -> None:
    router = native(model=model)

    router.ask(thinking={"type": "disabled"}, output_config={"effort": "high"})

    assert ("output_config" in sent(router)) is kept


def test_a_backend_that_wants_reasoning_back_gets_it_with_every_call() -> None:
    router = local(capabilities={"reasoning_passthrough": True})
    again = [turn("assistant", USE), turn("user", RESULT)]

    router.ask([turn("user", text("hi")), turn("assistant", SIGNED, USE), turn("user", RESULT), *again])

    messages = sent(router)["messages"]
    assert [each["reasoning_content"] for each in messages if each["role"] == "assistant"] == ["hm", ""]


@pytest.mark.parametrize("wanted", [True, False])
def test_thinking_made_here_is_for_those_who_want_reasoning_back(wanted: bool) -> None:
    router = native(model="deepseek-v4", capabilities={"thinking": True, "reasoning_passthrough": wanted})

    router.ask([turn("user", text("hi")), turn("assistant", MINTED, USE), turn("user", RESULT)])

    assert (MINTED in sent(router)["messages"][1]["content"]) is wanted


def test_a_chat_client_that_keeps_no_reasoning_is_helped_out() -> None:
    router = local(capabilities={"reasoning_passthrough": True})
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    turns: list[dict[str, Any]] = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "ok"},
    ]

    router.ask(turns, dialect="chat")

    assert sent(router)["messages"] == [turns[0], {**turns[1], "reasoning_content": ""}, turns[2]]


@pytest.mark.parametrize(
    ("control", "fields"),
    [
        ("openai", {"reasoning_effort": "high"}),
        ("anthropic", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
    ],
)
def test_how_hard_to_think_is_said_in_the_backends_words(control: str, fields: dict[str, Any]) -> None:
    router = local(capabilities={"thinking": True, "reasoning_control": control})

    router.ask(thinking={"type": "adaptive"}, output_config={"effort": "high"})

    named = ("reasoning_effort", "thinking", "output_config")
    assert {key: sent(router)[key] for key in named if key in sent(router)} == fields


# ---- headers and fields in pairs


class Dropping:
    """Leaves a field out for everybody."""

    def __init__(self, field: str) -> None:
        self._field = field

    @hookimpl
    def review_attempt(self, provider: Provider) -> Iterable[Drop]:
        yield Drop(provider, self._field, "cannot")


def test_headers_travel_word_for_word() -> None:
    router = native()

    router.ask(**code(HISTORY), headers={"anthropic-beta": f"{BETAS}, new-2030-01-01", "anthropic-new": "1"})

    headers = router.upstreams["only"].calls[0].headers
    assert (headers["anthropic-beta"], headers["anthropic-new"]) == (f"{BETAS}, new-2030-01-01", "1")


def test_the_beta_of_a_field_that_is_left_out_is_left_out() -> None:
    router = native(plugins=(Dropping("context_management"),))

    router.ask(**code(HISTORY), headers={"anthropic-beta": BETAS})

    assert (
        router.upstreams["only"].calls[0].headers["anthropic-beta"],
        "context_management" in sent(router),
    ) == (
        BETAS.replace(",context-management-2025-06-27", ""),
        False,
    )


def test_the_fields_of_a_beta_that_is_left_out_are_left_out() -> None:
    router = native(plugins=(Dropping("anthropic-beta.effort-"),))

    asked = router.ask(**code(HISTORY), headers={"anthropic-beta": BETAS})

    assert (
        router.upstreams["only"].calls[0].headers["anthropic-beta"],
        "output_config" in sent(router),
        "output_config.effort" in degraded(asked),
    ) == (BETAS.removesuffix(",effort-2025-11-24"), False, True)


def test_a_beta_that_goes_with_no_field_can_be_left_out() -> None:
    router = native(plugins=(Dropping("anthropic-beta.new-"),))

    router.ask(headers={"anthropic-beta": "new-2030-01-01,old-2020-01-01"})

    assert router.upstreams["only"].calls[0].headers["anthropic-beta"] == "old-2020-01-01"


def test_a_chat_backend_gets_no_headers_of_anthropics() -> None:
    router = local()

    router.ask(headers={"anthropic-beta": BETAS})

    assert "anthropic-beta" not in router.upstreams["only"].calls[0].headers


# ---- what cannot be translated


@pytest.mark.parametrize("n", [1, 2])
def test_several_answers_are_relayed_where_both_sides_speak_chat(n: int) -> None:
    router = local()

    router.ask(dialect="chat", n=n)

    assert sent(router)["n"] == n


def test_several_answers_of_a_messages_provider_are_refused_by_name() -> None:
    router = native()
    client = openai.OpenAI(base_url=f"{router.url}/v1", api_key="x", max_retries=0)

    with pytest.raises(
        openai.BadRequestError, match="n: must be 1 for a provider that speaks Messages, not 2"
    ):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], n=2)

    assert router.upstreams["only"].calls == []


def test_another_provider_of_the_chain_can_give_several_answers() -> None:
    router = make_router(Script(one=Script.messages("no"), two=Script.chat("yes")))

    assert router.ask(dialect="chat", n=2).provider == "two"


# ---- names of tools


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_long_name_of_a_tool_comes_back_as_the_client_knows_it(stream: bool) -> None:
    name = "mcp__server__" + "x" * 70
    router = local("fine")
    tools: list[Any] = [{"name": name, "input_schema": {"type": "object"}}]
    router.ask(tools=tools)
    short = sent(router)["tools"][0]["function"]["name"]
    router = local(Reply(calls=[ToolCall(short, {"a": 1})]))
    client = anthropic.Anthropic(base_url=router.url, api_key="x", max_retries=0)
    asked: dict[str, Any] = {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}],
        "tools": tools,
    }

    if stream:
        with client.messages.stream(**asked) as events:
            message = events.get_final_message()
    else:
        message = client.messages.create(**asked)

    assert [(block.name, block.input) for block in message.content if block.type == "tool_use"] == [
        (name, {"a": 1})
    ]


# ---- errors


def test_the_words_of_an_error_reach_the_client_as_they_came() -> None:
    said = "messages.1.content.0: Invalid `signature` in `thinking` block"
    router = native(ProviderError(said, 400))
    client = anthropic.Anthropic(base_url=router.url, api_key="x", max_retries=0)

    with pytest.raises(anthropic.BadRequestError) as raised:
        client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}])

    assert raised.value.body["error"]["message"] == said  # type: ignore[index]
