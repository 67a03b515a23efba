"""What goes over the wire, seen by plain sockets and by httpx."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from coderouter_core.testing import (
    Close,
    CutAfter,
    Depends,
    DripBody,
    DripHead,
    EmptyStream,
    ErrorAfter,
    ErrorFirst,
    GarbageAfter,
    Hang,
    Html,
    ProviderError,
    Raw,
    Refuse,
    Reply,
    StallAfter,
    Steps,
    Upstream,
)

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
    ("path", "kind"),
    [("/v1/chat/completions", "rate_limit_error"), ("/v1/messages", "rate_limit_error")],
    ids=["chat", "messages"],
)
@STREAMED
def test_an_error_has_the_shape_of_the_dialect(path: str, kind: str, stream: bool) -> None:
    with Upstream(ProviderError("slow down", 429, headers={"retry-after": "7"})) as upstream:
        response = post(upstream, path, stream)

    assert (response.status_code, response.headers["retry-after"]) == (429, "7")
    assert (response.json()["error"]["type"], response.json()["error"]["message"]) == (kind, "slow down")


def test_an_errors_body_can_be_given() -> None:
    with Upstream(ProviderError("", 502, body="<h1>Bad", content_type="text/html")) as upstream:
        response = post(upstream, "/v1/messages")

    assert (response.text, response.headers["content-type"]) == ("<h1>Bad", "text/html")


def test_steps_are_taken_in_turn_and_the_last_repeats() -> None:
    with Upstream(["one", ProviderError("two", 503), "three"]) as upstream:
        statuses = [post(upstream, "/v1/messages").status_code for _ in range(4)]

    assert statuses == [200, 503, 200, 200]


def test_a_new_script_starts_from_its_first_step() -> None:
    with Upstream(["one", "two"]) as upstream:
        post(upstream, "/v1/messages")
        upstream.play(["three", "four"])

        assert post(upstream, "/v1/messages").json()["content"][0]["text"] == "three"


def test_a_request_is_recorded_whole() -> None:
    with Upstream() as upstream:
        CLIENT.post(upstream.url + "/v1/messages?beta=true", headers={"X-Odd": "yes"}, content=b'{"a":  1}')
        call = upstream.calls[0]

    assert (call.path, call.headers["x-odd"], call.body, call.raw) == (
        "/v1/messages?beta=true",
        "yes",
        {"a": 1},
        b'{"a":  1}',
    )


def test_a_chunked_request_is_read() -> None:
    with Upstream() as upstream:
        CLIENT.post(upstream.url + "/messages", content=iter([b'{"a"', b": 1}"]))

        assert upstream.calls[0].raw == b'{"a": 1}'


def test_models_and_token_counts_take_no_step() -> None:
    with Upstream([ProviderError("first"), "second"]) as upstream:
        models = CLIENT.get(upstream.url + "/v1/models").json()
        tokens = CLIENT.post(upstream.url + "/v1/messages/count_tokens", json={"a": "b" * 100}).json()
        first = post(upstream, "/v1/messages").status_code

    assert (models["data"][0]["id"], tokens["input_tokens"] > 20, first) == ("scripted", True, 500)


def test_an_unknown_path_is_404() -> None:
    with Upstream() as upstream:
        assert CLIENT.get(upstream.url + "/nothing").status_code == 404


def test_a_connection_is_kept_for_the_next_request() -> None:
    with Upstream() as upstream, httpx.Client() as client:
        for _ in range(3):
            client.post(upstream.url + "/messages", json={})

        assert upstream.connections == 1


def test_a_refusing_upstream_refuses_and_accepts_again() -> None:
    with Upstream(["one", Refuse(), "two"]) as upstream:
        post(upstream, "/messages")
        with pytest.raises(httpx.ConnectError):
            post(upstream, "/messages")

        upstream.accept()

        assert post(upstream, "/messages").json()["content"][0]["text"] == "two"


def test_an_upstream_can_be_told_to_refuse() -> None:
    with Upstream() as upstream, httpx.Client() as client:
        client.post(upstream.url + "/messages", json={})

        upstream.refuse()

        with pytest.raises(httpx.ConnectError):
            client.post(upstream.url + "/messages", json={})


@pytest.mark.parametrize(
    ("step", "error"),
    [
        pytest.param(Close(), httpx.RemoteProtocolError, id="fin"),
        pytest.param(Close(rst=True), httpx.ReadError, id="rst"),
        pytest.param(Hang(seconds=0.05), httpx.RemoteProtocolError, id="hang"),
    ],
)
def test_a_connection_can_end_before_the_status_line(step: Steps, error: type[Exception]) -> None:
    with Upstream(step) as upstream, pytest.raises(error):
        post(upstream, "/messages")


@pytest.mark.parametrize(
    ("step", "error"),
    [
        pytest.param(CutAfter(), httpx.RemoteProtocolError, id="cut"),
        pytest.param(CutAfter(rst=True), httpx.ReadError, id="reset"),
        pytest.param(StallAfter(seconds=0.05), httpx.RemoteProtocolError, id="stall"),
    ],
)
def test_a_whole_answer_can_end_in_its_middle(step: Steps, error: type[Exception]) -> None:
    with Upstream(step) as upstream, pytest.raises(error):
        post(upstream, "/messages")


@PATHS
@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_stream_can_end_early_as_a_proper_body(path: str, count: int) -> None:
    with Upstream(CutAfter(count)) as upstream:
        assert len(events(post(upstream, path, stream=True))) == count


def test_a_stream_can_be_reset_after_its_first_events() -> None:
    seen: list[bytes] = []
    with Upstream(CutAfter(2, rst=True)) as upstream, pytest.raises(httpx.ReadError):
        seen.extend(raw_parts(upstream))

    assert b"".join(seen).count(b"event:") == 2


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        pytest.param("/chat/completions", '"type":"overloaded_error"', id="chat"),
        pytest.param("/messages", 'event: error\ndata: {"type":"error"', id="messages"),
    ],
)
def test_a_stream_can_end_with_an_error_event(path: str, shape: str) -> None:
    with Upstream(ErrorAfter(2)) as upstream:
        response = post(upstream, path, stream=True)

    assert len(events(response)) == 3
    assert shape in response.text.split("\n\n")[2]


def test_the_error_of_a_whole_answer_is_its_status() -> None:
    with Upstream(ErrorAfter(kind="overloaded_error")) as upstream:
        assert post(upstream, "/messages").status_code == 529


@PATHS
@STREAMED
def test_an_error_can_come_with_200(path: str, stream: bool) -> None:
    with Upstream(ErrorFirst("overloaded_error", "too much")) as upstream:
        response = post(upstream, path, stream)

    body = events(response)[0] if stream else response.json()
    assert (response.status_code, body["error"]["message"]) == (200, "too much")


@STREAMED
def test_an_answer_can_be_empty(stream: bool) -> None:
    with Upstream(EmptyStream()) as upstream:
        assert post(upstream, "/messages", stream).content == b""


@PATHS
def test_garbage_comes_between_events(path: str) -> None:
    with Upstream(GarbageAfter(2)) as upstream:
        frames = post(upstream, path, stream=True).text.split("\n\n")

    assert frames[2] == "data: {not json at all"
    assert len(frames) > 6


def test_garbage_of_a_whole_answer_is_half_of_its_json() -> None:
    with Upstream(GarbageAfter()) as upstream:
        response = post(upstream, "/messages")

    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        response.json()


def test_a_page_can_come_for_an_answer() -> None:
    with Upstream(Html()) as upstream:
        response = post(upstream, "/messages")

    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_raw_bytes_are_sent_as_given() -> None:
    with Upstream(Raw(418, {"X-Tea": "pot"}, b"short")) as upstream:
        response = post(upstream, "/messages")

    assert (response.status_code, response.headers["x-tea"], response.content) == (418, "pot", b"short")


def test_a_dripping_head_does_not_end() -> None:
    with Upstream(DripHead(delay_s=0)) as upstream, pytest.raises(httpx.RemoteProtocolError):
        post(upstream, "/messages")


@STREAMED
def test_a_dripping_body_comes_byte_by_byte(stream: bool) -> None:
    with Upstream(DripBody(delay_s=0, reply=Reply("drip"))) as upstream:
        assert "drip" in post(upstream, "/messages", stream).text


def test_a_silent_upstream_can_keep_the_connection_alive() -> None:
    with Upstream(Reply("x", head_delay_s=0.1, ping_s=0.03)) as upstream:
        first = events(post(upstream, "/messages", stream=True))[:3]

    assert first == [{"type": "ping"}] * 3


@contextmanager
def asking(upstream: Upstream) -> Iterator[None]:
    """A client that has asked for a stream, and leaves in the end."""
    with socket.create_connection(("127.0.0.1", int(upstream.url.rsplit(":", 1)[1]))) as client:
        body = b'{"stream": true}'
        client.sendall(b"POST /messages HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        assert upstream.wait_calls(1)
        yield


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(Hang(), id="hang"),
        pytest.param(StallAfter(2), id="stall"),
        pytest.param(Reply("x", first_delay_s=60), id="prefill"),
        pytest.param(Reply("x" * 80, delay_s=60), id="between-events"),
    ],
)
def test_a_client_that_leaves_is_noticed(step: Steps) -> None:
    with Upstream(step) as upstream:
        with asking(upstream):
            pass

        assert upstream.calls[0].wait_gone()


def test_a_client_that_got_its_answer_has_not_left_early() -> None:
    with Upstream() as upstream:
        post(upstream, "/messages")
        post(upstream, "/messages")

        assert upstream.calls[0].gone_at is None


@pytest.mark.parametrize("step", [Hang(0.02), Close(rst=True)], ids=["fin", "rst"])
def test_a_connection_that_the_script_ends_was_not_left(step: Steps) -> None:
    with Upstream(step) as upstream:
        with pytest.raises(httpx.TransportError):
            post(upstream, "/messages")

        assert not upstream.calls[0].wait_gone(timeout_s=0.05)


def test_an_upstream_that_closes_was_not_left() -> None:
    with Upstream(Hang()) as upstream, asking(upstream):
        upstream.close()

        assert upstream.calls[0].gone_at is None


def test_it_listens_where_it_is_told_to() -> None:
    with Upstream("hello") as first:
        port = int(first.url.rpartition(":")[2])

    with Upstream("hello", port=port) as second:
        assert (second.url, post(second, "/v1/messages").status_code) == (first.url, 200)


def test_an_answer_to_head_has_no_body() -> None:
    with Upstream("hello") as upstream, httpx.Client(base_url=upstream.url) as kept:
        statuses = [kept.head("/").status_code, kept.get("/v1/models").status_code]

    assert statuses == [404, 200]


@pytest.mark.parametrize(("asked", "told"), [({}, 0), ({"stream_options": {"include_usage": True}}, 1)])
def test_a_streamed_completion_tells_usage_when_asked(asked: dict[str, Any], told: int) -> None:
    with Upstream("hello") as upstream:
        *chunks, _ = events(post(upstream, "/v1/completions", stream=True, **asked))

    assert sum(not chunk["choices"] for chunk in chunks) == told


@PATHS
def test_a_step_may_depend_on_the_request(path: str) -> None:
    with Upstream(Depends(lambda asked: str(len(asked["messages"])))) as upstream:
        said = [
            post(upstream, path, messages=[{"role": "user", "content": "hi"}] * count).text
            for count in (1, 2)
        ]

    assert [f'"{count}"' in text for count, text in zip((1, 2), said, strict=True)] == [True, True]
