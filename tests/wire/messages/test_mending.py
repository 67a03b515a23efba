"""Messages answers whose calls are not written as clients read them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from coderouter_core.testing import Raw, Script, make_router
from coderouter_core.wire.messages.mending import mended

CALL: dict[str, Any] = {"type": "tool_use", "id": "t", "name": "ls", "input": {"path": "/"}}
STREAM = {"content-type": "text/event-stream"}


def answer(*blocks: Any, reason: str | None = "tool_use") -> dict[str, Any]:
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "x_new": 1}
    usage = {"input_tokens": 3, "output_tokens": 2}
    return {**head, "content": list(blocks), "stop_reason": reason, "stop_sequence": None, "usage": usage}


def frames(body: dict[str, Any]) -> bytes:
    """The answer as a stream."""
    [block] = body["content"]
    delta = {"stop_reason": body["stop_reason"], "stop_sequence": None}
    events = [
        {"type": "message_start", "message": {**body, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]
    return b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), orjson.dumps(e)) for e in events)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(answer(CALL), id="call"),
        pytest.param(answer(CALL, reason="max_tokens"), id="cut"),
        pytest.param(answer({"type": "text", "text": "hi"}, reason="end_turn"), id="text"),
        pytest.param({"content": "x"}, id="no-list"),
    ],
)
def test_an_answer_as_it_should_be_is_left_alone(body: dict[str, Any]) -> None:
    assert mended(body) is None


@pytest.mark.parametrize("given", ['{"path":"/"}', '"{\\"path\\":\\"/\\"}"'], ids=["once", "twice"])
def test_input_becomes_an_object(given: str) -> None:
    assert mended(answer({**CALL, "input": given})) == answer(CALL)


@pytest.mark.parametrize("reason", ["end_turn", None])
def test_an_answer_of_calls_says_so(reason: str | None) -> None:
    assert mended(answer(CALL, reason=reason)) == answer(CALL)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_client_of_the_same_dialect_is_told_of_the_calls(stream: bool) -> None:
    body = answer(CALL, reason="end_turn")
    kind, raw = (
        (STREAM, frames(body)) if stream else ({"content-type": "application/json"}, orjson.dumps(body))
    )
    router = make_router(Script(only=Script.messages(Raw(200, kind, raw))))
    told = router.ask(stream=stream).body

    last = next(event["delta"] for event in told if event["type"] == "message_delta") if stream else told
    assert last["stop_reason"] == "tool_use"
