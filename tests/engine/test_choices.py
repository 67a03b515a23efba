"""Several choices of one answer: relayed where nothing looks at them, else each filtered on its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from attrs import evolve

from coderouter_core.hookspecs import hookimpl
from coderouter_core.model import StreamEvent
from coderouter_core.testing import Asked, Raw, Script, make_router

HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "m"}
DONE = b"data: [DONE]\n\n"
EVENT_STREAM = {"content-type": "text/event-stream"}


def chunk(*choices: dict[str, Any], **more: Any) -> bytes:
    return b"data: " + orjson.dumps({**HEAD, "choices": choices, "x_unknown": 1, **more}) + b"\n\n"


def said(index: int, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"index": index, "delta": delta, "finish_reason": finish}


BEGIN = chunk(said(0, role="assistant", content="")) + chunk(said(1, role="assistant", content=""))
WORDS = chunk(said(0, content="one")) + chunk(said(1, content="two")) + chunk(said(0, content=" more"))
USAGE = chunk(usage={"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7})
END = chunk(said(0, "stop")) + chunk(said(1, "length")) + USAGE + DONE
STREAM = BEGIN + WORDS + END
USAGE_ASKED = {"stream_options": {"include_usage": True}}


class Held:
    """Holds all text back until the end, and then says it in capitals; leaves alone what is `spared`."""

    def __init__(self, spared: bool) -> None:
        self.stage = 0
        self._spared = spared
        self._text = ""

    def feed(self, event: StreamEvent) -> Iterable[StreamEvent]:
        if self._spared or event.kind != "delta":
            return [event]
        self._text += event.text
        return []

    def flush(self) -> Iterable[StreamEvent]:
        return [StreamEvent("delta", text=self._text.upper())] if self._text else []


class Holding:
    """A plugin whose filter holds all text back, or none."""

    def __init__(self, *, spared: bool = False) -> None:
        self._spared = spared

    @hookimpl
    def stream_filter(self) -> Held:
        return Held(self._spared)


def ask(body: bytes, *plugins: Any, stream: bool = True, kind: str = "", **asked: Any) -> Asked:
    headers = {"content-type": kind} if kind else EVENT_STREAM
    router = make_router(Script(only=Raw(200, headers, body)), *plugins)
    return router.ask(dialect="chat", n=2, stream=stream, **asked)


def texts(asked: Asked) -> dict[int, str]:
    found: dict[int, str] = {}
    for event in asked.body if isinstance(asked.body, list) else [asked.body]:
        for choice in event.get("choices", ()):
            words = choice.get("message", choice.get("delta")).get("content") or ""
            found[choice["index"]] = found.get(choice["index"], "") + words
    return found


@pytest.mark.parametrize(
    "plugins", [(), (Holding(spared=True),)], ids=["relayed", "filter-that-changes-nothing"]
)
def test_choices_that_nothing_changes_pass_byte_for_byte(plugins: tuple[Any, ...]) -> None:
    assert ask(STREAM, *plugins, **USAGE_ASKED).raw == STREAM


def test_each_choice_has_a_filter_of_its_own() -> None:
    assert texts(ask(STREAM, Holding())) == {0: "ONE MORE", 1: "TWO"}


def test_each_choice_ends_for_its_own_reason() -> None:
    ends = [
        (choice["index"], choice["finish_reason"])
        for event in ask(STREAM, Holding()).body
        for choice in event["choices"]
        if choice["finish_reason"]
    ]
    assert ends == [(0, "stop"), (1, "length")]


@pytest.mark.parametrize(
    ("asked", "told"), [({}, False), (USAGE_ASKED, True)], ids=["not-asked-for", "asked-for"]
)
def test_usage_is_told_once_for_all_choices(asked: dict[str, Any], told: bool) -> None:
    answer = ask(STREAM, Holding(), **asked)

    assert (
        [bool(event.get("usage")) for event in answer.body].count(True),
        answer.attempts[0].usage.output,
    ) == (
        told,
        4,
    )


def test_choices_that_come_in_one_chunk_are_kept_apart() -> None:
    body = (
        chunk(said(0, role="assistant", content="one"), said(1, role="assistant", content="two"))
        + chunk(said(0, "stop"), said(1, "stop"))
        + DONE
    )

    assert texts(ask(body, Holding())) == {0: "ONE", 1: "TWO"}


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(b"", id="cut"),
        pytest.param(chunk(said(0, "stop")), id="cut-in-the-second-choice"),
        pytest.param(b'data: {"error":{"message":"busy"}}\n\n', id="error"),
        pytest.param(b"data: {not json\n\n", id="garbage"),
        pytest.param(chunk(said(1, "error")), id="one-choice-failed"),
    ],
)
def test_an_answer_of_which_one_choice_breaks_ends_with_an_error(end: bytes) -> None:
    call = {"index": 0, "id": "i", "type": "function", "function": {"name": "f", "arguments": "{"}}
    asked = ask(BEGIN + chunk(said(1, tool_calls=[call])) + WORDS + end, Holding())

    assert (asked.error is not None, asked.raw.endswith(DONE)) == (True, True)


def test_more_choices_than_anybody_asks_for_are_garbage() -> None:
    many = b"".join(chunk(said(index, role="assistant", content="a")) for index in range(200))

    assert ask(many + END, Holding()).status == 502


WHOLE = orjson.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 7,
        "model": "m",
        "choices": [
            {"index": at, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            for at, text in enumerate(["one", "two"])
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }
)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "as-a-stream"])
def test_choices_of_a_whole_answer_are_filtered_on_their_own(stream: bool) -> None:
    asked = ask(WHOLE, Holding(), stream=stream, kind="application/json")

    assert texts(asked) == {0: "ONE", 1: "TWO"}


def test_a_whole_answer_that_filters_leave_alone_passes_as_it_came() -> None:
    asked = ask(WHOLE, Holding(spared=True), stream=False, kind="application/json")

    assert (asked.raw, asked.attempts[0].usage.output) == (WHOLE, 4)


def test_a_whole_answer_becomes_a_stream_of_all_its_choices() -> None:
    assert texts(ask(WHOLE, kind="application/json")) == {0: "one", 1: "two"}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "as-a-stream"])
def test_choices_that_all_say_nothing_are_no_answer(stream: bool) -> None:
    empty = WHOLE.replace(b'"one"', b'""').replace(b'"two"', b"null")

    assert ask(empty, Holding(), stream=stream, kind="application/json").status == 502


@pytest.mark.parametrize(
    ("plugins", "words"),
    [((), {0: "one more", 1: "two"}), ((Holding(),), {0: "ONE MORE", 1: "TWO"})],
    ids=["relayed", "filtered"],
)
def test_a_stream_that_nobody_asked_for_becomes_a_whole_answer_of_all_its_choices(
    plugins: tuple[Any, ...], words: dict[int, str]
) -> None:
    asked = ask(STREAM, *plugins, stream=False)

    ends = [choice["finish_reason"] for choice in asked.body["choices"]]
    assert (texts(asked), ends, asked.attempts[0].usage.output) == (words, ["stop", "length"], 4)


def test_a_stream_that_nobody_asked_for_and_of_which_one_choice_is_cut_is_no_answer() -> None:
    assert ask(BEGIN + WORDS + chunk(said(0, "stop")), stream=False).status == 502


class Anew:
    """A plugin whose filter has everything written anew."""

    stage = 0

    @hookimpl
    def stream_filter(self) -> Anew:
        return self

    def feed(self, event: StreamEvent) -> Iterable[StreamEvent]:
        return [evolve(event, frame=None)]

    def flush(self) -> Iterable[StreamEvent]:
        return ()


@pytest.mark.parametrize(("asks", "comes"), [(True, True), (False, True), (False, False)], ids=str)
def test_each_choice_calls_a_legacy_function_as_its_client_knows_it(asks: bool, comes: bool) -> None:
    call = {"name": "ls", "arguments": "{}"}
    streamed = BEGIN + chunk(said(0, function_call=call)) + chunk(said(1, function_call=call))
    streamed += chunk(said(0, "function_call")) + chunk(said(1, "function_call")) + USAGE + DONE
    message = {"role": "assistant", "content": None, "function_call": call}
    choices = [{"index": at, "message": message, "finish_reason": "function_call"} for at in (0, 1)]
    whole = orjson.dumps({**HEAD, "object": "chat.completion", "choices": choices})

    asked = ask(
        streamed if comes else whole,
        Anew(),
        stream=asks,
        kind="" if comes else "application/json",
        functions=[{"name": "ls", "parameters": {"type": "object"}}],
    )

    raw = asked.raw.decode()
    assert (raw.count('"function_call":{"name":"ls"'), raw.count("tool_calls")) == (2, 0)
    assert raw.count('"finish_reason":"function_call"') == 2
