"""Characters whose two halves an upstream sends in two pieces of JSON."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coderouter_core.model import Dialect
from coderouter_core.testing.streams.heard import Heard, heard
from coderouter_core.testing.streams.judge import Watch
from coderouter_core.wire import client_side, codec
from coderouter_core.wire.grammar import problems
from coderouter_core.wire.lanes import TranslatingLane
from coderouter_core.wire.lenient import Halves, loads

HIGH, LOW = rb"\ud83d", rb"\ude00"
CLIENTS = pytest.mark.parametrize("client", [Dialect.MESSAGES, Dialect.CHAT, Dialect.RESPONSES])


def chunk(delta: bytes, finish: bytes = b"null") -> bytes:
    return (
        b'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":%b,"finish_reason":%b}]}\n\n'
        % (delta, finish)
    )


def text(*pieces: bytes, key: bytes = b"content") -> bytes:
    return b"".join([chunk(b'{"role":"assistant","%b":"%b"}' % (key, piece)) for piece in pieces])


def arguments(*pieces: bytes) -> bytes:
    calls = [b'{"index":0,"function":{"arguments":"%b"}}' % piece for piece in pieces]
    start = b'{"index":0,"id":"i","type":"function","function":{"name":"f","arguments":""}}'
    return b"".join([chunk(b'{"role":"assistant","tool_calls":[%b]}' % call) for call in (start, *calls)])


END = chunk(b"{}", b'"stop"') + b"data: [DONE]\n\n"
START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","content":[],'
    b'"usage":{"input_tokens":1,"output_tokens":1}}}\n\n'
)
STOP = (
    b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}\n\n'
    b'data: {"type":"message_stop"}\n\n'
)


def block(*pieces: bytes) -> bytes:
    opened = b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}'
    delta = b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%b"}}'
    events = [opened, *[delta % piece for piece in pieces], b'{"type":"content_block_stop","index":0}']
    return b"".join([b"data: %b\n\n" % event for event in events])


def through(upstream: Dialect, client: Dialect, stream: bytes) -> Heard:
    """What the client has; through a filter where both sides speak one dialect, so that the lane reads it."""
    filters: list[Any] = [Watch()] if upstream is client else []
    lane = TranslatingLane(codec(upstream).reader(), client_side(client).writer(), filters)
    out = lane.feed(stream) + lane.close()
    assert (lane.fault, problems(client, out)) == (None, [])
    [answer] = heard(client, out)
    return answer


@CLIENTS
@pytest.mark.parametrize(
    ("stream", "said"),
    [
        pytest.param(text(b"a" + HIGH, LOW + b"b"), "a😀b", id="two-pieces"),
        pytest.param(text(HIGH, b"", LOW), "😀", id="an-empty-piece-between"),
        pytest.param(text(HIGH) + b": ping\n\n" + text(LOW), "😀", id="a-ping-between"),
        pytest.param(text(HIGH, LOW + HIGH, LOW), "😀😀", id="twice"),
        pytest.param(text(HIGH, b"x"), "\ufffdx", id="no-second-half"),
        pytest.param(text(b"x" + LOW), "x\ufffd", id="no-first-half"),
        pytest.param(text(b"x" + HIGH), "x\ufffd", id="at-the-end"),
        pytest.param(text(HIGH + b"x" + LOW), "\ufffdx\ufffd", id="wrong-way-round"),
    ],
)
def test_a_character_in_two_chunks_is_put_together(client: Dialect, stream: bytes, said: str) -> None:
    assert through(Dialect.CHAT, client, stream + END).text == said


@CLIENTS
def test_a_character_in_two_pieces_of_reasoning_is_put_together(client: Dialect) -> None:
    stream = text(HIGH, LOW, key=b"reasoning_content") + text(b"x") + END

    assert through(Dialect.CHAT, client, stream).thinking == "😀"


@CLIENTS
def test_a_character_in_two_pieces_of_arguments_is_put_together(client: Dialect) -> None:
    stream = arguments(rb"{\"a\":\"" + HIGH, LOW + rb"\"}") + END

    assert [call.arguments for call in through(Dialect.CHAT, client, stream).calls] == ['{"a":"😀"}']


@CLIENTS
@pytest.mark.parametrize(
    ("pieces", "said"), [((HIGH, LOW + b"b"), "😀b"), ((b"x" + HIGH,), "x\ufffd")], ids=["both", "one"]
)
def test_a_character_in_two_events_is_put_together(
    client: Dialect, pieces: tuple[bytes, ...], said: str
) -> None:
    assert through(Dialect.MESSAGES, client, START + block(*pieces) + STOP).text == said


@CLIENTS
def test_half_a_character_in_a_name_or_an_id_is_a_mark(client: Dialect) -> None:
    entry = b'{"index":0,"id":"i%b","type":"function","function":{"name":"f%b","arguments":{"a%b":"%b"}}}'
    stream = chunk(b'{"role":"assistant","tool_calls":[%b]}' % (entry % (HIGH, LOW, HIGH, HIGH))) + END

    [call] = through(Dialect.CHAT, client, stream).calls
    assert (call.name, call.arguments) == ("f\ufffd", '{"a\ufffd":"\ufffd"}')


@given(st.text(alphabet=st.sampled_from("aé日😀🎉"), max_size=8), st.data())
def test_a_text_cut_into_utf_16_halves_stays_whole(said: str, data: st.DataObject) -> None:
    units = said.encode("utf-16-le")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(units) // 2), max_size=6)))
    halves = Halves()
    pieces = [
        units[2 * start : 2 * end].decode("utf-16-le", "surrogatepass")
        for start, end in zip([0, *cuts], [*cuts, len(units) // 2], strict=True)
    ]

    assert "".join([*map(halves.take, pieces), halves.end()]) == said


@pytest.mark.parametrize(
    "data",
    [b"{", b"", b"[" * 100_000, b'{"a":1e', b"9" * 5000, b'{"n":NaN,"i":%b}' % (b"9" * 400)],
    ids=["open", "nothing", "deep", "half-a-number", "endless", "too-large"],
)
def test_what_is_no_json_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(data)
