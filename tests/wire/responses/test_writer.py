"""Responses streams, made of what upstreams of other dialects say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from coderouter_core.model import Dialect, Fault, StreamEvent, Usage
from coderouter_core.wire import client_side
from coderouter_core.wire.grammar import problems
from coderouter_core.wire.sse import Framer, payload

CUSTOM = {"type": "custom", "name": "apply_patch"}
SEALING = {"include": ["reasoning.encrypted_content"]}
USAGE = Usage(input=5, cache_read=3, output=7, reasoning=2, reported=True)

START = StreamEvent("start", id="chatcmpl-1", model="m")


def block(kind: Any, *texts: str, signature: str = "", **start: str) -> list[StreamEvent]:
    return [
        StreamEvent("block_start", block=kind, **start),
        *(StreamEvent("delta", block=kind, text=text) for text in texts),
        StreamEvent("block_stop", block=kind, signature=signature),
    ]


def call(name: str, *arguments: str) -> list[StreamEvent]:
    return block("tool_call", *arguments, id="call_1", name=name)


def stop(reason: str = "end_turn") -> list[StreamEvent]:
    return [StreamEvent("usage", usage=USAGE), StreamEvent("stop", reason=reason)]


def written(events: Sequence[StreamEvent], fault: Fault | None = None, **asked: Any) -> bytes:
    writer = client_side(Dialect.RESPONSES).writer(created=9, asked=asked)
    body = b"".join(map(writer.write, events))
    return body + (writer.close() if fault is None else writer.fail(fault, "req_1"))


def told(stream: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(payload(frame)) for frame in Framer().feed(stream)]


def last(stream: bytes) -> dict[str, Any]:
    response: dict[str, Any] = told(stream)[-1]["response"]
    return response


TEXT = [START, *block("text", "Hel", "lo"), *stop()]
EVERYTHING = [
    START,
    *block("thinking", "h", "m", signature="c2ln"),
    *block("text", "Hel", "lo"),
    *call("run", '{"a":', "1}"),
    *call("apply_patch", '{"input": "*** Be', 'gin"}'),
    *call("tool_search", '{"query": "x"}'),
    *call("local_shell", '{"command": ["ls"]}'),
    *call("bare"),
    *stop("tool_use"),
]
TOOLS = [CUSTOM, {"type": "tool_search", "execution": "client"}, {"type": "local_shell"}]


@pytest.mark.parametrize(
    "events",
    [
        pytest.param(TEXT, id="text"),
        pytest.param(EVERYTHING, id="everything"),
        pytest.param([START, *stop()], id="nothing"),
        pytest.param(TEXT[1:], id="no-start"),
        pytest.param([START, *block("text"), *block("thinking"), *stop()], id="empty-blocks"),
        pytest.param([START, StreamEvent("delta", text="a"), *stop()], id="never-opened"),
        pytest.param(
            [START, StreamEvent("delta", text="a"), *call("run"), StreamEvent("delta", text="b"), *stop()],
            id="text-goes-on-behind-a-call",
        ),
        pytest.param([START, *call("run", '{"a'), *stop("max_tokens")], id="cut-in-a-call"),
        pytest.param([START, *block("thinking", signature="c2ln"), *stop()], id="thoughts-not-shown"),
    ],
)
@pytest.mark.parametrize("asked", [{"tools": TOOLS}, {"tools": TOOLS, **SEALING}], ids=["plain", "sealing"])
def test_the_grammar_is_kept(events: list[StreamEvent], asked: dict[str, Any]) -> None:
    assert problems(Dialect.RESPONSES, written(events, **asked)) == []


@pytest.mark.parametrize("size", range(len(EVERYTHING)))
def test_the_grammar_is_kept_wherever_an_answer_breaks(size: int) -> None:
    stream = written(EVERYTHING[:size], Fault(502, "api_error", "cut"), tools=TOOLS)

    assert problems(Dialect.RESPONSES, stream) == []


def test_the_steps_of_a_text() -> None:
    assert [event["type"].removeprefix("response.") for event in told(written(TEXT))] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


def test_what_clients_read_of_the_response() -> None:
    response = last(written(TEXT, instructions="INS", temperature=0.5))

    assert {
        key: response[key] for key in ("id", "model", "status", "created_at", "instructions", "store")
    } == {
        "id": "resp_chatcmpl-1",
        "model": "m",
        "status": "completed",
        "created_at": 9,
        "instructions": "INS",
        "store": False,
    }


def test_the_usage_holds_the_cached_part() -> None:
    assert last(written(TEXT))["usage"] == {
        "input_tokens": 8,
        "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 0},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 15,
    }


@pytest.mark.parametrize(
    ("reason", "status", "why"),
    [
        ("end_turn", "completed", None),
        ("tool_use", "completed", None),
        ("pause_turn", "completed", None),
        ("max_tokens", "incomplete", {"reason": "max_output_tokens"}),
        ("model_context_window_exceeded", "incomplete", {"reason": "max_output_tokens"}),
        ("refusal", "incomplete", {"reason": "content_filter"}),
    ],
)
def test_how_it_ends(reason: str, status: str, why: Any) -> None:
    response = last(written([START, *block("text", "a"), *stop(reason)]))

    assert (response["status"], response["incomplete_details"]) == (status, why)


def items(events: Sequence[StreamEvent], **asked: Any) -> list[dict[str, Any]]:
    done = [event["item"] for event in told(written(events, **asked)) if "output_item.done" in event["type"]]
    return [{key: value for key, value in item.items() if key not in ("id", "status")} for item in done]


@pytest.mark.parametrize(
    ("events", "item"),
    [
        pytest.param(
            call("run", '{"a":1}'),
            {"type": "function_call", "call_id": "call_1", "name": "run", "arguments": '{"a":1}'},
            id="function",
        ),
        pytest.param(
            call("agents__run"),
            {
                "type": "function_call",
                "call_id": "call_1",
                "name": "run",
                "arguments": "{}",
                "namespace": "agents",
            },
            id="function-of-a-group",
        ),
        pytest.param(
            call("apply_patch", '{"input": "a\\nb"}'),
            {"type": "custom_tool_call", "call_id": "call_1", "name": "apply_patch", "input": "a\nb"},
            id="custom",
        ),
        pytest.param(
            call("tool_search", '{"query": "x"}'),
            {
                "type": "tool_search_call",
                "call_id": "call_1",
                "execution": "client",
                "arguments": {"query": "x"},
            },
            id="search",
        ),
        pytest.param(
            call("local_shell", '{"command": "ls -l", "timeout_ms": 5}'),
            {
                "type": "local_shell_call",
                "call_id": "call_1",
                "action": {"type": "exec", "command": ["bash", "-lc", "ls -l"], "env": {}, "timeout_ms": 5},
            },
            id="shell",
        ),
    ],
)
def test_items_of_calls(events: list[StreamEvent], item: dict[str, Any]) -> None:
    group = {"type": "namespace", "name": "agents", "tools": [{"type": "function", "name": "run"}]}

    assert items([START, *events, *stop("tool_use")], tools=[*TOOLS, group]) == [item]


def test_free_text_streams_while_it_grows() -> None:
    stream = written(
        [START, *call("apply_patch", '{"input": "one ', "two ", 'three"}'), *stop()], tools=TOOLS
    )

    deltas = [event["delta"] for event in told(stream) if event["type"].endswith("input.delta")]
    assert deltas == ["one ", "two ", "three"]


def test_a_call_that_a_limit_cut_off_is_not_to_be_carried_out() -> None:
    assert items([START, *call("run", '{"a": "rm -rf /tm'), *stop("max_tokens")]) == []


def test_it_is_shown_as_incomplete() -> None:
    [item] = last(written([START, *call("run", '{"a'), *stop("max_tokens")]))["output"]

    assert item["status"] == "incomplete"


def test_a_call_whose_answer_breaks_is_not_to_be_carried_out() -> None:
    stream = written([START, *call("run", "{}")], Fault(502, "api_error", "cut"))

    assert "output_item.done" not in str(told(stream))


def test_thoughts_are_shown_as_a_summary() -> None:
    assert items([START, *block("thinking", "h", "m"), *stop()]) == [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
    ]


def test_thoughts_are_sealed_where_the_client_asks_for_it() -> None:
    [item] = items([START, *block("thinking", "hm", signature="c2ln"), *stop()], **SEALING)

    assert item["encrypted_content"].startswith("coderouter:")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(
            Fault(400, "invalid_request_error", "too long", code="context_length_exceeded"),
            {"code": "context_length_exceeded", "message": "too long"},
            id="context",
        ),
        pytest.param(
            Fault(429, "rate_limit_error", "slow down", retry_after_s=2.5),
            {"code": "rate_limit_exceeded", "message": "slow down (try again in 2.5s)"},
            id="rate",
        ),
        pytest.param(
            Fault(402, "billing_error", "spent", code="no_provider_eligible"),
            {"code": "insufficient_quota", "message": "spent"},
            id="money",
        ),
        pytest.param(
            Fault(529, "overloaded_error", "busy"), {"code": "server_error", "message": "busy"}, id="busy"
        ),
        pytest.param(
            Fault(502, "api_error", "cut", code="truncated"),
            {"code": "server_error", "message": "cut"},
            id="cut",
        ),
    ],
)
def test_errors_within_a_stream(fault: Fault, error: dict[str, Any]) -> None:
    response = last(written(TEXT[:2], fault))

    assert (response["status"], response["error"]) == ("failed", error)


def test_an_error_of_a_stream_that_only_pinged_is_a_whole_stream() -> None:
    frames = client_side(Dialect.RESPONSES).error_frames(Fault(500, "api_error", "no"), "req_1")

    assert (problems(Dialect.RESPONSES, frames), last(frames)["status"]) == ([], "failed")


def test_a_whole_answer_holds_what_a_stream_says() -> None:
    whole = client_side(Dialect.RESPONSES).fold(EVERYTHING, created=9, asked={"tools": TOOLS})
    streamed = last(written(EVERYTHING, tools=TOOLS))

    assert without_ids(whole) == without_ids(streamed)


def without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_ids(inner) for key, inner in value.items() if key != "id"}
    return [without_ids(inner) for inner in value] if isinstance(value, list) else value
