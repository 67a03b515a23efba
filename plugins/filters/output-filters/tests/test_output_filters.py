"""The output filters, over real HTTP and cut anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from coderouter_filter_output_filters import (
    CLOSE,
    MARKERS,
    OPEN,
    OutputFilters,
    OutputFiltersPlugin,
    make,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from coderouter_core.api import ConfigError
from coderouter_core.testing import (
    Asked,
    Raw,
    Reply,
    Script,
    ServedRouter,
    ToolCall,
    conformance,
    make_router,
)

BOTH = ["strip_thinking", "strip_stop_markers"]

WAYS = [
    pytest.param("messages", Script.messages, False, id="messages"),
    pytest.param("messages", Script.messages, True, id="messages-stream"),
    pytest.param("messages", Script.chat, False, id="messages-from-chat"),
    pytest.param("messages", Script.chat, True, id="messages-from-chat-stream"),
    pytest.param("chat", Script.chat, False, id="chat"),
    pytest.param("chat", Script.chat, True, id="chat-stream"),
    pytest.param("chat", Script.messages, True, id="chat-from-messages-stream"),
]


def filtering(step: Any, spoken: Any = Script.chat, **provider: Any) -> ServedRouter:
    return make_router(OutputFiltersPlugin(), Script(only=spoken(step)), providers={"only": provider})


def thoughts(asked: Asked) -> str:
    """The thinking that a client of either dialect reads."""
    if isinstance(asked.body, list):
        deltas = [event.get("delta") or {} for event in asked.body]
        deltas += [choice["delta"] for event in asked.body for choice in event.get("choices") or ()]
        return "".join(each.get("thinking") or each.get("reasoning_content") or "" for each in deltas)
    blocks = asked.body.get("content") or [choice["message"] for choice in asked.body.get("choices") or ()]
    return "".join(each.get("thinking") or each.get("reasoning_content") or "" for each in blocks)


def applied(asked: Asked) -> list[Any]:
    return [dict(event.fields) for event in asked.events if event.name == "output-filter-applied"]


def run(name: Any, chunks: Iterable[str], *, inside: bool = False) -> dict[str, str]:
    """What a filter makes of one block that comes in chunks, joined by kind."""
    each = make(name, inside=inside)
    out = {"text": "", "thinking": ""}
    for chunk in chunks:
        for block, text in each.feed(chunk):
            out[block] += text
    for block, text in each.end():
        out[block] += text
    return out


def test_it_fits() -> None:
    conformance(OutputFiltersPlugin())


def test_an_unknown_filter_is_told_with_the_one_that_was_meant() -> None:
    with pytest.raises(
        ConfigError, match=r"output_filters\[0\]: must be one of .*did you mean 'strip_thinking'\?"
    ):
        filtering("hi", output_filters=["strip_thinkin"])


@pytest.mark.parametrize(("dialect", "spoken", "stream"), WAYS)
def test_thinking_and_markers_are_stripped(dialect: str, spoken: Any, stream: bool) -> None:
    step = Reply("One <think>secret</think>two<|im_end|> three", chunk=3)
    asked = filtering(step, spoken, output_filters=BOTH).ask(dialect=dialect, stream=stream)

    assert asked.text == "One two three"


@pytest.mark.parametrize(("dialect", "spoken", "stream"), WAYS)
def test_thinking_in_a_tag_becomes_thinking_without_any_configuration(
    dialect: str, spoken: Any, stream: bool
) -> None:
    asked = filtering(Reply("\n<think>\nsecret\n</think>\n\nThe answer", chunk=3), spoken).ask(
        dialect=dialect, stream=stream
    )

    assert (thoughts(asked), asked.text) == ("secret\n", "The answer")


def test_a_lifted_block_is_signed_and_stands_before_the_text() -> None:
    asked = filtering("<think>secret</think>The answer").ask()

    assert [block["type"] for block in asked.body["content"]] == ["thinking", "text"]


@pytest.mark.parametrize(("kind", "names"), [("openai-compat", ("lift_thinking",)), ("anthropic", ())])
def test_thinking_is_lifted_where_it_has_no_blocks_of_its_own(kind: str, names: tuple[str, ...]) -> None:
    assert OutputFilters().names(kind) == names


def test_thinking_that_is_never_closed_ends_with_its_block() -> None:
    each = make("strip_thinking", inside=False)
    pieces = [*each.feed("a<think>b"), *each.end(), *each.feed("c")]

    assert "".join(text for _, text in pieces) == "ac"


def test_an_empty_list_leaves_text_as_it_is() -> None:
    asked = filtering("<think>secret</think>The answer", output_filters=[]).ask()

    assert asked.text == "<think>secret</think>The answer"


def test_a_tag_within_an_answer_is_not_lifted() -> None:
    text = "Write <think>this</think> to think."

    assert filtering(text).ask(stream=True).text == text


def test_empty_thinking_gives_no_block() -> None:
    asked = filtering("<think>\n\n</think>\n\nThe answer").ask()

    assert asked.body["content"] == [{"type": "text", "text": "The answer"}]


def test_thinking_that_is_never_closed_is_thinking() -> None:
    asked = filtering(Reply("<think>on and on", stop="max_tokens")).ask()

    assert (thoughts(asked), asked.text, asked.body["stop_reason"]) == ("on and on", "", "max_tokens")


def test_a_close_that_nothing_opened_stays() -> None:
    text = "on and on</think>The answer"

    assert filtering(text, output_filters=["strip_thinking"]).ask(stream=True).text == text


@pytest.mark.parametrize(("name", "thinking"), [("strip_thinking", ""), ("lift_thinking", "on and on")])
def test_where_the_template_opens_the_tag_an_answer_begins_inside_it(name: str, thinking: str) -> None:
    served = filtering(
        Reply("on and on</think>The answer", chunk=2), output_filters=[name], output_filters_open_think=True
    )
    asked = served.ask(stream=True)

    assert (thoughts(asked), asked.text) == (thinking, "The answer")


@pytest.mark.parametrize("stream", [False, True])
def test_applied_filters_are_told_once(stream: bool) -> None:
    step = Reply("a<|end|>b<|end|>c", chunk=1)
    asked = filtering(step, output_filters=BOTH).ask(stream=stream)

    assert applied(asked) == [{"provider": "only", "filters": ["strip_stop_markers"], "streaming": stream}]


def test_filters_that_found_nothing_are_not_told() -> None:
    assert applied(filtering("a < b", output_filters=BOTH).ask(stream=True)) == []


def test_filters_run_in_the_order_of_the_list() -> None:
    asked = filtering(
        "<thi<|end|>nk>secret</think>", output_filters=["strip_stop_markers", "strip_thinking"]
    ).ask()

    assert asked.status == 502


@pytest.mark.parametrize("dialect", ["messages", "chat"])
def test_what_is_held_back_comes_before_the_finish(dialect: str) -> None:
    asked = filtering(Reply("a <thi", chunk=1), output_filters=BOTH).ask(dialect=dialect, stream=True)

    assert asked.text == "a <thi"
    assert asked.raw.rindex(b"<thi") < min(
        at
        for mark in (b'"stop_reason":"end_turn"', b'"finish_reason":"stop"')
        if (at := asked.raw.find(mark)) >= 0
    )


@pytest.mark.parametrize("stream", [False, True])
def test_tool_arguments_and_native_thinking_are_not_touched(stream: bool) -> None:
    call = ToolCall("write", {"text": "<think>a</think><|end|>"})
    step = Reply(thinking="<think>b</think>", text="<think>c</think>d", calls=[call], chunk=64)
    asked = filtering(step, output_filters=BOTH).ask(stream=stream)

    assert (thoughts(asked), asked.text, b"<think>a</think><|end|>" in asked.raw) == (
        "<think>b</think>",
        "d",
        True,
    )


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_keeps_its_place_behind_lifted_thinking(stream: bool) -> None:
    step = Reply("<think>hm</think>Sure.", calls=[ToolCall("look", {"at": 1})])
    asked = filtering(step).ask(stream=stream)
    blocks = (
        [event["content_block"] for event in asked.body if event["type"] == "content_block_start"]
        if stream
        else asked.body["content"]
    )

    assert [block["type"] for block in blocks] == ["thinking", "text", "tool_use"]


def test_an_answer_that_is_all_thinking_is_empty_when_it_is_stripped() -> None:
    script = Script(first="<think>secret</think>", second="hello")
    served = make_router(
        OutputFiltersPlugin(), script, providers={"first": {"output_filters": ["strip_thinking"]}}
    )

    assert served.ask(stream=True).provider == "second"


def test_a_whole_answer_that_filters_leave_alone_is_relayed_as_it_came() -> None:
    served = filtering("a < b", output_filters=BOTH)
    asked = served.ask(dialect="chat")
    bare = make_router(Script(only="a < b")).ask(dialect="chat")

    assert asked.body.keys() == bare.body.keys()
    assert asked.body["choices"] == bare.body["choices"]


@pytest.mark.parametrize("stream", [False, True])
def test_each_of_several_choices_is_filtered_on_its_own(stream: bool) -> None:
    said = ["<think>secret</think>The answer", "secret</think>is no secret"]
    choices = [
        {"index": at, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for at, text in enumerate(said)
    ]
    body = json.dumps({"id": "chatcmpl-1", "object": "chat.completion", "choices": choices}).encode()
    served = filtering(Raw(200, {"content-type": "application/json"}, body), output_filters=BOTH)
    asked = served.ask(dialect="chat", n=2, stream=stream)

    heard = ["", ""]
    for event in asked.body if stream else [asked.body]:
        for choice in event["choices"]:
            heard[choice["index"]] += choice.get("message", choice.get("delta")).get("content") or ""
    assert heard == ["The answer", "secret</think>is no secret"]


@settings(deadline=None)
@given(data=st.data(), name=st.sampled_from([*BOTH, "lift_thinking"]), inside=st.booleans())
def test_a_text_gives_the_same_wherever_it_is_cut(data: st.DataObject, name: str, inside: bool) -> None:
    parts = st.lists(
        st.sampled_from([OPEN, CLOSE, *MARKERS, "<", "<|", "think>", "a", "\n", " "]), max_size=12
    )
    text = "".join(data.draw(parts))
    cuts: Sequence[int] = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]

    assert run(name, chunks, inside=inside) == run(name, [text], inside=inside)


@given(text=st.text().filter(lambda text: OPEN not in text and not any(marker in text for marker in MARKERS)))
@pytest.mark.parametrize("name", [*BOTH, "lift_thinking"])
def test_text_without_tags_passes(name: str, text: str) -> None:
    assert run(name, text)["text"] == text


@given(
    parts=st.lists(st.sampled_from([OPEN, CLOSE, *MARKERS, "<", "<think", "a", "\n", " " * 70]), max_size=6),
    name=st.sampled_from([*BOTH, "lift_thinking"]),
    inside=st.booleans(),
)
def test_a_text_that_passes_at_a_glance_stays_as_it_is(parts: list[str], name: Any, inside: bool) -> None:
    text = "".join(parts)

    assert not make(name, inside=inside).passes(text) or run(name, [text], inside=inside) == {
        "text": text,
        "thinking": "",
    }


@pytest.mark.parametrize("name", [*BOTH, "lift_thinking"])
def test_a_text_without_tags_passes_at_a_glance(name: Any) -> None:
    assert make(name, inside=False).passes("Plain words.")
