"""What upstreams do that nobody would think of: none of it may reach a client as anything but an answer or an error."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from coderouter_core.api import Outcome, Request, hookimpl
from coderouter_core.testing import (
    CutAfter,
    ProviderError,
    Raw,
    Refuse,
    Reply,
    Script,
    Step,
    make_router,
)
from coderouter_core.testing.checked import UNCHECKED

JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream"}
KEY = "sk-secret/c1-AAAA+BBBB"
DEEP = b'{"error": ' + b'{"message": ' * 900 + b'"x"' + b"}" * 900 + b"}"
INGRESS = [
    pytest.param("messages", False, id="messages"),
    pytest.param("messages", True, id="messages-stream"),
    pytest.param("chat", False, id="chat"),
    pytest.param("chat", True, id="chat-stream"),
]


def chunks(*deltas: bytes, finish: bytes = b"stop") -> bytes:
    """A chat stream of raw `content` values."""
    frame = b'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}\n\n'
    said = [frame % (b'{"content":%s}' % delta, b"null") for delta in deltas]
    return b"".join([*said, frame % (b"{}", b'"%s"' % finish), b"data: [DONE]\n\n"])


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Raw(500, JSON, DEEP), id="deep-500"),
        pytest.param(Raw(200, JSON, DEEP), id="deep-200"),
        pytest.param(Raw(200, SSE, b"data: " + DEEP + b"\n\n"), id="deep-event"),
        pytest.param(Raw(200, SSE, b"data: " + b"x" * (17 << 20) + b"\n\n"), id="a-frame-without-end"),
        pytest.param(Raw(200, SSE, b": nothing\n\n" * 100_000), id="a-flood-of-comments"),
    ],
)
@pytest.mark.parametrize(("dialect", "stream"), INGRESS)
def test_the_next_provider_answers(dialect: str, stream: bool, answer: Step) -> None:
    router = make_router(Script(odd=answer, fine="hello"))

    assert router.ask(dialect=dialect, stream=stream).text == "hello"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Raw(200, {"content-type": "text/plain"}, f"bad key {KEY}".encode()), id="garbage"),
        pytest.param(
            Raw(401, JSON, b'{"error":{"message":"bad %s"}}' % KEY.replace("/", "\\/").encode()), id="escaped"
        ),
        pytest.param(
            Raw(401, JSON, b'{"error":{"message":"bad %s"}}' % KEY.replace("+", "\\u002b").encode()),
            id="escaped-plus",
        ),
        pytest.param(
            Raw(401, JSON, orjson.dumps({"error": {"message": "bad", "code": KEY, "details": {"key": KEY}}})),
            id="fields",
        ),
        pytest.param(ProviderError("x" * 1985 + KEY, status=401), id="cut-off"),
    ],
)
@pytest.mark.parametrize(("dialect", "stream"), INGRESS)
def test_a_key_is_masked_however_it_is_spelled(
    monkeypatch: pytest.MonkeyPatch, dialect: str, stream: bool, answer: Step
) -> None:
    monkeypatch.setenv("SCRIPTED_KEY", KEY)
    router = make_router(Script(only=answer), providers={"only": {"api_key_env": "SCRIPTED_KEY"}})

    asked = router.ask(dialect=dialect, stream=stream)

    told = (
        repr(asked.body)
        + str(asked.headers)
        + repr(asked.attempts)
        + repr([event.fields for event in asked.events])
    )
    assert KEY[:10] not in told


@pytest.mark.parametrize("rst", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("dialect", ["messages", "chat"])
def test_an_answer_that_said_how_it_ended_is_whole(dialect: str, rst: bool) -> None:
    router = make_router(Script(only=CutAfter(3, rst=rst, reply=Reply("hello"))))

    asked = router.ask(dialect=dialect, stream=True)

    assert (asked.text, asked.error, asked.attempts[0].outcome) == ("hello", None, Outcome.OK)


@pytest.mark.parametrize(("dialect", "stream"), [INGRESS[1], INGRESS[3]])
def test_a_provider_that_refuses_stream_options_is_asked_without(dialect: str, stream: bool) -> None:
    refusal = ProviderError("Unrecognized request argument supplied: stream_options", status=400)
    router = make_router(Script(first=[refusal, "hello"], second="other"))

    texts = [router.ask(dialect=dialect, stream=stream).text for _ in range(2)]

    asked = ["stream_options" in call.body for call in router.upstreams["first"].calls]
    assert (texts, asked) == (["hello", "hello"], [True, False, False])


def test_half_a_character_in_a_frame_is_passed_on() -> None:
    router = make_router(Script(only=Raw(200, SSE, chunks(b'"\\ud83d"', b'"\\ude00"'))))

    raw = router.client.post(
        "/v1/chat/completions",
        json={"model": "m", "stream": True, "messages": [{"role": "user", "content": "x"}]},
        extensions={UNCHECKED: True},
    ).content

    assert (b'"\\ud83d"' in raw, b'"\\ude00"' in raw, b"error" in raw) == (True, True, False)


@pytest.mark.parametrize(
    "block",
    [
        pytest.param({"type": "redacted_thinking", "data": "x"}, id="redacted"),
        pytest.param(
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, id="server-tool"
        ),
    ],
)
def test_an_answer_of_kinds_that_only_its_dialect_knows_is_an_answer(block: dict[str, Any]) -> None:
    body = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [block],
        "stop_reason": "end_turn",
    }
    router = make_router(Script(only=Script.messages(Raw(200, JSON, orjson.dumps(body))), other="hello"))

    assert router.ask().body["content"] == [block]


def test_any_choice_that_says_something_is_an_answer() -> None:
    choices = [
        {"index": at, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for at, text in enumerate(["", "hello"])
    ]
    body = {"id": "c", "object": "chat.completion", "model": "m", "created": 1, "choices": choices}
    router = make_router(Script(only=Raw(200, JSON, orjson.dumps(body)), other="other"))

    assert router.ask(dialect="chat", n=2).body["choices"] == choices


def test_a_translated_chat_answer_says_when_it_was_made() -> None:
    router = make_router(Script(only=Script.messages("hello")))

    assert router.ask(dialect="chat").body["created"] > 1_700_000_000


class Watcher:
    """A plugin that knows which requests are still in memory."""

    def __init__(self) -> None:
        self.seen: list[weakref.ref[Request]] = []

    @hookimpl
    def review_request(self, request: Request) -> None:
        self.seen.append(weakref.ref(request))


@pytest.fixture
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize(
    "answer",
    [ProviderError("no", status=500), ProviderError("no", status=400), Refuse(), CutAfter(6), Reply("fine")],
    ids=["500", "400", "refused", "broken", "fine"],
)
@pytest.mark.parametrize(("dialect", "stream"), INGRESS)
def test_a_request_that_ended_leaves_nothing_behind(dialect: str, stream: bool, answer: Step) -> None:
    watcher = Watcher()
    router = make_router(watcher, Script(first=answer, second=[ProviderError("no", status=503), "hello"]))
    for _ in range(3):
        router.ask(dialect=dialect, stream=stream)

    alive = [seen for seen in watcher.seen if seen() is not None]

    assert len(alive) <= 1


def test_one_piece_of_text_may_be_larger_than_what_is_held_back_before_the_first() -> None:
    text = b'"%s"' % (b"x" * 3_000_000)
    router = make_router(Script(only=Raw(200, SSE, chunks(text))))

    assert router.ask(dialect="responses", stream=True).status == 200
