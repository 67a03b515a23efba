"""What is written keeps the grammar of its dialect, whatever events come in whatever order."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coderouter_core.model import Block, Dialect, Fault, StreamEvent, Usage
from coderouter_core.wire import codec, is_ours
from coderouter_core.wire.grammar import problems
from coderouter_core.wire.sse import Framer, fields

BLOCKS: list[Block] = ["text", "thinking", "tool_call"]
DIALECTS = pytest.mark.parametrize("dialect", [Dialect.MESSAGES, Dialect.CHAT])

IDS = st.uuids(version=4).map(str)

EVENTS = st.one_of(
    st.just(StreamEvent("start", id="a", model="m")),
    st.builds(StreamEvent, st.just("block_start"), block=st.sampled_from(BLOCKS), id=IDS, name=st.just("f")),
    st.builds(StreamEvent, st.just("delta"), block=st.sampled_from(BLOCKS), text=st.text(max_size=3)),
    st.builds(
        StreamEvent,
        st.just("block_stop"),
        block=st.sampled_from(BLOCKS),
        signature=st.sampled_from(["", "s"]),
    ),
    st.just(StreamEvent("usage", usage=Usage(input=3, output=4, reported=True))),
    st.builds(
        StreamEvent, st.just("stop"), reason=st.sampled_from(["end_turn", "tool_use", "max_tokens", "odd"])
    ),
    st.just(StreamEvent("ping")),
    st.just(StreamEvent("other", frame=b'data: {"type":"x"}\n\n')),
)


def written(dialect: Dialect, *events: StreamEvent, **how: Any) -> bytes:
    writer = codec(dialect).writer(**how)
    return b"".join([*map(writer.write, events), writer.close()])


def data(stream: bytes) -> list[Any]:
    pairs = [fields(frame) for frame in Framer().feed(stream)]
    return [orjson.loads(data) for _, data in pairs if data not in (b"", b"[DONE]")]


@DIALECTS
@given(events=st.lists(EVENTS, max_size=12), include_usage=st.booleans())
def test_any_events_give_a_correct_stream(
    dialect: Dialect, events: list[StreamEvent], include_usage: bool
) -> None:
    assert problems(dialect, written(dialect, *events, include_usage=include_usage)) == []


@DIALECTS
@given(events=st.lists(EVENTS, max_size=12))
def test_any_events_and_then_an_error_give_a_correct_stream(
    dialect: Dialect, events: list[StreamEvent]
) -> None:
    writer = codec(dialect).writer()
    stream = b"".join(map(writer.write, events)) + writer.fail(Fault(502, "api_error", "cut"), "r")

    assert problems(dialect, stream) == []


@DIALECTS
@given(events=st.lists(EVENTS, max_size=12))
def test_nothing_is_written_after_the_end(dialect: Dialect, events: list[StreamEvent]) -> None:
    writer = codec(dialect).writer()
    writer.close()

    assert b"".join([*map(writer.write, events), writer.close()]) == b""


@DIALECTS
@given(events=st.lists(EVENTS, max_size=12))
def test_text_is_written_whatever_stands_around_it(dialect: Dialect, events: list[StreamEvent]) -> None:
    reader = codec(dialect).reader()
    frames = Framer().feed(written(dialect, *events))
    read = [event for frame in frames for event in reader.read(frame)]

    def texts(these: list[StreamEvent]) -> str:
        return "".join(event.text for event in these if event.kind == "delta" and event.block == "text")

    assert texts(read) == texts(events)


@DIALECTS
def test_ids_have_the_form_of_the_dialect(dialect: Dialect) -> None:
    other = {Dialect.CHAT: "msg_7", Dialect.MESSAGES: "chatcmpl-7"}[dialect]
    [first, *_] = data(written(dialect, StreamEvent("start", id=other)))

    assert first.get("id", first.get("message", {}).get("id")) in ("chatcmpl-msg_7", "msg_chatcmpl-7")


@pytest.mark.parametrize(
    ("dialect", "identity"),
    [(Dialect.MESSAGES, "msg_7"), (Dialect.CHAT, "chatcmpl-7"), (Dialect.CHAT, "gen-7")],
)
def test_an_id_that_has_the_form_is_kept(dialect: Dialect, identity: str) -> None:
    assert b'"id":"%b"' % identity.encode() in written(dialect, StreamEvent("start", id=identity))


@DIALECTS
def test_answers_without_an_id_get_different_ones(dialect: Dialect) -> None:
    assert data(written(dialect))[0] != data(written(dialect))[0]


@DIALECTS
def test_a_call_without_arguments_has_an_empty_object(dialect: Dialect) -> None:
    events = (
        StreamEvent("block_start", block="tool_call", id="i", name="f"),
        StreamEvent("block_stop", block="tool_call"),
    )

    assert b'"{}"' in written(dialect, *events)


def test_usage_that_comes_late_is_in_the_message_delta() -> None:
    usage = Usage(input=96, cache_read=5, output=57, reported=True)
    stream = written(
        Dialect.MESSAGES, StreamEvent("stop", reason="end_turn"), StreamEvent("usage", usage=usage)
    )

    assert data(stream)[-2]["usage"] == {
        "input_tokens": 96,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 5,
        "output_tokens": 57,
    }


def test_usage_is_whole_numbers_where_nothing_was_reported() -> None:
    [start, last, _] = data(written(Dialect.MESSAGES))

    numbers = [*start["message"]["usage"].values(), *last["usage"].values()]
    assert numbers == [0] * 8


def test_an_answer_that_ended_properly_without_a_reason_is_an_end_of_turn() -> None:
    assert data(written(Dialect.MESSAGES))[-2]["delta"]["stop_reason"] == "end_turn"


def test_the_stop_sequence_is_told() -> None:
    stop = StreamEvent("stop", reason="stop_sequence", stop_sequence="END")

    assert data(written(Dialect.MESSAGES, stop))[-2]["delta"] == {
        "stop_reason": "stop_sequence",
        "stop_sequence": "END",
    }


def test_a_stop_reason_nobody_knows_is_passed_on_to_anthropic_clients() -> None:
    assert (
        data(written(Dialect.MESSAGES, StreamEvent("stop", reason="brand_new")))[-2]["delta"]["stop_reason"]
        == "brand_new"
    )


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("pause_turn", "stop"),
        ("brand_new", "stop"),
    ],
)
def test_stop_reasons_for_openai_clients(reason: str, finish: str) -> None:
    assert (
        data(written(Dialect.CHAT, StreamEvent("stop", reason=reason)))[-1]["choices"][0]["finish_reason"]
        == finish
    )


def test_thinking_of_another_dialect_is_signed_as_ours() -> None:
    stream = written(Dialect.MESSAGES, StreamEvent("delta", block="thinking", text="hm"))

    [signature] = [
        event["delta"]["signature"] for event in data(stream) if "signature" in event.get("delta", {})
    ]
    assert is_ours(signature)


def test_a_providers_signature_is_kept() -> None:
    events = (
        StreamEvent("delta", block="thinking", text="hm"),
        StreamEvent("block_stop", block="thinking", signature="c2ln"),
    )

    assert b'"signature":"c2ln"' in written(Dialect.MESSAGES, *events)


def test_thinking_is_reasoning_content_for_openai_clients() -> None:
    stream = written(Dialect.CHAT, StreamEvent("delta", block="thinking", text="hm"))

    assert data(stream)[1]["choices"][0]["delta"] == {"reasoning_content": "hm"}


USAGE = StreamEvent("usage", usage=Usage(input=3, output=4, reported=True))


@pytest.mark.parametrize(
    ("events", "include_usage", "chunks"),
    [
        pytest.param([USAGE], True, 1, id="asked-for"),
        pytest.param([USAGE], False, 0, id="not-asked-for"),
        pytest.param([], True, 0, id="never-reported"),
    ],
)
def test_the_usage_chunk_comes_when_it_was_asked_for(
    events: list[StreamEvent], include_usage: bool, chunks: int
) -> None:
    stream = written(Dialect.CHAT, *events, include_usage=include_usage)

    assert sum(chunk["choices"] == [] for chunk in data(stream)) == chunks


def test_no_text_follows_a_finish_that_was_passed_on() -> None:
    frame = b'data: {"choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":"stop"}]}\n\n'
    reader, writer = codec(Dialect.CHAT).reader(), codec(Dialect.CHAT).writer()
    writer.relay(frame, reader.read(frame))
    writer.relay(b"", reader.close())

    assert writer.write(StreamEvent("delta", text="late")) == b""


def test_chunks_are_dated() -> None:
    assert data(written(Dialect.CHAT, created=1_700_000_000))[0]["created"] == 1_700_000_000
