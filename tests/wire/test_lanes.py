"""Lanes pass on what is good, and stop before what is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson
import pytest
from attrs import evolve, frozen

from coderouter_core.model import Dialect, StreamEvent, StreamFilter
from coderouter_core.testing.streams.heard import heard
from coderouter_core.wire import codec
from coderouter_core.wire.codec import Lane
from coderouter_core.wire.grammar import problems
from coderouter_core.wire.lanes import TranslatingLane
from coderouter_core.wire.sse import Framer, payload, write

MESSAGES, CHAT = codec(Dialect.MESSAGES), codec(Dialect.CHAT)

START = write(
    b'{"type":"message_start","message":{"id":"msg_1","model":"m","content":[],'
    b'"usage":{"input_tokens":3,"output_tokens":1}}}',
    "message_start",
)
OPEN = write(
    b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
    "content_block_start",
)
DELTA = write(
    b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}',
    "content_block_delta",
)
CLOSE = write(b'{"type":"content_block_stop","index":0}', "content_block_stop")
LAST = write(
    b'{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}}',
    "message_delta",
)
STOP = write(b'{"type":"message_stop"}', "message_stop")
BEGIN = START + OPEN

ROLE = write(
    b'{"id":"chatcmpl-1","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}'
)
CHUNK = write(b'{"id":"chatcmpl-1","model":"m","choices":[{"index":0,"delta":{"content":"hi"}}]}')
FINISH = write(b'{"id":"chatcmpl-1","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}')
USAGE = write(
    b'{"id":"chatcmpl-1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}'
)
DONE = b"data: [DONE]\n\n"

GARBAGE = b"data: {not json\n\n"
OVERLOADED = write(b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}', "error")
CHAT_ERROR = write(b'{"error":{"message":"busy","code":429}}')


def to(client: Dialect, upstream: Dialect) -> Lane:
    return TranslatingLane(codec(upstream).reader(), codec(client).writer())


class Watch:
    """Changes nothing."""

    stage = 1

    def feed(self, event: StreamEvent) -> Iterable[StreamEvent]:
        return (event,)

    def flush(self) -> Iterable[StreamEvent]:
        return ()


@frozen
class Way:
    """A lane, and what an upstream sends on it."""

    make: Callable[[], Lane]
    begin: bytes
    delta: bytes
    last: bytes
    end: bytes
    error: bytes


FROM_MESSAGES = (BEGIN, DELTA, LAST, STOP, OVERLOADED)
FROM_CHAT = (ROLE, CHUNK, FINISH, DONE, CHAT_ERROR)
LANES = pytest.mark.parametrize(
    "way",
    [
        pytest.param(Way(MESSAGES.relay, *FROM_MESSAGES), id="relay-messages"),
        pytest.param(Way(CHAT.relay, *FROM_CHAT), id="relay-chat"),
        pytest.param(
            Way(lambda: filtered(Dialect.MESSAGES, Watch()), *FROM_MESSAGES), id="filtered-messages"
        ),
        pytest.param(Way(lambda: filtered(Dialect.CHAT, Watch()), *FROM_CHAT), id="filtered-chat"),
        pytest.param(Way(lambda: to(Dialect.CHAT, Dialect.MESSAGES), *FROM_MESSAGES), id="to-chat"),
        pytest.param(Way(lambda: to(Dialect.MESSAGES, Dialect.CHAT), *FROM_CHAT), id="to-messages"),
    ],
)


@LANES
def test_there_is_no_content_before_the_first_text(way: Way) -> None:
    lane = way.make()
    lane.feed(way.begin + b": comment\n\n")
    before = lane.content
    lane.feed(way.delta)

    assert (before, lane.content) == (False, True)


@LANES
def test_the_proper_end_is_seen(way: Way) -> None:
    lane = way.make()
    lane.feed(way.begin + way.delta + way.last)
    before = (lane.stopped, lane.done)
    lane.feed(way.end)

    assert (before, lane.stopped, lane.done, lane.stop_reason) == ((True, False), True, True, "end_turn")


@LANES
def test_steps_count_progress_but_no_pings(way: Way) -> None:
    lane = way.make()
    lane.feed(way.begin + way.delta)
    before = lane.steps
    lane.feed(b": ping\n\n" + write(b'{"type":"ping"}', "ping"))
    pinged = lane.steps
    lane.feed(way.delta)

    assert before == pinged < lane.steps


@LANES
@pytest.mark.parametrize("cut", ["nothing", "half-a-frame"])
def test_an_answer_without_its_end_is_truncated(way: Way, cut: str) -> None:
    lane = way.make()
    lane.feed(way.begin + way.delta + (way.delta[: len(way.delta) // 2] if cut == "half-a-frame" else b""))
    lane.close()

    assert lane.fault is not None
    assert (lane.fault.code, lane.stopped) == ("truncated", False)


@LANES
def test_garbage_and_what_follows_is_kept_back(way: Way) -> None:
    lane, clean = way.make(), way.make()
    out = lane.feed(way.begin + way.delta + GARBAGE + way.delta) + lane.feed(way.delta) + lane.close()

    assert lane.fault is not None
    assert (lane.fault.code, out) == ("garbage", clean.feed(way.begin + way.delta))


@LANES
def test_an_error_and_what_follows_is_kept_back(way: Way) -> None:
    lane, clean = way.make(), way.make()
    out = lane.feed(way.begin + way.delta + way.error + way.delta + way.delta[:-2]) + lane.close()

    assert lane.fault is not None
    assert (lane.fault.message, out) == ("busy", clean.feed(way.begin + way.delta))


@LANES
@pytest.mark.parametrize("bad", ["garbage", "error"])
def test_what_is_bad_after_the_proper_end_is_ignored(way: Way, bad: str) -> None:
    lane, clean = way.make(), way.make()
    out = (
        lane.feed(way.begin + way.delta + way.last + (GARBAGE if bad == "garbage" else way.error))
        + lane.close()
    )

    assert (lane.fault, out) == (None, clean.feed(way.begin + way.delta + way.last + way.end))


@LANES
def test_a_last_frame_that_is_missing_is_added(way: Way) -> None:
    lane, clean = way.make(), way.make()
    out = lane.feed(way.begin + way.delta + way.last) + lane.close()

    assert (lane.fault, lane.done, out) == (
        None,
        True,
        clean.feed(way.begin + way.delta + way.last + way.end),
    )


@LANES
def test_a_last_frame_without_its_blank_line_counts(way: Way) -> None:
    lane = way.make()
    lane.feed(way.begin + way.delta + way.last[:-2])
    lane.close()

    assert (lane.fault, lane.stopped) == (None, True)


@LANES
def test_nothing_follows_the_end(way: Way) -> None:
    lane = way.make()
    lane.feed(way.begin + way.delta + way.last + way.end)

    assert lane.feed(way.delta + way.end) + lane.close() == b""


@LANES
def test_a_frame_over_all_bounds_is_garbage(way: Way) -> None:
    lane = way.make()
    lane.feed(b"data: " + b"x" * (16 * 1024 * 1024))

    assert lane.fault is not None
    assert (lane.fault.code, lane.feed(way.delta)) == ("garbage", b"")


@pytest.mark.parametrize(
    "make", [MESSAGES.relay, lambda: filtered(Dialect.MESSAGES, Watch())], ids=["relay", "filtered"]
)
@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        pytest.param(b'data: {"type":"ping"}\n\n', b'event: ping\ndata: {"type":"ping"}\n\n', id="no-name"),
        pytest.param(
            b'data: {"type":"x"}\nevent: x\n\n', b'data: {"type":"x"}\nevent: x\n\n', id="name-behind"
        ),
        pytest.param(b'data: {"type":"a b"}\n\n', b'data: {"type":"a b"}\n\n', id="no-name-to-be-had"),
    ],
)
def test_frames_without_a_name_get_it(make: Callable[[], Lane], sent: bytes, passed: bytes) -> None:
    assert make().feed(sent) == passed


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}', 529, "overloaded_error"),
        (b'{"type":"error","error":{"type":"rate_limit_error","message":"x"}}', 429, "rate_limit_error"),
        (b'{"type":"error","error":{"type":"api_error","message":"x"}}', 500, "api_error"),
        (b'{"error":{"code":503,"message":"x","type":"unavailable_error"}}', 503, "overloaded_error"),
    ],
)
def test_an_error_event_tells_its_status_and_kind(error: bytes, status: int, kind: str) -> None:
    lane = MESSAGES.relay()
    lane.feed(write(error, "error"))

    assert lane.fault is not None
    assert (lane.fault.status, lane.fault.kind) == (status, kind)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(write(b'{"error":{"message":"x"}}'), id="error-object"),
        pytest.param(write(b'{"error":"x"}'), id="error-string"),
        pytest.param(write(b'{"object":"error","message":"x","code":400}'), id="flat"),
        pytest.param(write(b'{"message":"x"}', "error"), id="by-event-line"),
        pytest.param(
            write(b'{"error":{"message":"x"},"choices":[{"index":0,"delta":{}}]}'), id="with-choices"
        ),
        pytest.param(
            write(b'{"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}'), id="finish-reason"
        ),
    ],
)
@pytest.mark.parametrize("client", [None, Dialect.MESSAGES], ids=["relay", "translated"])
def test_every_way_in_which_chat_servers_report_an_error(frame: bytes, client: Dialect | None) -> None:
    lane = CHAT.relay() if client is None else to(client, Dialect.CHAT)
    lane.feed(ROLE + CHUNK + frame)

    assert lane.fault is not None


def test_the_usage_chunk_is_hidden_from_a_client_that_did_not_ask() -> None:
    lane = CHAT.relay(hide_usage=True)
    out = lane.feed(ROLE + CHUNK + FINISH + USAGE + DONE)

    assert (out, lane.usage.input) == (ROLE + CHUNK + FINISH + DONE, 3)


def test_usage_inside_of_a_choice_is_counted() -> None:
    lane = CHAT.relay()
    lane.feed(
        write(b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":3}}]}')
    )

    assert lane.usage.input == 3


def test_usage_on_a_chunk_with_choices_is_not_hidden() -> None:
    both = write(b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3}}')

    assert CHAT.relay(hide_usage=True).feed(ROLE + both + DONE) == ROLE + both + DONE


def test_several_choices_are_over_when_each_is() -> None:
    lane = CHAT.relay()
    second = write(b'{"choices":[{"index":1,"delta":{"content":"ho"}}]}')
    lane.feed(CHUNK + second + FINISH)
    before = lane.stopped
    lane.feed(write(b'{"choices":[{"index":1,"delta":{},"finish_reason":"length"}]}'))

    assert (before, lane.stopped) == (False, True)


@pytest.mark.parametrize(
    "data",
    [b"[1]", b'"text"', b'{"choices":{"a":1}}', b"\xff\xfe", b'{"choices":[{"delta":{"content":"a"}'],
    ids=["list", "string", "choices-object", "not-utf-8", "cut-json"],
)
@pytest.mark.parametrize("client", [None, Dialect.MESSAGES], ids=["relay", "translated"])
def test_what_is_not_a_chunk_is_garbage(data: bytes, client: Dialect | None) -> None:
    lane = CHAT.relay() if client is None else to(client, Dialect.CHAT)
    lane.feed(b"data: " + data + b"\n\n")

    assert lane.fault is not None
    assert lane.fault.code == "garbage"


@pytest.mark.parametrize("data", [b"[1]", b"7", b"{not json", b"\xff"], ids=str)
@pytest.mark.parametrize("client", [None, Dialect.CHAT], ids=["relay", "translated"])
def test_what_is_not_an_event_is_garbage(data: bytes, client: Dialect | None) -> None:
    lane = MESSAGES.relay() if client is None else to(client, Dialect.MESSAGES)
    lane.feed(START + write(data, "content_block_delta"))

    assert lane.fault is not None
    assert lane.fault.code == "garbage"


@pytest.mark.parametrize(
    ("frame", "content"),
    [
        pytest.param(b'{"choices":[{"delta":{"content":""}}]}', False, id="empty-text"),
        pytest.param(b'{"choices":[{"delta":{"reasoning":"a"}}]}', True, id="reasoning"),
        pytest.param(b'{"choices":[{"delta":{"thinking":"a"}}]}', True, id="thinking"),
        pytest.param(b'{"choices":[{"delta":{"refusal":"a"}}]}', True, id="refusal"),
        pytest.param(
            b'{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a"}]}}]}', False, id="nameless-call"
        ),
        pytest.param(
            b'{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"a"}}]}}]}',
            True,
            id="named-call",
        ),
        pytest.param(b'{"choices":[{"delta":{},"finish_reason":"stop"}]}', False, id="stop"),
        pytest.param(b'{"choices":[{"delta":{},"finish_reason":"length"}]}', True, id="length"),
        pytest.param(b'{"choices":[{"delta":{},"finish_reason":"content_filter"}]}', True, id="filtered"),
    ],
)
def test_what_counts_as_content_in_a_chat_stream(frame: bytes, content: bool) -> None:
    lanes = [CHAT.relay(), to(Dialect.MESSAGES, Dialect.CHAT)]
    for lane in lanes:
        lane.feed(write(frame) + DONE)

    assert [lane.content for lane in lanes] == [content, content]


@pytest.mark.parametrize(
    ("block", "content"),
    [
        pytest.param(b'{"type":"text","text":""}', False, id="text"),
        pytest.param(b'{"type":"thinking","thinking":"","signature":""}', False, id="thinking"),
        pytest.param(b'{"type":"tool_use","id":"a","name":"b"}', True, id="tool"),
        pytest.param(b'{"type":"redacted_thinking","data":"x"}', True, id="redacted"),
        pytest.param(
            b'{"type":"server_tool_use","id":"a","name":"web_search","input":{}}', True, id="server-tool"
        ),
    ],
)
def test_what_counts_as_content_in_a_messages_stream(block: bytes, content: bool) -> None:
    lane = MESSAGES.relay()
    lane.feed(START + write(b'{"type":"content_block_start","index":0,"content_block":' + block + b"}"))

    assert lane.content is content


def test_content_that_was_seen_is_not_forgotten() -> None:
    lane = MESSAGES.relay()
    lane.feed(BEGIN + DELTA + CLOSE + OPEN.replace(b'"index":0', b'"index":1'))

    assert lane.content


class Shout:
    """Upper case for every text; holds the last letter back until the end."""

    stage = 0

    def __init__(self) -> None:
        self._held = ""

    def feed(self, event: StreamEvent) -> Iterable[StreamEvent]:
        if event.kind != "delta" or event.block != "text":
            return [event]
        text, self._held = self._held + event.text[:-1].upper(), event.text[-1:].upper()
        return [StreamEvent("delta", event.index, "text", text)] if text else []

    def flush(self) -> Iterable[StreamEvent]:
        return [StreamEvent("delta", text=self._held)] if self._held else []


def filtered(dialect: Dialect, *filters: StreamFilter, include_usage: bool = True) -> TranslatingLane:
    writer = codec(dialect).writer(include_usage=include_usage)
    return TranslatingLane(codec(dialect).reader(), writer, filters)


@pytest.mark.parametrize(
    ("dialect", "stream"),
    [
        (Dialect.CHAT, ROLE + CHUNK + FINISH + USAGE + DONE),
        (Dialect.MESSAGES, BEGIN + DELTA + CLOSE + LAST + STOP),
    ],
)
def test_frames_that_filters_leave_alone_pass_as_they_came(dialect: Dialect, stream: bytes) -> None:
    unlike_ours = stream.replace(b"data: {", b'data: { "brand_new": 1, ')

    assert filtered(dialect, Watch(), Watch()).feed(unlike_ours) == unlike_ours


def test_a_text_about_the_end_mark_is_not_the_end() -> None:
    lane = filtered(Dialect.CHAT, Watch())
    lane.feed(ROLE + CHUNK.replace(b'"hi"', b'"[DONE]"'))

    assert lane.feed(CHUNK) == CHUNK


def test_text_that_a_filter_held_back_comes_before_the_finish() -> None:
    out = filtered(Dialect.CHAT, Shout(), Watch()).feed(ROLE + CHUNK + FINISH + USAGE + DONE)

    assert out.index(b'"I"') < out.index(b'"finish_reason":"stop"') < out.index(b'"usage"') < out.index(DONE)


def test_text_that_a_filter_held_back_comes_before_the_message_delta() -> None:
    out = filtered(Dialect.MESSAGES, Shout()).feed(BEGIN + DELTA + LAST + STOP)

    assert out.index(b'"text":"I"') < out.index(b"event: message_delta")


def test_a_filter_sees_content_before_the_lane_counts_it() -> None:
    lane = filtered(Dialect.CHAT, Shout())
    one_letter = CHUNK.replace(b'"hi"', b'"h"')
    lane.feed(ROLE + one_letter)
    before = lane.content
    lane.feed(FINISH + DONE)

    assert (before, lane.content) == (False, True)


def test_the_usage_chunk_is_hidden_behind_filters_too() -> None:
    out = filtered(Dialect.CHAT, Watch(), include_usage=False).feed(ROLE + CHUNK + FINISH + USAGE + DONE)

    assert out == ROLE + CHUNK + FINISH + DONE


class Silent:
    """Takes every text out."""

    stage = 0

    def feed(self, event: StreamEvent) -> Iterable[StreamEvent]:
        return [] if event.block == "text" and event.kind == "delta" else [event]

    def flush(self) -> Iterable[StreamEvent]:
        return ()


def test_what_a_filter_takes_out_is_a_step_all_the_same() -> None:
    lane = filtered(Dialect.CHAT, Silent())
    lane.feed(ROLE + CHUNK)
    steps, size = lane.steps, lane.size
    lane.feed(CHUNK)

    assert (lane.steps > steps, lane.size > size, lane.content) == (True, True, False)


class NoThinking:
    """Takes thinking out."""

    stage = 0

    def feed(self, event: StreamEvent) -> Iterable[StreamEvent]:
        return [] if event.block == "thinking" else [event]

    def flush(self) -> Iterable[StreamEvent]:
        return ()


def test_a_frame_of_which_a_filter_took_a_part_does_not_pass() -> None:
    both = CHUNK.replace(b'"content"', b'"reasoning_content":"hm","content"')

    assert b"hm" not in TranslatingLane(CHAT.reader(), CHAT.writer(), [NoThinking()]).feed(both)


class OtherArguments:
    """Changes what a tool is called with."""

    stage = 0

    def feed(self, event: StreamEvent) -> Iterable[StreamEvent]:
        changed = event.kind == "delta" and event.block == "tool_call"
        return [StreamEvent("delta", event.index, "tool_call", event.text.upper())] if changed else [event]

    def flush(self) -> Iterable[StreamEvent]:
        return ()


def test_changed_arguments_follow_a_call_that_passed_as_it_came() -> None:
    call = b'{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,%b"function":{%b"arguments":"%b"}}]}}]}'
    start = write(call % (b'"id":"i","type":"function",', b'"name":"f",', b""))
    lane = TranslatingLane(CHAT.reader(), CHAT.writer(), [OtherArguments()])
    out = lane.feed(start + write(call % (b"", b"", b"{}x")))

    assert (out.startswith(start), b'"index":0,"function":{"arguments":"{}X"}' in out) == (True, True)


class NewStops:
    """Makes the ends of blocks anew, as they were."""

    stage = 0

    def feed(self, event: StreamEvent) -> Iterable[StreamEvent]:
        return [evolve(event)] if event.kind == "block_stop" else [event]

    def flush(self) -> Iterable[StreamEvent]:
        return ()


def test_a_signature_that_was_passed_on_is_not_written_again() -> None:
    thinking = OPEN.replace(b'"type":"text","text":""', b'"type":"thinking","thinking":"","signature":""')
    signed = write(
        b'{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}',
        "content_block_delta",
    )
    out = TranslatingLane(MESSAGES.reader(), MESSAGES.writer(), [NewStops()]).feed(
        START + thinking + signed + CLOSE
    )

    assert out.count(b"c2ln") == 1


@pytest.mark.parametrize(
    "event",
    [
        b'{"type":"content_block_delta","index":0,"delta":["x"]}',
        b'{"type":"content_block_start","index":0,"content_block":"x"}',
        b'{"type":"message_start","message":[]}',
        b'{"type":"message_delta","delta":7,"usage":"many"}',
        b'{"choices":[{"index":[],"delta":"x","finish_reason":{}}],"usage":[1]}',
        b'{"choices":[7,null,{"delta":{"tool_calls":[7],"function_call":"x"}}]}',
    ],
    ids=str,
)
@pytest.mark.parametrize("make", [MESSAGES.relay, CHAT.relay], ids=["messages", "chat"])
def test_nonsense_inside_an_event_passes_a_relay(make: Callable[[], Lane], event: bytes) -> None:
    frame = write(event, "x")

    assert make().feed(frame) == frame


class CallFirst:
    """Puts a tool call before the answer, as the repair of a leaked one does."""

    stage = 0

    def feed(self, event: StreamEvent) -> Iterable[StreamEvent]:
        if event.kind == "block_start" and event.block == "text":
            return [
                StreamEvent("block_start", 0, "tool_call", id="call_9", name="w"),
                StreamEvent("delta", 0, "tool_call", "{}"),
                StreamEvent("block_stop", 0, "tool_call"),
                event,
            ]
        return [event]

    def flush(self) -> Iterable[StreamEvent]:
        return ()


REDACTED = b'{"type":"redacted_thinking","data":"x"}'


def test_a_block_that_events_cannot_hold_passes_and_is_numbered_anew() -> None:
    foreign = write(
        b'{"type":"content_block_start","index":1,"content_block":' + REDACTED + b"}", "content_block_start"
    ) + write(b'{"type":"content_block_stop","index":1}', "content_block_stop")
    lane = TranslatingLane(MESSAGES.reader(), MESSAGES.writer(), [CallFirst()])
    out = lane.feed(BEGIN + DELTA + CLOSE + foreign + LAST + STOP)

    assert b'"index":2,"content_block":' + REDACTED in out


def test_a_foreign_block_that_was_not_closed_is_closed_before_the_end() -> None:
    foreign = write(
        b'{"type":"content_block_start","index":0,"content_block":' + REDACTED + b"}", "content_block_start"
    )
    out = filtered(Dialect.MESSAGES, Watch()).feed(START + foreign + LAST + STOP)

    assert problems(Dialect.MESSAGES, out) == []


def test_citations_keep_their_place_when_blocks_are_numbered_anew() -> None:
    cited = write(
        b'{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"a":1}}}',
        "content_block_delta",
    )
    lane = TranslatingLane(MESSAGES.reader(), MESSAGES.writer(), [CallFirst()])

    assert b'"index":1,"delta":{"type":"citations_delta"' in lane.feed(BEGIN + DELTA + cited + CLOSE)


def test_a_call_that_a_filter_added_turns_the_stop_into_tool_use() -> None:
    lane = TranslatingLane(MESSAGES.reader(), MESSAGES.writer(), [CallFirst()])

    assert b'"stop_reason":"tool_use"' in lane.feed(BEGIN + DELTA + CLOSE + LAST + STOP)


def test_a_call_that_a_filter_added_turns_the_finish_into_tool_calls() -> None:
    lane = TranslatingLane(CHAT.reader(), CHAT.writer(), [CallFirst()])

    assert b'"finish_reason":"tool_calls"' in lane.feed(ROLE + CHUNK + FINISH + DONE)


def test_pings_of_the_upstream_are_passed_on_in_the_clients_dialect() -> None:
    lane = to(Dialect.MESSAGES, Dialect.CHAT)

    assert lane.feed(b": OPENROUTER PROCESSING\n\n") == MESSAGES.ping


LATE_CALL = write(
    b'{"id":"chatcmpl-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function",'
    b'"function":{"name":"f","arguments":"{}"}}]},"finish_reason":null}]}'
)
BEGUN = ROLE.replace(b"}}]}", b'},"finish_reason":null}]}')
SAID = CHUNK.replace(b"}}]}", b'},"finish_reason":null}]}')
CHAT_LANES = pytest.mark.parametrize(
    "make", [CHAT.relay, lambda: filtered(Dialect.CHAT, Watch())], ids=["relay", "filtered"]
)


def passed(lane: Lane, *frames: bytes) -> bytes:
    return b"".join([*map(lane.feed, frames), lane.close()])


@CHAT_LANES
def test_a_call_after_the_finish_reason_comes_before_it(make: Callable[[], Lane]) -> None:
    out = passed(make(), BEGUN, SAID, FINISH, LATE_CALL, USAGE, DONE)

    [answer] = heard(Dialect.CHAT, out)
    assert (problems(Dialect.CHAT, out), answer.calls[0].name, answer.reason) == ([], "f", "tool_calls")


@CHAT_LANES
def test_text_after_the_finish_reason_comes_before_it(make: Callable[[], Lane]) -> None:
    whole = CHUNK.replace(b"}}]}", b'},"finish_reason":"stop","logprobs":{"content":[]}}]}')
    out = passed(make(), BEGUN, whole, SAID, DONE)

    [answer] = heard(Dialect.CHAT, out)
    assert (problems(Dialect.CHAT, out), answer.text, answer.reason) == ([], "hihi", "stop")


@CHAT_LANES
@pytest.mark.parametrize("end", [USAGE + DONE, DONE, b""], ids=["usage", "done", "nothing"])
def test_the_chunk_that_ends_the_answer_passes_as_it_came(make: Callable[[], Lane], end: bytes) -> None:
    finish = FINISH.replace(b'"delta"', b'"native_finish_reason":"STOP","delta"')

    assert finish in passed(make(), ROLE, CHUNK, finish, end)


def test_the_end_that_came_with_content_is_parted_from_it() -> None:
    last = CHUNK.replace(b"}}]}", b'},"finish_reason":"stop"}],"x_new":1}')
    out = passed(filtered(Dialect.CHAT, Watch()), ROLE, last, DONE)

    assert (problems(Dialect.CHAT, out), out.count(b"x_new")) == ([], 2)


ODD_CALLS = [
    pytest.param({"id": "a", "function": {"name": "f", "arguments": '{"a":1}'}}, id="no-index"),
    pytest.param({"index": 0, "id": "a", "function": {"name": "f", "arguments": {"a": 1}}}, id="object"),
    pytest.param({"index": 0, "function": {"name": "f", "arguments": '{"a":1}'}}, id="no-id"),
    pytest.param({"index": 3, "id": "a", "function": {"name": "f", "arguments": '{"a":1}'}}, id="index-3"),
]


@pytest.mark.parametrize("entry", ODD_CALLS)
@pytest.mark.parametrize("before", [b"", BEGUN + SAID], ids=["first", "after-text"])
def test_a_relay_mends_a_call_that_clients_cannot_read(entry: dict[str, Any], before: bytes) -> None:
    chunk = {
        "id": "chatcmpl-1",
        "choices": [{"index": 0, "delta": {"tool_calls": [entry]}, "finish_reason": None}],
    }
    out = passed(CHAT.relay(), before + write(orjson.dumps(chunk)) + FINISH + DONE)

    [answer] = heard(Dialect.CHAT, out)
    assert out.startswith(before)
    assert (problems(Dialect.CHAT, out), [(call.name, call.arguments) for call in answer.calls]) == (
        [],
        [("f", '{"a":1}')],
    )


FUNCTIONS = {"functions": [{"name": "f"}]}


@pytest.mark.parametrize(
    ("upstream", "calls"),
    [
        pytest.param(
            CHAT,
            write(
                b'{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","function_call":'
                b'{"name":"f","arguments":"{}"}},"finish_reason":null}]}'
            )
            + FINISH.replace(b'"stop"', b'"function_call"')
            + DONE,
            id="chat",
        ),
        pytest.param(
            MESSAGES,
            START
            + OPEN.replace(b'"type":"text","text":""', b'"type":"tool_use","id":"a","name":"f","input":{}')
            + CLOSE
            + LAST.replace(b"end_turn", b"tool_use")
            + STOP,
            id="messages",
        ),
    ],
)
def test_a_client_that_declared_functions_is_answered_with_a_function_call(
    upstream: Any, calls: bytes
) -> None:
    out = passed(TranslatingLane(upstream.reader(), CHAT.writer(asked=FUNCTIONS)), calls)

    data = [orjson.loads(payload(frame)) for frame in Framer().feed(out.removesuffix(DONE))]
    choices = [choice for chunk in data for choice in chunk["choices"]]
    pieces = [piece for choice in choices if (piece := choice["delta"].get("function_call"))]
    assert (
        "".join(piece.get("name", "") for piece in pieces),
        "".join(piece["arguments"] for piece in pieces),
    ) == (
        "f",
        "{}",
    )
    assert ([choice["finish_reason"] for choice in choices][-1], b"tool_calls" in out) == (
        "function_call",
        False,
    )


def test_a_whole_answer_for_a_client_that_declared_functions_holds_a_function_call() -> None:
    use = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    [choice] = CHAT.fold(MESSAGES.events({"content": [use]}), asked=FUNCTIONS)["choices"]

    assert (
        choice["message"]["function_call"],
        choice["finish_reason"],
        "tool_calls" in choice["message"],
    ) == (
        {"name": "f", "arguments": "{}"},
        "function_call",
        False,
    )


def test_a_refusal_stays_one_where_the_first_chunk_has_no_role() -> None:
    """All of it under one name, and after the role."""
    first, second = (
        write(b'{"id":"c","choices":[{"index":0,"delta":{"refusal":"%b"},"finish_reason":null}]}' % text)
        for text in (b"I can", b"not")
    )
    out = passed(filtered(Dialect.CHAT, Watch()), first, second, FINISH, DONE)

    assert (first + second in out, problems(Dialect.CHAT, out.replace(b"chatcmpl-1", b"c"))) == (True, [])


@CHAT_LANES
def test_a_role_that_is_told_again_is_told_once(make: Callable[[], Lane]) -> None:
    again = BEGUN.replace(b'"content":""', b'"content":"hi"').replace(b'"index":0', b'"x_new":1,"index":0')
    out = passed(make(), BEGUN, again, FINISH, DONE)

    assert (out.count(b'"role"'), out.count(b"x_new"), heard(Dialect.CHAT, out)[0].text) == (1, 1, "hi")


@CHAT_LANES
def test_a_call_without_its_type_is_given_one(make: Callable[[], Lane]) -> None:
    untyped = LATE_CALL.replace(b'"type":"function",', b"")

    assert passed(make(), BEGUN, untyped, FINISH, DONE).count(b'"type":"function"') == 1


@CHAT_LANES
@pytest.mark.parametrize("end", [FINISH, b""], ids=["finish", ""])
def test_a_call_without_arguments_is_given_an_empty_object(make: Callable[[], Lane], end: bytes) -> None:
    out = passed(make(), BEGUN, LATE_CALL.replace(b'"{}"', b'""'), end, DONE)

    assert (problems(Dialect.CHAT, out), heard(Dialect.CHAT, out)[0].calls[0].arguments) == ([], "{}")


def test_choices_that_are_null_are_none() -> None:
    null = write(b'{"id":"chatcmpl-1","choices":null}')

    assert b'"choices":[]' in passed(CHAT.relay(), BEGUN, SAID, null, FINISH, DONE)


def test_a_chunk_without_choices_and_counts_does_not_wait_for_the_end() -> None:
    lane = CHAT.relay()
    lane.feed(BEGUN + SAID)
    alive = write(b'{"id":"chatcmpl-1","choices":[]}')

    assert lane.feed(alive) == alive


@CHAT_LANES
def test_names_and_ids_that_come_with_every_piece_are_told_once(make: Callable[[], Lane]) -> None:
    first = LATE_CALL.replace(b'"{}"', b'"{"')
    out = passed(make(), BEGUN, first, first.replace(b'"{"', b'"}"'), FINISH, DONE)

    [call] = heard(Dialect.CHAT, out)[0].calls
    assert (out.count(b'"name":"f"'), out.count(b'"id":"a"'), call.arguments) == (1, 1, "{}")


@pytest.mark.parametrize("usage", [b"", USAGE], ids=["", "usage"])
def test_a_stream_that_says_only_that_it_is_over_is_given_a_finish_reason(usage: bytes) -> None:
    out = passed(CHAT.relay(), BEGUN, LATE_CALL, usage, DONE)

    assert (problems(Dialect.CHAT, out), out.count(b'"finish_reason":"tool_calls"')) == ([], 1)


def test_a_message_that_says_only_that_it_is_over_is_given_a_stop_reason() -> None:
    out = passed(MESSAGES.relay(), BEGIN, DELTA, CLOSE, STOP)

    assert (problems(Dialect.MESSAGES, out), out.count(b'"stop_reason":"end_turn"')) == ([], 1)


def test_what_a_message_begins_with_stays_though_its_counts_are_missing() -> None:
    begun = write(
        b'{"type":"message_start","message":{"content":[{"type":"text","text":"hi"}]}}', "message_start"
    )

    assert b'"content":[{"type":"text","text":"hi"}]' in MESSAGES.relay().feed(begun)


def test_a_call_of_a_relayed_message_has_an_input() -> None:
    bare = OPEN.replace(b'"type":"text","text":""', b'"type":"tool_use","id":"t","name":"f"')

    assert b'"input":{}' in MESSAGES.relay().feed(START + bare)


def test_a_relay_numbers_calls_that_are_all_number_0() -> None:
    second = LATE_CALL.replace(b'"id":"a"', b'"id":"b"')
    out = passed(CHAT.relay(), BEGUN, LATE_CALL, second, FINISH, DONE)

    assert out.startswith(BEGUN + LATE_CALL)
    assert (problems(Dialect.CHAT, out), [call.id for call in heard(Dialect.CHAT, out)[0].calls]) == (
        [],
        ["a", "b"],
    )


def test_a_relay_reads_a_whole_message_in_a_chunk() -> None:
    message = b'{"id":"chatcmpl-1","choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}]}'
    lane = CHAT.relay()
    out = passed(lane, write(message), DONE)

    assert (problems(Dialect.CHAT, out), lane.content, heard(Dialect.CHAT, out)[0].text) == ([], True, "hi")


def test_a_relay_that_writes_anew_still_tells_a_cut() -> None:
    lane = CHAT.relay()
    passed(lane, write(b'{"choices":[{"index":0,"message":{"content":"hi"}}]}'))

    assert lane.fault is not None
    assert lane.fault.code == "truncated"
