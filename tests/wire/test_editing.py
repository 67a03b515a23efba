"""Blocks that a filter puts into an answer, or takes out of it."""

from __future__ import annotations

from coderouter_core.model import Block, StreamEvent
from coderouter_core.wire import BlockEditor


def start(index: int, block: Block = "text") -> StreamEvent:
    return StreamEvent("block_start", index, block)


def stop(index: int, block: Block = "text") -> StreamEvent:
    return StreamEvent("block_stop", index, block)


def seen(events: list[StreamEvent]) -> list[tuple[str, int, Block]]:
    return [(event.kind, event.index, event.block) for event in events]


def test_events_that_fit_pass_as_the_same_objects() -> None:
    editor = BlockEditor()
    events = [
        start(0),
        StreamEvent("delta", 0, text="a"),
        stop(0),
        start(1, "tool_call"),
        stop(1, "tool_call"),
    ]
    passed = [
        out
        for event in events
        for out in [*(editor.comes(event) if event.kind == "block_start" else ()), *editor.copy(event)]
    ]

    assert all(one is other for one, other in zip(passed, events, strict=True))


def test_a_block_put_in_moves_those_behind_it() -> None:
    editor = BlockEditor()
    editor.say("thinking", "hm")
    events = [*editor.comes(start(0)), *editor.copy(start(0)), *editor.copy(stop(0))]

    assert seen(events) == [
        ("block_stop", 0, "thinking"),
        ("block_start", 1, "text"),
        ("block_stop", 1, "text"),
    ]


def test_a_block_left_out_moves_those_behind_it() -> None:
    editor = BlockEditor()
    editor.comes(start(0))
    editor.comes(start(1, "tool_call"))

    assert seen(editor.copy(start(1, "tool_call"))) == [("block_start", 0, "tool_call")]


def test_the_end_of_a_block_that_never_began_is_left_out() -> None:
    editor = BlockEditor()
    editor.comes(start(0))

    assert editor.copy(stop(0)) == []


def test_a_block_that_events_cannot_hold_keeps_its_number() -> None:
    editor = BlockEditor()
    editor.comes(start(1))
    (event,) = editor.copy(start(1))

    assert event.index == 1


def test_thinking_ends_before_text_begins() -> None:
    editor = BlockEditor()
    events = [*editor.say("thinking", "hm"), *editor.say("text", "a"), *editor.end()]

    assert seen(events) == [
        ("block_start", 0, "thinking"),
        ("delta", 0, "thinking"),
        ("block_stop", 0, "thinking"),
        ("block_start", 1, "text"),
        ("delta", 1, "text"),
        ("block_stop", 1, "text"),
    ]


def test_a_call_is_a_block_of_its_own() -> None:
    editor = BlockEditor(mint=lambda: "call_1")
    events = [*editor.say("text", "a"), *editor.call("look", "{}"), *editor.say("text", "b")]

    assert seen(events)[2:6] == [
        ("block_stop", 0, "text"),
        ("block_start", 1, "tool_call"),
        ("delta", 1, "tool_call"),
        ("block_stop", 1, "tool_call"),
    ]
    assert (events[3].id, events[3].name, events[4].text) == ("call_1", "look", "{}")
