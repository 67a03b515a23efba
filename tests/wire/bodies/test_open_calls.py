"""Calls that wait for their result, and conversations with very many of them."""

from __future__ import annotations

from typing import Any

import pytest

from coderouter_core.wire.bodies.losses import Losses
from coderouter_core.wire.bodies.names import Names
from coderouter_core.wire.bodies.open_calls import OpenCalls
from coderouter_core.wire.bodies.to_chat_turns import TurnsToChat
from coderouter_core.wire.bodies.to_messages_turns import TurnsToMessages

#: Steps that look at all that wait would make seconds, or minutes, of what takes a blink.
MANY = 20_000


def uses(ids: list[str]) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "tool_use", "id": each, "name": "f"} for each in ids]}


def results(ids: list[str]) -> dict[str, Any]:
    return {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": each, "content": each} for each in ids],
    }


def to_chat(*turns: dict[str, Any]) -> list[dict[str, Any]]:
    return TurnsToChat(Losses(), Names(64), reasoning=True).of(turns)


def to_messages(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    return TurnsToMessages(Losses(), Names(64)).of(messages)


def test_the_oldest_call_of_an_id_is_answered_first() -> None:
    waiting = OpenCalls()
    waiting.add("a", "a")
    waiting.add("a", "a_0")

    assert [waiting.answered("a"), waiting.answered("a"), waiting.answered("a")] == ["a", "a_0", None]


def test_calls_wait_in_their_order_until_they_are_answered() -> None:
    waiting = OpenCalls()
    for name in "abc":
        waiting.add(name, name.upper())
    waiting.answered("b")

    assert (waiting.oldest(9), "B" in waiting, len(waiting)) == ([("a", "A"), ("c", "C")], False, 2)


@pytest.mark.parametrize(
    "ids",
    [pytest.param([f"t{at}" for at in range(MANY)], id="own-ids"), pytest.param(["t"] * MANY, id="one-id")],
)
def test_every_one_of_very_many_calls_has_its_result_in_chat(ids: list[str]) -> None:
    call, *answers = to_chat({"role": "user", "content": "hi"}, uses(ids), results(ids[::-1]))[1:]
    called = [each["id"] for each in call["tool_calls"]]

    assert len(set(called)) == MANY
    assert {each["tool_call_id"] for each in answers} == set(called)


def test_every_one_of_very_many_calls_has_its_result_in_messages() -> None:
    ids = [f"t{at}" for at in range(MANY)]
    calls = [{"id": each, "type": "function", "function": {"name": "f", "arguments": "{}"}} for each in ids]
    texts = [{"role": "user", "content": "wait"}] * MANY
    answers = [{"role": "tool", "tool_call_id": each, "content": each} for each in ids[::-1]]

    turns = to_messages({"role": "assistant", "tool_calls": calls}, *texts, *answers)

    assert [block["tool_use_id"] for block in turns[-1]["content"][:MANY]] == ids[::-1]
    assert turns[-1]["content"][MANY]["text"] == "wait"


def test_very_many_turns_of_an_assistant_in_a_row_are_one() -> None:
    said = {"type": "text", "text": "x" * 500}
    turns = [
        {"role": "assistant", "content": [said, {"type": "tool_use", "id": f"t{at}", "name": "f"}]}
        for at in range(MANY)
    ]

    message, *answers = to_chat(*turns)

    assert message["content"] == "\n".join(["x" * 500] * MANY)
    assert len(message["tool_calls"]) == len(answers) == MANY
