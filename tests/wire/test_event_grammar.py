"""The grammar of events finds what a reader or a filter may not do, and nothing else."""

from __future__ import annotations

import pytest
from attrs import evolve

from coderouter_core.model import Fault, StreamEvent, Usage
from coderouter_core.wire.grammar import EventGrammar

START = StreamEvent("start", id="a")
OPEN = StreamEvent("block_start")
DELTA = StreamEvent("delta", text="a")
CLOSE = StreamEvent("block_stop")
CALL = StreamEvent("block_start", 1, "tool_call", id="i", name="f")
CALLED = StreamEvent("block_stop", 1, "tool_call")
USAGE = StreamEvent("usage", usage=Usage(output=5, reported=True))
LESS = StreamEvent("usage", usage=Usage(output=4, reported=True))
STOP = StreamEvent("stop", reason="end_turn")
ERROR = StreamEvent("error", fault=Fault(500, "api_error", "x"))
PING, OTHER = StreamEvent("ping"), StreamEvent("other")
TEXT = [OPEN, DELTA, CLOSE]
CALLS = [CALL, CALLED]


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([START, *TEXT, *CALLS, USAGE, STOP], id="answer"),
        pytest.param([PING, START, OPEN, PING, CLOSE, OTHER, STOP, OTHER], id="pings"),
        pytest.param([START, USAGE, *TEXT, USAGE, STOP, USAGE], id="usage-anywhere"),
        pytest.param([START, OPEN, DELTA, ERROR], id="broken-in-a-block"),
        pytest.param([ERROR], id="only-an-error"),
        pytest.param(
            [START, evolve(OPEN, index=2), evolve(CLOSE, index=2), STOP], id="foreign-blocks-before"
        ),
    ],
)
def test_correct_answers(events: list[StreamEvent]) -> None:
    assert EventGrammar().see(events) == []


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        pytest.param([START, START], "start comes twice", id="two-starts"),
        pytest.param([*TEXT], "block_start comes before the start", id="no-start"),
        pytest.param([START, DELTA], "delta without a block", id="no-block"),
        pytest.param([START, CLOSE], "block_stop without a block", id="nothing-to-end"),
        pytest.param([START, OPEN, CALL], "block 1 starts inside block 0", id="nested"),
        pytest.param([START, *TEXT, *TEXT], "block 0 comes after block 0", id="same-number"),
        pytest.param(
            [START, OPEN, evolve(DELTA, block="thinking")],
            "delta of thinking 0 in block 0, which is text",
            id="wrong-kind",
        ),
        pytest.param(
            [START, OPEN, evolve(CLOSE, index=1)],
            "block_stop of text 1 in block 0, which is text",
            id="wrong-number",
        ),
        pytest.param(
            [START, OPEN, evolve(DELTA, text="\ud83d")], "a delta holds half a character", id="half"
        ),
        pytest.param([START, evolve(CALL, name="")], "call 1 lacks its id or name", id="nameless"),
        pytest.param([START, *CALLS, evolve(CALL, index=2)], "two calls have the id 'i'", id="same-id"),
        pytest.param([START, USAGE, LESS], "the usage falls", id="usage-falls"),
        pytest.param([START, OPEN, STOP], "the stop comes inside block 0", id="open-at-the-end"),
        pytest.param([START, STOP, STOP], "stop follows the stop", id="two-stops"),
        pytest.param([START, STOP, ERROR], "error follows the stop", id="error-after-the-end"),
        pytest.param([START, ERROR, *TEXT], "block_start follows the error", id="after-an-error"),
        pytest.param([evolve(ERROR, fault=None)], "an error has no fault", id="no-fault"),
    ],
)
def test_wrong_answers(events: list[StreamEvent], problem: str) -> None:
    assert problem in EventGrammar().see(events)


@pytest.mark.parametrize(
    ("events", "problems"),
    [
        pytest.param([START, STOP], [], id="well"),
        pytest.param([START], ["the answer ended well without a stop"], id="no-stop"),
        pytest.param([START, ERROR], ["the answer ended well and with an error"], id="error"),
    ],
)
def test_the_end_of_an_answer(events: list[StreamEvent], problems: list[str]) -> None:
    grammar = EventGrammar()
    grammar.see(events)

    assert grammar.end() == problems
