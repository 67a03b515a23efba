"""Answers that say one text and nothing else, told apart at a glance."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coderouter_core.model import Dialect, StreamEvent
from coderouter_core.model.usage import NOTHING
from coderouter_core.wire import codec

USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
#: What stands in parts of answers, in the right place and in any other.
ODDS: list[Any] = [None, "", "x", 0, 1, [], [{}], ["a"], {}, {"a": 1}, False, True]


def chat(message: Any = None, choice: Any = None, **more: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": "hello", **(message or {})}
    whole = {"index": 0, "message": said, "finish_reason": "stop", **(choice or {})}
    return {"id": "c1", "object": "chat.completion", "model": "m", "choices": [whole], "usage": USAGE, **more}


def message(block: Any = None, **more: Any) -> dict[str, Any]:
    told = {"input_tokens": 3, "output_tokens": 4}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn"}
    return {**head, "content": [{"type": "text", "text": "hello", **(block or {})}], "usage": told, **more}


def read(dialect: Dialect, body: dict[str, Any]) -> tuple[Any, ...]:
    """Text, usage, what else it says, and how it is mended, by the events of an answer."""
    events = codec(dialect).events(body)
    usage = NOTHING
    for event in events:
        usage = usage.merge(event.usage)
    text = "".join(event.text for event in events if event.block == "text")
    return text, usage, [_else(event) for event in events if _else(event)], codec(dialect).mended(body)


def _else(event: StreamEvent) -> Any:
    foreign = event.kind in ("error", "other") or event.block != "text"
    return foreign or event.signature


@pytest.mark.parametrize(("dialect", "body"), [(Dialect.CHAT, chat()), (Dialect.MESSAGES, message())])
def test_an_answer_that_is_one_text_is_plain(dialect: Dialect, body: dict[str, Any]) -> None:
    said = codec(dialect).plain(body)

    assert said is not None
    assert (said.text, said.usage.input, said.usage.output) == ("hello", 3, 4)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(chat({"content": ""}), id="empty"),
        pytest.param(chat({"content": [{"type": "text", "text": "hello"}]}), id="parts"),
        pytest.param(chat({"tool_calls": [{"id": "i", "function": {"name": "f"}}]}), id="calls"),
        pytest.param(chat({"reasoning_content": "well"}), id="reasoning"),
        pytest.param(chat({"refusal": "no"}), id="refusal"),
        pytest.param(chat({"audio": {"id": "a"}}), id="audio"),
        pytest.param(chat(choice={"finish_reason": None}), id="not-ended"),
        pytest.param(chat(choice={"finish_reason": "content_filter"}), id="filtered"),
        pytest.param(chat(choice={"index": 1}), id="another-choice"),
        pytest.param(chat(choice={"usage": USAGE}), id="usage-in-the-choice"),
        pytest.param(chat(choices=[]), id="no-choice"),
        pytest.param(chat(choices=chat()["choices"] * 2), id="two-choices"),
        pytest.param(chat(error={"message": "no"}), id="error"),
        pytest.param(chat(object="error"), id="flat-error"),
    ],
)
def test_an_answer_in_chat_that_says_more_is_not_plain(body: dict[str, Any]) -> None:
    assert codec(Dialect.CHAT).plain(body) is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(message({"text": ""}), id="empty"),
        pytest.param(message({"type": "thinking", "thinking": "well"}), id="thinking"),
        pytest.param(message({"citations": [{"type": "char_location"}]}), id="citations"),
        pytest.param(message(content=message()["content"] * 2), id="two-blocks"),
        pytest.param(message(stop_reason="refusal"), id="refusal"),
        pytest.param(message(stop_reason=None), id="not-ended"),
        pytest.param(message(error={"message": "no"}), id="error"),
        pytest.param(message(type="error"), id="error-by-type"),
    ],
)
def test_an_answer_in_messages_that_says_more_is_not_plain(body: dict[str, Any]) -> None:
    assert codec(Dialect.MESSAGES).plain(body) is None


@given(
    message=st.dictionaries(
        st.sampled_from(
            ["role", "content", "refusal", "tool_calls", "function_call", "reasoning", "thinking"]
        ),
        st.sampled_from(ODDS),
    ),
    choice=st.dictionaries(
        st.sampled_from(["index", "finish_reason", "stop_reason", "usage", "delta", "text"]),
        st.sampled_from([*ODDS, "stop", "length", USAGE]),
    ),
    more=st.dictionaries(
        st.sampled_from(["error", "object", "usage", "id"]), st.sampled_from([*ODDS, USAGE])
    ),
)
def test_of_a_plain_answer_in_chat_the_events_say_the_same(
    message: dict[str, Any], choice: dict[str, Any], more: dict[str, Any]
) -> None:
    body = chat(message, choice, **more)
    said = codec(Dialect.CHAT).plain(body)

    assert said is None or read(Dialect.CHAT, body) == (said.text, said.usage, [], None)


@given(
    block=st.dictionaries(
        st.sampled_from(["type", "text", "citations", "id", "input"]), st.sampled_from([*ODDS, "text"])
    ),
    more=st.dictionaries(
        st.sampled_from(["error", "type", "usage", "stop_reason", "stop_sequence"]),
        st.sampled_from([*ODDS, "end_turn", "max_tokens", {"output_tokens": 9}]),
    ),
)
def test_of_a_plain_answer_in_messages_the_events_say_the_same(
    block: dict[str, Any], more: dict[str, Any]
) -> None:
    body = message(block, **more)
    said = codec(Dialect.MESSAGES).plain(body)

    assert said is None or read(Dialect.MESSAGES, body) == (said.text, said.usage, [], None)
