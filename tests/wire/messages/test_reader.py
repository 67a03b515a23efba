"""Messages streams, of Anthropic and of servers that take liberties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from coderouter_core.model import Dialect, StreamEvent
from coderouter_core.wire import codec
from coderouter_core.wire.grammar import EventGrammar
from coderouter_core.wire.sse import write

Event = dict[str, Any]


def block(index: int, **fields: Any) -> Event:
    return {"type": "content_block_start", "index": index, "content_block": fields}


def delta(index: int, kind: str, **fields: Any) -> Event:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def close(index: int) -> Event:
    return {"type": "content_block_stop", "index": index}


def last(reason: str | None = "end_turn", **usage: int) -> Event:
    return {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage}


STOP: Event = {"type": "message_stop"}
HI = delta(0, "text_delta", text="hi")
TEXT = block(0, type="text", text="")


def read(*events: Event) -> list[StreamEvent]:
    reader = codec(Dialect.MESSAGES).reader()
    found = [
        each for event in events for each in reader.read(write(orjson.dumps(event), event.get("type", "")))
    ]
    return [*found, *reader.close()]


def told(events: Sequence[StreamEvent]) -> list[str]:
    """Kinds that matter, with their text."""
    return [
        f"{event.kind}:{event.text or event.name or event.reason}"
        for event in events
        if event.kind != "other"
    ]


def test_a_text_is_a_block_with_deltas() -> None:
    assert told(read(TEXT, HI, close(0), last(), STOP)) == [
        "block_start:",
        "delta:hi",
        "block_stop:",
        "stop:end_turn",
    ]


@pytest.mark.parametrize("kind", ["text", "thinking"])
def test_text_in_the_start_of_a_block_is_read(kind: str) -> None:
    assert told(read(block(0, type=kind, **{kind: "hi"}))) == ["block_start:", "delta:hi"]


def test_a_tool_block_without_input_is_read() -> None:
    """As llama.cpp sends it."""
    events = read(
        block(0, type="tool_use", id="x", name="f"), delta(0, "input_json_delta", partial_json='{"a":1}')
    )

    assert told(events) == ["block_start:f", 'delta:{"a":1}']


def test_input_in_the_start_of_a_tool_block_is_read() -> None:
    assert told(read(block(0, type="tool_use", id="x", name="f", input={"a": 1})))[1] == 'delta:{"a":1}'


def test_a_call_that_names_no_tool_gives_no_events() -> None:
    assert {event.kind for event in read(block(0, type="tool_use", id="x"), close(0))} == {"other"}


def test_calls_without_an_id_of_their_own_get_one() -> None:
    events = read(
        *(
            block(at, type="tool_use", name="f", **more)
            for at, more in enumerate(({"id": "x"}, {"id": "x"}, {}))
        ),
        STOP,
    )

    ids = [event.id for event in events if event.kind == "block_start"]
    assert (ids[0], len(set(ids)), all(ids)) == ("x", 3, True)


def test_the_signature_stands_at_the_end_of_its_block() -> None:
    thinking = block(0, type="thinking", thinking="", signature="")
    events = read(thinking, delta(0, "signature_delta", signature="c2ln"), close(0))

    assert [event.signature for event in events if event.kind == "block_stop"] == ["c2ln"]


def test_frames_without_an_event_line_are_read() -> None:
    [event] = codec(Dialect.MESSAGES).reader().read(b"data: " + orjson.dumps(TEXT) + b"\n\n")

    assert event.kind == "block_start"


def test_the_event_line_stands_in_for_a_missing_type() -> None:
    data = orjson.dumps({key: value for key, value in TEXT.items() if key != "type"})

    [event] = codec(Dialect.MESSAGES).reader().read(write(data, "content_block_start"))
    assert event.kind == "block_start"


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        pytest.param(b'event: ping\ndata: {"type":"ping"}\n\n', "ping", id="ping"),
        pytest.param(b"event: ping\n\n", "ping", id="ping-without-data"),
        pytest.param(b": keep-alive\n\n", "ping", id="comment"),
        pytest.param(b'event: new\ndata: {"type":"new"}\n\n', "other", id="unknown"),
        pytest.param(b'data: {"type":7}\n\n', "other", id="odd-type"),
        pytest.param(b"retry: 5\n\n", "other", id="retry"),
    ],
)
def test_frames_that_say_nothing(frame: bytes, kind: str) -> None:
    assert [event.kind for event in codec(Dialect.MESSAGES).reader().read(frame)] == [kind]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "message_start"},
        {"type": "message_start", "message": {"id": 1, "usage": []}},
        {"type": "content_block_start"},
        {"type": "content_block_delta"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": ["x"]}},
        delta(0, "text_delta", text=5),
        delta(0, "input_json_delta", partial_json="{}"),
        close(0),
        {"type": "message_delta"},
        {"type": "message_delta", "delta": {"stop_reason": 5}, "usage": 7},
    ],
    ids=str,
)
def test_nonsense_inside_an_event_says_nothing(event: Event) -> None:
    assert {each.kind for each in read(event)} <= {"start", "other"}


def test_a_delta_without_its_block_opens_one() -> None:
    assert told(read(HI)) == ["block_start:", "delta:hi"]


def test_a_block_that_was_not_closed_is_closed_by_the_next() -> None:
    events = read(TEXT, HI, block(1, type="tool_use", id="x", name="f"))

    assert told(events)[2:] == ["block_stop:", "block_start:f"]


def test_a_block_that_was_not_closed_is_closed_by_the_end() -> None:
    assert told(read(TEXT, HI, last()))[2:] == ["block_stop:", "stop:end_turn"]


def test_there_is_one_stop() -> None:
    assert (
        told(read(TEXT, HI, close(0), last("max_tokens"), last("end_turn"), STOP)).count("stop:max_tokens")
        == 1
    )


def test_message_stop_alone_is_a_stop() -> None:
    assert told(read(TEXT, HI, close(0), STOP))[-1] == "stop:end_turn"


def test_a_stop_reason_nobody_knows_is_kept() -> None:
    assert told(read(last("brand_new")))[-1] == "stop:brand_new"


def test_a_stream_without_an_end_gives_no_stop() -> None:
    assert told(read(TEXT, HI, close(0), last(None)))[-1] == "block_stop:"


def test_blocks_that_events_cannot_hold_count_but_give_no_events() -> None:
    redacted = block(0, type="redacted_thinking", data="x")
    events = read(redacted, close(0), block(1, type="text", text="hi"))

    assert [(event.kind, event.index) for event in events] == [
        ("other", 0),
        ("other", 0),
        ("block_start", 1),
        ("delta", 1),
    ]


def test_deltas_inside_a_foreign_block_give_no_events() -> None:
    server = block(0, type="server_tool_use", id="s", name="web_search", input={})
    events = read(server, delta(0, "input_json_delta", partial_json='{"q":1}'), close(0))

    assert {event.kind for event in events} == {"other"}


def test_a_frame_that_counts_its_block_otherwise_cannot_stand_for_its_event() -> None:
    [event] = read(block(5, type="text", text=""))

    assert event.frame is None


@pytest.mark.parametrize("data", [b"{not json", b"[1]", b"7", b'"text"', b"\xff"], ids=str)
def test_what_is_no_event_is_garbage(data: bytes) -> None:
    [event] = codec(Dialect.MESSAGES).reader().read(write(data))

    assert event.fault is not None
    assert (event.kind, event.fault.code) == ("error", "garbage")


def test_an_error_event_carries_the_upstreams_words() -> None:
    [event] = read({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}})

    assert event.fault is not None
    assert (event.kind, event.fault.status, event.fault.message) == ("error", 529, "busy")


def test_an_error_event_is_kept_as_it_came_for_a_client_of_the_dialect() -> None:
    raw = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}, "request_id": "req_up"}
    [event] = read(raw)

    assert event.fault is not None
    assert orjson.loads(codec(Dialect.MESSAGES).error_body(event.fault, "req_1")) == raw


def call(index: int, name: str) -> Event:
    return block(index, type="tool_use", id=name, name=name, input={})


def piece(index: int, text: str) -> Event:
    return delta(index, "input_json_delta", partial_json=text)


AT_ONCE = [
    call(0, "weather"),
    call(1, "bash"),
    piece(0, '{"city":'),
    piece(1, '{"command":"ls"}'),
    piece(0, '"Oslo"}'),
]
CALLS = [{"city": "Oslo"}, {"command": "ls"}]


def inputs(events: Sequence[StreamEvent]) -> list[Any]:
    made = codec(Dialect.MESSAGES).fold(events)
    return [block["input"] for block in made["content"] if block["type"] == "tool_use"]


@pytest.mark.parametrize(
    "stops",
    [
        pytest.param([close(0), close(1)], id="in-order"),
        pytest.param([close(1), close(0)], id="backwards"),
        pytest.param([close(0)], id="the-last-left-out"),
        pytest.param([], id="none"),
    ],
)
def test_calls_at_the_same_time_are_told_apart(stops: list[Event]) -> None:
    assert inputs(read(*AT_ONCE, *stops, last("tool_use"), STOP)) == CALLS


def test_calls_at_the_same_time_keep_the_neutral_grammar() -> None:
    grammar = EventGrammar()
    start = {"type": "message_start", "message": {"id": "msg_1", "content": [], "usage": {}}}

    assert grammar.see(read(start, *AT_ONCE, close(1), close(0), last("tool_use"), STOP)) == []


def test_the_first_of_calls_at_the_same_time_is_passed_on_live() -> None:
    reader = codec(Dialect.MESSAGES).reader()
    frames = [write(orjson.dumps(event), event["type"]) for event in AT_ONCE[:3]]

    assert [event.text for event in reader.read(frames[0]) or ()] == [""]
    assert reader.read(frames[1]) == []
    assert [event.text for event in reader.read(frames[2])] == ['{"city":']


def test_a_call_whose_arguments_are_complete_does_not_wait_for_its_stop() -> None:
    events = read(call(0, "a"), piece(0, "{}"), call(1, "b"))

    assert told(events) == ["block_start:a", "delta:{}", "block_stop:", "block_start:b"]


def test_a_text_that_is_closed_late_does_not_end_the_call_after_it() -> None:
    events = read(TEXT, HI, call(1, "f"), close(0), piece(1, '{"a":1}'), close(1), last("tool_use"), STOP)

    assert inputs(events) == [{"a": 1}]


def test_a_text_that_goes_on_beside_a_call_follows_it() -> None:
    events = read(TEXT, HI, call(1, "f"), HI, piece(1, '{"a":1}'), close(1), close(0), last("tool_use"), STOP)

    kinds = [block["type"] for block in codec(Dialect.MESSAGES).fold(events)["content"]]
    assert (kinds, inputs(events)) == (["text", "tool_use", "text"], [{"a": 1}])
