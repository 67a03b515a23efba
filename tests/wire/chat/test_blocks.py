"""Parallel calls stay apart, and blocks leave one after the other."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coderouter_core.model import Dialect, StreamEvent
from coderouter_core.wire import codec
from coderouter_core.wire.chat.blocks import Blocks

FRAME = b"data: x\n\n"
Entry = dict[str, Any]


def entry(piece: Any = "", *, index: int | None = None, identity: str = "", name: str = "") -> Entry:
    function = {"arguments": piece} | ({"name": name} if name else {})
    place = {} if index is None else {"index": index}
    return {**place, "function": function} | ({"id": identity} if identity else {})


def blocks() -> Blocks:
    numbers = itertools.count(1)
    return Blocks(lambda: f"made_{next(numbers)}")


def calls(*entries: Entry) -> list[tuple[str, str, str]]:
    """Id, name and arguments of each call that the entries make."""
    these = blocks()
    events = [event for each in entries for event in these.call(each, FRAME)]
    found: list[list[str]] = []
    for event in [*events, *these.end(FRAME)]:
        if event.kind == "block_start":
            found.append([event.id, event.name, ""])
        elif event.kind == "delta":
            found[-1][2] += event.text
    return [(identity, name, text) for identity, name, text in found]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param(
            [entry('{"a"', index=0, identity="i", name="f"), entry(":1}", index=0)],
            [("i", "f", '{"a":1}')],
            id="pieces",
        ),
        pytest.param(
            [entry('{"a"', identity="i", name="f"), entry(":1}")], [("i", "f", '{"a":1}')], id="no-index"
        ),
        pytest.param(
            [entry('{"a"', identity="i", name="f"), entry(":1}", index=0)],
            [("i", "f", '{"a":1}')],
            id="index-comes-late",
        ),
        pytest.param(
            [entry("{}", index=0, identity="i", name="f"), entry("{}", index=0, identity="j", name="f")],
            [("i", "f", "{}"), ("j", "f", "{}")],
            id="same-index-new-id",
        ),
        pytest.param(
            [entry("{}", index=0, name="f"), entry("{}", index=0, name="g")],
            [("made_1", "f", "{}"), ("made_2", "g", "{}")],
            id="same-index-new-name",
        ),
        pytest.param(
            [entry("{}", index=0, name="f"), entry("{}", index=0, name="f")],
            [("made_1", "f", "{}"), ("made_2", "f", "{}")],
            id="same-index-same-name-whole-again",
        ),
        pytest.param(
            [
                entry('{"a":1}', index=0, identity="i", name="f"),
                entry('{"a":1}', index=0, identity="i", name="f"),
            ],
            [("i", "f", '{"a":1}')],
            id="the-whole-call-once-more",
        ),
        pytest.param(
            [entry(piece, index=0, identity="i", name="f") for piece in ('{"', '{"', '":1}')],
            [("i", "f", '{"{"":1}')],
            id="two-pieces-alike",
        ),
        pytest.param(
            [entry('{"a"', index=0, identity="i", name="f"), entry(":1}", index=0, identity="j")],
            [("i", "f", '{"a":1}')],
            id="a-new-id-for-every-piece",
        ),
        pytest.param(
            [entry("{}", index=0, identity="i", name="f"), entry("{}", index=1, identity="i", name="g")],
            [("i", "f", "{}"), ("made_1", "g", "{}")],
            id="id-used-twice",
        ),
        pytest.param(
            [entry({"a": 1}, index=0, identity="i", name="f")], [("i", "f", '{"a":1}')], id="object"
        ),
        pytest.param([entry(None, index=0, identity="i", name="f")], [("i", "f", "")], id="null"),
        pytest.param(
            [entry("{}", index=0, identity="i", name="f"), entry("\n", index=0), entry("", identity="i")],
            [("i", "f", "{}\n")],
            id="nothing-more-to-say",
        ),
        pytest.param(
            [
                entry('{"a"', identity="i", name="f"),
                entry("{", identity="j", name="g"),
                entry(":1}", identity="i"),
                entry("}", identity="j"),
            ],
            [("i", "f", '{"a":1}'), ("j", "g", "{}")],
            id="told-apart-by-id-alone",
        ),
        pytest.param([entry("{}", index=0, identity="i")], [], id="never-named"),
        pytest.param(
            [entry('{"a"', index=0, identity="i"), entry(":1}", index=0, name="f")],
            [("i", "f", '{"a":1}')],
            id="named-late",
        ),
        pytest.param(
            [
                entry("{}", index=0, identity="i"),
                entry("{}", index=1, identity="j"),
                entry("", index=0, name="f"),
                entry("", index=1, name="g"),
            ],
            [("i", "f", "{}"), ("j", "g", "{}")],
            id="all-named-at-the-end",
        ),
        pytest.param(
            [
                entry('{"a":1}', index=0, identity="i", name="f"),
                entry("", index=0),
                entry('{"a":1}', index=0, identity="i", name="f"),
            ],
            [("i", "f", '{"a":1}')],
            id="once-more-after-an-empty-piece",
        ),
        pytest.param(
            [
                entry("{", index=0),
                entry("{", index=1),
                entry("}", index=0, name="f"),
                entry("}", index=1, name="g"),
            ],
            [("made_1", "f", "{}"), ("made_2", "g", "{}")],
            id="numbers-alone",
        ),
        pytest.param(
            [{"index": 0, "id": "i", "name": "f", "arguments": "{}"}], [("i", "f", "{}")], id="flat"
        ),
    ],
)
def test_calls_are_told_apart(entries: list[Entry], expected: list[tuple[str, str, str]]) -> None:
    assert calls(*entries) == expected


def test_a_call_that_looked_whole_too_early_is_whole_in_the_end() -> None:
    these = blocks()
    events = these.call(entry('{"a":{}', name="f"), FRAME)
    events += these.text("text", "so", FRAME)
    for piece in ("}", "{}"):
        events += these.call(entry(piece), FRAME)
    events += these.end(FRAME)

    assert [event.text for event in events if event.block == "tool_call" and event.text] == [
        '{"a":{}',
        "}",
        "{}",
    ]
    assert [event.name for event in events if event.kind == "block_start"] == ["f", "", "f"]


def test_what_comes_after_the_end_of_a_call_does_not_pass() -> None:
    these = blocks()
    these.call(entry("{}", index=0, identity="i", name="f"), FRAME)
    these.call(entry("{", index=1, identity="j", name="g"), FRAME)

    assert (these.call(entry("", index=0), FRAME), these.holding) == ([], True)


@pytest.mark.parametrize(
    ("pieces", "cut"),
    [
        (['{"a"', ":1"], True),
        (['{"a"', ":1}"], False),
        (['{"}'], True),
        (['{"\\', '"}'], True),
        ([""], False),
    ],
    ids=["half", "whole", "in-a-string", "in-an-escape", "nothing"],
)
def test_half_a_call_is_known(pieces: list[str], cut: bool) -> None:
    these = blocks()
    for piece in pieces:
        these.call(entry(piece, index=0, identity="i", name="f"), FRAME)

    assert these.cut() is cut


def test_a_call_is_passed_on_while_it_comes() -> None:
    these = blocks()
    these.call(entry('{"a', index=0, identity="i", name="f"), FRAME)

    [event] = these.call(entry('":1', index=0), FRAME)
    assert (event.kind, event.text, event.frame) == ("delta", '":1', FRAME)


def test_a_later_call_is_passed_on_as_soon_as_the_earlier_is_whole() -> None:
    these = blocks()
    these.call(entry("{}", index=0, identity="i", name="f"), FRAME)

    events = these.call(entry("{", index=1, identity="j", name="g"), FRAME)
    assert [event.kind for event in events] == ["block_stop", "block_start", "delta"]


def test_a_later_call_waits_while_the_earlier_is_not_whole() -> None:
    these = blocks()
    these.call(entry("{", index=0, identity="i", name="f"), FRAME)

    assert (these.call(entry("{}", index=1, identity="j", name="g"), FRAME), these.holding) == ([], True)


def test_what_a_later_call_held_leaves_as_soon_as_the_earlier_ends() -> None:
    these = blocks()
    these.call(entry("{", index=0, identity="i", name="f"), FRAME)
    these.call(entry('{"held"', index=1, identity="j", name="g"), FRAME)
    these.call(entry("}", index=0), FRAME)

    events = these.call(entry("{", index=2, identity="k", name="h"), FRAME)
    assert [event.text for event in events] == ["", "", '{"held"']


def test_a_call_that_has_no_name_yet_waits_for_it() -> None:
    these = blocks()
    these.call(entry("{", index=0, identity="i", name="f"), FRAME)
    these.call(entry('{"held"', index=1, identity="j"), FRAME)
    these.call(entry("}", index=0), FRAME)
    these.call(entry("{", index=2, identity="k", name="h"), FRAME)

    events = these.call(entry("", index=1, name="g"), FRAME)
    assert [(event.name, event.text) for event in events] == [("g", ""), ("", '{"held"')]


def test_what_was_held_carries_no_frame() -> None:
    these = blocks()
    these.call(entry("{", index=0, identity="i", name="f"), FRAME)
    these.call(entry("{}", index=1, identity="j", name="g"), FRAME)

    held = [event for event in these.end(FRAME) if event.index == 1 and event.kind != "block_stop"]
    assert [event.frame for event in held] == [None, None]


def test_text_between_two_pieces_of_a_call_comes_after_it() -> None:
    these = blocks()
    events = these.call(entry('{"a"', index=0, identity="i", name="f"), FRAME)
    events += these.text("text", "so", FRAME)
    events += these.call(entry(":1}", index=0), FRAME)
    events += these.end(FRAME)

    assert [event.text for event in events if event.kind == "delta"] == ['{"a"', ":1}", "so"]


def test_thinking_after_text_is_a_block_of_its_own() -> None:
    these = blocks()
    events = [*these.text("text", "a", FRAME), *these.text("thinking", "b", FRAME), *these.end(FRAME)]

    starts = [(event.index, event.block) for event in events if event.kind == "block_start"]
    assert starts == [(0, "text"), (1, "thinking")]


VALUES = st.dictionaries(
    st.text(max_size=3), st.text(alphabet='{}":,\\ é🎉', max_size=6) | st.integers(0, 9), max_size=3
)
ARGUMENTS = st.lists(VALUES, min_size=1, max_size=4)


@st.composite
def interleavings(draw: st.DrawFn) -> tuple[list[str], list[tuple[int, str]]]:
    """Arguments of some calls, and their pieces in an order in which each call's pieces keep theirs."""
    texts = [orjson.dumps(value).decode() for value in draw(ARGUMENTS)]
    rest = [
        [text[at : at + size] for at in range(0, len(text), size)]
        for text in texts
        if (size := draw(st.integers(1, 8)))
    ]
    pieces: list[tuple[int, str]] = []
    begun = 0
    while any(rest):
        # Calls begin in order; which one goes on is up to chance.
        at = draw(st.sampled_from([at for at, left in enumerate(rest) if left and at <= begun]))
        begun = max(begun, at + 1)
        pieces.append((at, rest[at].pop(0)))
    return texts, pieces


def interleaved(pieces: list[tuple[int, str]], *, repeat: bool) -> list[StreamEvent]:
    these = blocks()
    events: list[StreamEvent] = []
    seen: set[int] = set()
    for at, piece in pieces:
        known = {} if at in seen and not repeat else {"identity": f"id{at}", "name": f"tool{at}"}
        seen.add(at)
        events += these.call(entry(piece, index=at, **known), FRAME)
    return [*events, *these.end(FRAME)]


@given(interleavings(), st.booleans())
def test_arguments_of_interleaved_calls_stay_apart_and_in_order(
    case: tuple[list[str], list[tuple[int, str]]], repeat: bool
) -> None:
    texts, pieces = case
    found = ["" for _ in texts]
    for event in interleaved(pieces, repeat=repeat):
        if event.kind == "delta":
            found[event.index] += event.text

    assert found == texts


@given(interleavings())
def test_blocks_of_interleaved_calls_do_not_overlap(case: tuple[list[str], list[tuple[int, str]]]) -> None:
    events = interleaved(case[1], repeat=False)

    kinds = "".join({"block_start": "(", "delta": "", "block_stop": ")"}[event.kind] for event in events)
    assert kinds == "()" * len(case[0])


@given(interleavings())
def test_interleaved_calls_translate_to_whole_ones(case: tuple[list[str], list[tuple[int, str]]]) -> None:
    answer = codec(Dialect.MESSAGES).fold(interleaved(case[1], repeat=False))

    found = [(block["id"], block["input"]) for block in answer["content"]]
    assert found == [(f"id{at}", orjson.loads(text)) for at, text in enumerate(case[0])]


def test_a_call_of_a_quarter_megabyte_in_single_braces_costs_no_square() -> None:
    """Looking at the whole call again for every piece would take minutes."""
    these = blocks()
    these.call(entry('{"a":"', index=0, identity="i", name="f"), FRAME)
    for _ in range(60_000):
        these.call(entry("}", index=0), FRAME)
        these.call(entry("{", index=0), FRAME)

    assert these.cut()
