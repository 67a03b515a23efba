"""What a scripted upstream says in each dialect, and how oddly."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from coderouter_core.model import Usage
from coderouter_core.testing import Quirk, Reply, ToolCall, Upstream

PATHS = pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
#: A connection for each request: what a test reads off the wire is its own.
CLIENT = httpx.Client(timeout=10, limits=httpx.Limits(max_keepalive_connections=0))
TEXT = "a text of some length"


def post(upstream: Upstream, path: str, stream: bool = False, **body: Any) -> httpx.Response:
    asked = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": stream, **body}
    return CLIENT.post(upstream.url + path, json=asked)


def events(response: httpx.Response) -> list[Any]:
    """The data of each event, decoded where it is JSON."""
    found = [line[5:].strip() for line in response.text.splitlines() if line.startswith("data:")]
    return [json.loads(data) if data.startswith("{") else data for data in found]


def raw_parts(upstream: Upstream) -> Iterator[bytes]:
    """A streamed answer, as its reads brought it."""
    with CLIENT.stream("POST", upstream.url + "/messages", json={"stream": True}) as response:
        yield from response.iter_raw()


def chat_deltas(upstream: Upstream, **body: Any) -> Iterator[dict[str, Any]]:
    for event in events(post(upstream, "/v1/chat/completions", stream=True, **body)):
        if event != "[DONE]":
            yield from (choice["delta"] for choice in event["choices"])


@pytest.mark.parametrize(
    ("path", "at"),
    [
        pytest.param("/v1/chat/completions", ("choices", 0, "message", "content"), id="chat"),
        pytest.param("/any/prefix/messages", ("content", 0, "text"), id="messages"),
    ],
)
def test_a_text_is_answered_in_the_dialect_asked(path: str, at: tuple[Any, ...]) -> None:
    with Upstream(TEXT) as upstream:
        found = post(upstream, path).json()

    for key in at:
        found = found[key]
    assert found == TEXT


def test_a_chat_stream_holds_the_text_and_ends_with_done() -> None:
    with Upstream(TEXT) as upstream:
        *chunks, last = events(post(upstream, "/v1/chat/completions", stream=True))

    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert (text, chunks[-1]["choices"][0]["finish_reason"], last) == (TEXT, "stop", "[DONE]")


def test_a_messages_stream_keeps_the_order_of_the_protocol() -> None:
    reply = Reply("text", thinking="hm", calls=[ToolCall("f", {"a": 1})], chunk=99)
    with Upstream(reply) as upstream:
        kinds = [event["type"] for event in events(post(upstream, "/v1/messages", stream=True))]

    assert kinds == [
        "message_start",
        *("content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"),
        "ping",
        *("content_block_start", "content_block_delta", "content_block_stop"),
        *("content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"),
        "message_delta",
        "message_stop",
    ]


def test_every_event_of_a_messages_stream_is_named_by_its_type() -> None:
    with Upstream(Reply("text", calls=[ToolCall("f")])) as upstream:
        response = post(upstream, "/v1/messages", stream=True)

    names = [line[7:] for line in response.text.splitlines() if line.startswith("event:")]
    assert names == [event["type"] for event in events(response)]


def test_usage_is_told_as_each_dialect_counts_it() -> None:
    reply = Reply("x", usage=Usage(input=10, cache_read=5, cache_write_5m=2, output=7, reasoning=3))
    with Upstream(reply) as upstream:
        chat = post(upstream, "/v1/chat/completions").json()["usage"]
        messages = post(upstream, "/v1/messages").json()["usage"]

    assert (chat["prompt_tokens"], chat["prompt_tokens_details"]["cached_tokens"]) == (17, 5)
    assert (messages["input_tokens"], messages["cache_read_input_tokens"]) == (10, 5)


@pytest.mark.parametrize(
    ("options", "told"),
    [pytest.param({}, 0, id="not-asked"), pytest.param({"include_usage": True}, 1, id="asked")],
)
def test_a_chat_stream_tells_usage_when_asked(options: dict[str, bool], told: int) -> None:
    with Upstream("hi") as upstream:
        found = events(post(upstream, "/v1/chat/completions", stream=True, stream_options=options))

    assert sum(1 for event in found if event != "[DONE]" and event["choices"] == []) == told


@pytest.mark.parametrize(
    ("stop", "chat"), [("max_tokens", "length"), ("refusal", "content_filter"), ("odd_reason", "odd_reason")]
)
def test_a_stop_reason_is_told_in_the_words_of_the_dialect(stop: str, chat: str) -> None:
    with Upstream(Reply("x", stop=stop)) as upstream:
        told = post(upstream, "/v1/messages").json()["stop_reason"]
        translated = post(upstream, "/v1/chat/completions").json()["choices"][0]["finish_reason"]

    assert (told, translated) == (stop, chat)


def test_tool_arguments_come_in_pieces() -> None:
    with Upstream(Reply(calls=[ToolCall("f", {"city": "Zürich"}, id="call_x")], chunk=4)) as upstream:
        calls = [delta["tool_calls"][0] for delta in chat_deltas(upstream) if "tool_calls" in delta]

    assert calls[0]["id"] == "call_x"
    assert json.loads("".join(call["function"]["arguments"] for call in calls)) == {"city": "Zürich"}


@PATHS
def test_broken_tool_arguments_are_sent_as_they_are(path: str) -> None:
    broken = '{"city": "Par'
    with Upstream(Reply(calls=[ToolCall("f", broken)], chunk=99)) as upstream:
        response = post(upstream, path, stream=True)

    assert json.dumps(broken) in response.text


@pytest.mark.parametrize(
    ("quirk", "holds"),
    [
        pytest.param(
            Quirk.ARGS_OBJECT, lambda c: c[0]["function"]["arguments"] == {"a": 1}, id="args-object"
        ),
        pytest.param(Quirk.NO_INDEX, lambda c: all("index" not in x for x in c), id="no-index"),
        pytest.param(Quirk.SAME_INDEX, lambda c: [x["index"] for x in c] == [0, 0], id="same-index"),
        pytest.param(Quirk.NO_TOOL_ID, lambda c: all("id" not in x for x in c), id="no-tool-id"),
        pytest.param(Quirk.REPEAT_ID, lambda c: all(x["id"] for x in c), id="repeat-id"),
        pytest.param(Quirk.WHOLE_ARGS, lambda c: len(c) == 2, id="whole-args"),
        pytest.param(
            Quirk.INTERLEAVED, lambda c: [x["index"] for x in c[:4]] == [0, 1, 0, 1], id="interleaved"
        ),
    ],
)
def test_calls_can_be_streamed_oddly(quirk: Quirk, holds: Any) -> None:
    reply = Reply(calls=[ToolCall("f", {"a": 1}), ToolCall("g", {"b": 2})], chunk=3, quirks=[quirk])
    with Upstream(reply) as upstream:
        calls = [delta["tool_calls"][0] for delta in chat_deltas(upstream) if "tool_calls" in delta]

    assert holds(calls)


@pytest.mark.parametrize(
    ("quirk", "there", "not_there"),
    [
        pytest.param(Quirk.CRLF, b"}\r\n\r\n", b"}\n\n", id="crlf"),
        pytest.param(Quirk.NO_SPACE, b"data:{", b"data: ", id="no-space"),
        pytest.param(Quirk.COMMENTS, b": PROCESSING", b"nothing", id="comments"),
        pytest.param(Quirk.NO_DONE, b'"stop"', b"[DONE]", id="no-done"),
        pytest.param(Quirk.NO_FINISH, b"[DONE]", b'"stop"', id="no-finish"),
        pytest.param(Quirk.NO_ROLE, b"content", b'"role"', id="no-role"),
        pytest.param(Quirk.NULL_CONTENT, b'"content":null', b'"content":""', id="null-content"),
        pytest.param(Quirk.REASONING, b'"reasoning":', b"reasoning_content", id="reasoning"),
        pytest.param(Quirk.CONTENT_PARTS, b'[{"type":"text"', b'"content":"te', id="content-parts"),
        pytest.param(Quirk.UNASKED_USAGE, b'"choices":[],"usage"', b"nothing", id="unasked-usage"),
        pytest.param(Quirk.USAGE_ON_FINISH, b'"usage"', b'"choices":[]', id="usage-on-finish"),
    ],
)
def test_a_chat_stream_can_be_odd(quirk: Quirk, there: bytes, not_there: bytes) -> None:
    with Upstream(Reply("text", thinking="hm", quirks=[quirk])) as upstream:
        sent = post(upstream, "/v1/chat/completions", stream=True).content

    assert there in sent
    assert not_there not in sent


def test_messages_events_can_go_without_their_names() -> None:
    with Upstream(Reply("text", quirks=[Quirk.DATA_ONLY])) as upstream:
        assert "event:" not in post(upstream, "/v1/messages", stream=True).text


@STREAMED
def test_usage_can_be_left_out(stream: bool) -> None:
    with Upstream(Reply("text", quirks=[Quirk.NO_USAGE])) as upstream:
        told = [post(upstream, path, stream).text for path in ("/v1/messages", "/v1/chat/completions")]

    assert "usage" not in "".join(told)


def test_frames_can_be_split_inside_characters() -> None:
    with Upstream(Reply("日本語", quirks=[Quirk.SPLIT_BYTES])) as upstream:
        parts = list(raw_parts(upstream))

    assert max(map(len, parts)) < 40
    assert "日本語" in b"".join(parts).decode()


def test_embeddings_answer_each_input_with_a_vector() -> None:
    with Upstream() as upstream:
        found = CLIENT.post(upstream.url + "/v1/embeddings", json={"input": ["a", "bb"]}).json()

    assert [item["embedding"][0] for item in found["data"]] == [1.0, 2.0]


@STREAMED
def test_legacy_completions_answer_with_text(stream: bool) -> None:
    with Upstream(Reply("abc", chunk=99)) as upstream:
        response = CLIENT.post(upstream.url + "/v1/completions", json={"prompt": "x", "stream": stream})

    assert (events(response)[0] if stream else response.json())["choices"][0]["text"] == "abc"
