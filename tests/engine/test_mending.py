"""Whole answers that are relayed: what clients could not read in them is written as they read it."""

import json
from typing import Any

import pytest

from coderouter_core.testing import Raw, Script, make_router

CALL = {"type": "function", "function": {"name": "run", "arguments": {"a": 1}}}
CHAT = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "tool_calls": [CALL]}, "finish_reason": "stop"}
    ],
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "tool_use", "id": "toolu_1", "name": "run", "input": {"a": 1}}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


def relayed(wire: str, body: dict[str, Any], **asked: Any) -> dict[str, Any]:
    """What a client of the upstream's own dialect gets of its whole answer."""
    step = Raw(200, {"content-type": "application/json"}, json.dumps(body).encode())
    script = Script.chat(step) if wire == "chat" else Script.messages(step)
    with make_router(Script(only=script)) as router:
        answer: dict[str, Any] = router.ask(dialect=wire, **asked).body
        return answer


@pytest.mark.parametrize("choices", [1, 2])
def test_a_chat_client_gets_arguments_as_text(choices: int) -> None:
    [call] = relayed("chat", CHAT, n=choices)["choices"][0]["message"]["tool_calls"]

    assert json.loads(call["function"]["arguments"]) == {"a": 1}


def test_a_messages_client_is_told_that_a_call_ended_the_answer() -> None:
    assert relayed("messages", MESSAGE)["stop_reason"] == "tool_use"
