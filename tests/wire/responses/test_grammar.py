"""The judge of Responses streams finds what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from coderouter_core.model import Dialect
from coderouter_core.wire.grammar import problems
from coderouter_core.wire.sse import write

Events = list[dict[str, Any]]

PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
ITEM = {"id": "msg_1", "type": "message", "content": [{"type": "output_text", "text": "hi"}]}
USAGE: dict[str, Any] = {
    "input_tokens": 1,
    "output_tokens": 1,
    "total_tokens": 2,
    "input_tokens_details": {},
    "output_tokens_details": {},
}


def answer() -> Events:
    return [
        {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": {"id": "msg_1", "type": "message"}},
        {"type": "response.content_part.added", **PLACE},
        {"type": "response.output_text.delta", "delta": "hi", **PLACE},
        {"type": "response.output_text.done", "text": "hi", **PLACE},
        {"type": "response.content_part.done", **PLACE},
        {"type": "response.output_item.done", "output_index": 0, "item": ITEM},
        {
            "type": "response.completed",
            "response": {"id": "resp_1", "status": "completed", "output": [ITEM], "usage": USAGE},
        },
    ]


def judged(events: Events) -> list[str]:
    numbered = [{"sequence_number": at, **event} for at, event in enumerate(events)]
    return problems(
        Dialect.RESPONSES, b"".join(write(orjson.dumps(event), event["type"]) for event in numbered)
    )


def test_a_correct_stream() -> None:
    assert judged(answer()) == []


def changed(at: int, **fields: Any) -> Callable[[Events], Any]:
    return lambda events: events[at].update(fields)


def without(*places: int) -> Callable[[Events], Any]:
    return lambda events: [events.pop(at) for at in sorted(places, reverse=True)]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param(changed(3, sequence_number=9), "sequence_number 9, not 3", id="number"),
        pytest.param(without(0), "the first event is not response.created", id="not-created"),
        pytest.param(without(7), "does not end with", id="no-end"),
        pytest.param(
            lambda events: events.insert(0, events.pop()), "something follows the end", id="not-last"
        ),
        pytest.param(without(1), "not open", id="delta-without-item"),
        pytest.param(without(2), "without its part", id="delta-without-part"),
        pytest.param(without(5), "ends inside a part", id="open-part"),
        pytest.param(changed(4, text="ho"), "not what the deltas said", id="other-text"),
        pytest.param(changed(3, item_id="msg_2"), "the id of another item", id="other-item"),
        pytest.param(changed(6, item={**ITEM, "id": "x"}), "ends as another", id="ends-as-another"),
        pytest.param(changed(6, item={**ITEM, "content": []}), "does not hold", id="item-without-text"),
        pytest.param(without(6), "item 0 is not done", id="not-done"),
        pytest.param(changed(1, item={"type": "message"}), "has no id", id="no-id"),
        pytest.param(changed(1, item={"id": "msg_1", "type": "reasoning"}), "in an item of type", id="kind"),
        pytest.param(
            lambda events: events[7]["response"].update(id="resp_2"), "differ in the response's id", id="ids"
        ),
        pytest.param(
            lambda events: events[7]["response"].update(status="failed"), "is failed", id="other-status"
        ),
        pytest.param(
            lambda events: events[7]["response"].update(output=[]), "not what the stream said", id="output"
        ),
        pytest.param(
            lambda events: events[7]["response"].update(usage={"input_tokens": 1}), "not complete", id="usage"
        ),
    ],
)
def test_what_is_wrong_is_told(change: Callable[[Events], Any], problem: str) -> None:
    events = answer()
    change(events)

    assert problem in " | ".join(judged(events))
