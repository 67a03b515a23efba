"""Chat streams of servers that take liberties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from coderouter_core.model import Dialect, StreamEvent
from coderouter_core.wire import codec
from coderouter_core.wire.sse import write

DONE = b"data: [DONE]\n\n"
Chunk = dict[str, Any]


def delta(finish: str | None = None, /, **fields: Any) -> Chunk:
    return {"id": "c1", "model": "m", "choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def call(arguments: str, **more: Any) -> Chunk:
    return delta(tool_calls=[{"index": 0, "function": {"arguments": arguments, **more}}])


def run(arguments: str, index: int) -> Chunk:
    """A piece of one of several calls of the same tool."""
    entry = {"index": index, "id": f"c{index}", "function": {"name": "run", "arguments": arguments}}
    return delta(tool_calls=[entry])


def read(*chunks: Chunk, done: bool = True) -> list[StreamEvent]:
    reader = codec(Dialect.CHAT).reader()
    frames = [write(orjson.dumps(chunk)) for chunk in chunks] + ([DONE] if done else [])
    events = [event for frame in frames for event in reader.read(frame)]
    return [*events, *reader.close()]


def told(events: Sequence[StreamEvent]) -> list[str]:
    """Kinds that matter, with their text."""
    return [
        f"{event.kind}:{event.text or event.name or event.reason}"
        for event in events
        if event.kind not in ("other", "start")
    ]


def answer(*chunks: Chunk) -> dict[str, Any]:
    return codec(Dialect.MESSAGES).fold(read(*chunks))


def test_the_model_is_what_the_upstream_says() -> None:
    [start, *_] = read(delta(content="a"))

    assert (start.id, start.model) == ("c1", "m")


def test_a_stream_without_an_end_gives_no_stop() -> None:
    assert told(read(delta(content="a"), done=False)) == ["block_start:", "delta:a"]


def test_done_without_a_finish_reason_is_a_stop() -> None:
    assert told(read(delta(content="a")))[-1] == "stop:end_turn"


def test_a_finish_reason_without_done_is_a_stop() -> None:
    assert told(read(delta("stop", content="a"), done=False))[-1] == "stop:end_turn"


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        ("tool_calls", "end_turn"),
        ("eos", "end_turn"),
    ],
)
def test_finish_reasons_of_a_text(finish: str, reason: str) -> None:
    assert told(read(delta(content="a"), delta(finish)))[-1] == f"stop:{reason}"


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", "tool_use"),
        ("tool_calls", "tool_use"),
        ("function_call", "tool_use"),
        ("length", "max_tokens"),
    ],
)
def test_finish_reasons_after_a_call(finish: str, reason: str) -> None:
    assert told(read(call("{}", name="f"), delta(finish)))[-1] == f"stop:{reason}"


@pytest.mark.parametrize("field", ["stop_reason", "matched_stop"])
def test_the_stop_string_that_was_met_is_told(field: str) -> None:
    last = delta("stop")
    last["choices"][0][field] = "END"

    stop = read(delta(content="a"), last)[-1]
    assert (stop.reason, stop.stop_sequence) == ("stop_sequence", "END")


def test_arguments_may_come_after_the_finish_reason() -> None:
    made = answer(call("", name="f"), delta("tool_calls"), call('{"a":1}'))

    assert made["content"][0]["input"] == {"a": 1}


def test_text_may_come_after_the_finish_reason() -> None:
    made = answer(delta("stop", content="a"), delta(content="b"))

    assert made["content"] == [{"type": "text", "text": "ab"}]


def test_a_call_may_come_after_the_finish_reason() -> None:
    made = answer(delta(content="hi"), delta("stop"), call('{"a":1}', id="x", name="f"))

    kinds = [block["type"] for block in made["content"]]
    assert (kinds, made["stop_reason"]) == (["text", "tool_use"], "tool_use")


@pytest.mark.parametrize("identity", ["x", "fresh", None])
def test_a_call_that_comes_once_more_after_the_finish_reason_is_one(identity: str | None) -> None:
    told_again = call('{"a":1}', name="f", **({"id": identity} if identity else {}))
    made = answer(call('{"a":1}', id="x", name="f"), delta("tool_calls"), told_again)

    assert len(made["content"]) == 1


def test_equal_calls_whose_arguments_come_after_the_finish_reason_are_as_many() -> None:
    made = answer(run("", 0), run("", 1), delta("tool_calls"), run('{"a":1}', 0), run('{"a":1}', 1))

    assert [block["input"] for block in made["content"]] == [{"a": 1}, {"a": 1}]


def test_equal_calls_that_come_after_the_finish_reason_are_as_many() -> None:
    made = answer(delta("tool_calls", content="hi"), run('{"a":1}', 0), run('{"a":1}', 1))

    assert [block["type"] for block in made["content"]] == ["text", "tool_use", "tool_use"]


def test_a_whole_message_after_the_finish_reason_is_not_read() -> None:
    again = {"id": "c1", "choices": [{"index": 0, "message": {"content": "a"}}]}

    assert answer(delta(content="a"), delta("stop"), again)["content"] == [{"type": "text", "text": "a"}]


def test_arguments_cut_off_by_the_length_become_an_object() -> None:
    made = answer(call('{"path": "a", "text": "half', name="write"), delta("length"))

    assert (made["content"][0]["input"], made["stop_reason"]) == ({"path": "a", "text": "half"}, "max_tokens")


def test_broken_arguments_are_streamed_as_they_are() -> None:
    pieces = [event.text for event in read(call('{"a": "', name="f"), call("b")) if event.kind == "delta"]

    assert pieces == ['{"a": "', "b"]


def test_a_legacy_function_call_is_a_call() -> None:
    made = answer(
        delta(function_call={"name": "f", "arguments": ""}),
        delta(function_call={"arguments": '{"a":1}'}),
        delta("function_call"),
    )

    assert [(block["name"], block["input"]) for block in made["content"]] == [("f", {"a": 1})]


def test_only_the_first_choice_is_read() -> None:
    second = {"id": "c1", "choices": [{"index": 1, "delta": {"content": "b"}}]}

    assert answer(delta(content="a"), second)["content"] == [{"type": "text", "text": "a"}]


@pytest.mark.parametrize(
    ("content", "blocks"),
    [
        pytest.param([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], ["text:ab"], id="text"),
        pytest.param(
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                {"type": "text", "text": "a"},
            ],
            ["thinking:hm", "text:a"],
            id="mistral-thinking",
        ),
        pytest.param([{"type": "thinking", "thinking": "hm"}], ["thinking:hm"], id="plain-thinking"),
        pytest.param([{"type": "image_url"}, "x", None], [], id="nothing-to-read"),
    ],
)
def test_content_as_a_list_of_parts(content: list[Any], blocks: list[str]) -> None:
    made = answer(delta(content=content))["content"]

    assert [f"{block['type']}:{block[block['type']]}" for block in made] == blocks


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "thinking"])
def test_reasoning_is_thinking(field: str) -> None:
    assert answer(delta(**{field: "hm"}), delta(content="a"))["content"][0]["thinking"] == "hm"


def test_reasoning_under_both_names_is_read_once() -> None:
    assert answer(delta(reasoning="hm", reasoning_content="hm"))["content"][0]["thinking"] == "hm"


def test_usage_inside_of_a_choice_is_read() -> None:
    last = delta("stop")
    last["choices"][0]["usage"] = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}

    assert answer(delta(content="a"), last)["usage"]["output_tokens"] == 2


def test_a_refusal_is_text() -> None:
    assert answer(delta(refusal="no"))["content"] == [{"type": "text", "text": "no"}]


def test_a_chunk_without_choices_does_not_start_the_answer() -> None:
    azure = {"id": "", "model": "", "choices": [], "prompt_filter_results": []}

    starts = [event for event in read(azure, delta(content="a")) if event.kind == "start"]
    assert [start.id for start in starts] == ["c1"]


def test_a_whole_message_in_a_chunk_is_read() -> None:
    chunk = {"id": "c1", "choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}]}

    assert answer(chunk)["content"] == [{"type": "text", "text": "a"}]


@pytest.mark.parametrize(
    "chunk",
    [
        delta(content=5),
        delta(tool_calls={"index": 0}),
        delta(tool_calls=["x", None]),
        {"choices": [None, "x"]},
        {"choices": None, "usage": "many"},
        {"choices": [{"delta": "text"}]},
        {"id": 5, "model": None, "choices": [{"delta": None, "finish_reason": 7}]},
        {},
    ],
    ids=str,
)
def test_nonsense_inside_a_chunk_says_nothing(chunk: Chunk) -> None:
    assert [event.kind for event in read(chunk, done=False)] in (["other"], ["start"])


def test_every_event_of_a_frame_carries_it() -> None:
    frame = write(orjson.dumps(delta(role="assistant", content="a")))

    assert {event.frame for event in codec(Dialect.CHAT).reader().read(frame)} == {frame}


@pytest.mark.parametrize("frame", [b": x\n\n", b"\n: x\n\n", b":\r\n\r\n"])
def test_a_comment_is_a_ping(frame: bytes) -> None:
    assert [event.kind for event in codec(Dialect.CHAT).reader().read(frame)] == ["ping"]


def test_empty_data_says_nothing() -> None:
    assert [event.kind for event in codec(Dialect.CHAT).reader().read(b"data:\n\n")] == ["other"]
