"""Frames come out whole, however the stream was cut."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coderouter_core.wire.sse import Framer, fields, payload, write

LF = b"event: a\ndata: 1\n\ndata: 2\n\n: comment\n\ndata: 3\n\n"
STREAMS = pytest.mark.parametrize(
    "stream",
    [
        pytest.param(LF, id="lf"),
        pytest.param(LF.replace(b"\n", b"\r\n"), id="crlf"),
        pytest.param(LF.replace(b"\n", b"\r") + b"data: last", id="cr"),
        pytest.param(b"data: 1\n\r\ndata: 2\r\n\ndata: 3\r\r\ndata: 4\n\r", id="mixed"),
        pytest.param(b"\xef\xbb\xbf" + LF, id="byte-order-mark"),
        pytest.param("data: né🎉\n\n\n\ndata: 日本\n\n".encode(), id="utf-8-and-spare-blank-lines"),
    ],
)


def frames(pieces: list[bytes]) -> list[bytes]:
    framer = Framer()
    found = [frame for piece in pieces for frame in framer.feed(piece)]
    last = framer.close()
    return [*found, last] if last else found


@pytest.mark.parametrize(
    ("stream", "cut"),
    [
        pytest.param(b"data: 1\n\ndata: 2\n\n", [b"data: 1\n\n", b"data: 2\n\n"], id="lf"),
        pytest.param(b"data: 1\r\n\r\ndata: 2\r\n\r\n", [b"data: 1\r\n\r\n", b"data: 2\r\n\r\n"], id="crlf"),
        pytest.param(b"data: 1\r\rdata: 2\r\rx", [b"data: 1\r\r", b"data: 2\r\r", b"x\n\n"], id="cr"),
        pytest.param(b"data: 1\n\r\ndata: 2\r\n\n", [b"data: 1\n\r\n", b"data: 2\r\n\n"], id="mixed"),
        pytest.param(b"a: 1\r\ndata: 2\n\n", [b"a: 1\r\ndata: 2\n\n"], id="one-line-end-is-no-blank-line"),
        pytest.param(b"\xef\xbb\xbfdata: 1\n\n", [b"data: 1\n\n"], id="without-the-byte-order-mark"),
    ],
)
def test_a_stream_is_cut_at_its_blank_lines(stream: bytes, cut: list[bytes]) -> None:
    assert frames([stream]) == cut


@STREAMS
def test_a_split_at_any_byte_changes_nothing(stream: bytes) -> None:
    whole = frames([stream])

    assert all(frames([stream[:at], stream[at:]]) == whole for at in range(len(stream)))


@STREAMS
def test_a_stream_byte_by_byte_gives_the_same_frames(stream: bytes) -> None:
    assert frames([stream[at : at + 1] for at in range(len(stream))]) == frames([stream])


@given(
    st.lists(st.sampled_from([b"data: x", b"\n", b"\r", b"\r\n", b":", b" ", b"\n\n"]), max_size=40),
    st.randoms(use_true_random=False),
)
def test_any_line_ends_in_any_pieces_give_the_same_frames(parts: list[bytes], chance: random.Random) -> None:
    stream = b"".join(parts)
    cuts = sorted(chance.sample(range(len(stream) + 1), k=min(len(stream), 5)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    assert frames(pieces) == frames([stream])


def test_no_byte_is_lost() -> None:
    stream = b"data: 1\r\n\r\n\r\n: c\n\ndata: 2\n\r\n"

    assert b"".join(Framer().feed(stream)) == stream


def test_a_last_frame_without_its_blank_line_gets_one() -> None:
    framer = Framer()
    framer.feed(b"data: 1\n\ndata: 2\r\n")

    assert framer.close() == b"data: 2\n\n"


def test_nothing_is_left_after_whole_frames() -> None:
    framer = Framer()
    framer.feed(b"data: 1\n\n\r\n")

    assert framer.close() == b""


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b"data: " + b"x" * 60], id="open"),
        pytest.param([b"data: "] + [b"x"] * 60, id="growing"),
        pytest.param([b"data: " + b"x" * 60 + b"\n\n"], id="whole"),
        pytest.param([b"data: " + b"x" * 60 + b"\r\n\r\n"], id="whole-with-crlf"),
    ],
)
def test_a_frame_over_the_bound_is_refused(pieces: list[bytes]) -> None:
    framer = Framer(most=50)

    with pytest.raises(ValueError, match="more than 50 bytes"):
        [framer.feed(piece) for piece in pieces]


def test_many_frames_in_one_piece_may_exceed_the_bound_together() -> None:
    assert len(Framer(most=20).feed(b"data: 123456\n\n" * 9)) == 9


def test_a_large_frame_in_small_pieces_is_searched_once() -> None:
    """Quadratic work on this one would take minutes."""
    framer = Framer()
    for _ in range(200_000):
        framer.feed(b"0123456789")

    assert len(framer.feed(b"\n\n")[0]) == 2_000_002


@pytest.mark.parametrize(
    ("frame", "read"),
    [
        pytest.param(b"data: 1\n\n", ("", b"1"), id="data"),
        pytest.param(b"data:1\n\n", ("", b"1"), id="no-space"),
        pytest.param(b"data:  1\n\n", ("", b" 1"), id="only-one-space-goes"),
        pytest.param(b"event: e\ndata: 1\n\n", ("e", b"1"), id="event"),
        pytest.param(b"event:e\r\ndata:1\r\n\r\n", ("e", b"1"), id="crlf"),
        pytest.param(b"event: e\rdata: 1\r\r", ("e", b"1"), id="cr"),
        pytest.param(b"data: 1\nevent: e\nid: 7\n\n", ("e", b"1"), id="any-order"),
        pytest.param(b"data: 1\ndata: 2\n\n", ("", b"1\n2"), id="several-lines"),
        pytest.param(b": data: 1\n\n", ("", b""), id="comment"),
        pytest.param(b"event: data: 1\n\n", ("data: 1", b""), id="data-in-the-name"),
        pytest.param(b"data\n\n", ("", b""), id="no-colon"),
        pytest.param(b"retry: 5\n\n", ("", b""), id="other-field"),
    ],
)
def test_fields_of_a_frame(frame: bytes, read: tuple[str, bytes]) -> None:
    assert (fields(frame), payload(frame)) == (read, read[1])


def test_a_frame_that_was_written_reads_back() -> None:
    assert fields(write(b'{"a":1}', "e")) == ("e", b'{"a":1}')
