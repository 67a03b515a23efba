"""Legacy ``/v1/completions``, asked by the official SDK, through the same engine as everything else."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from coderouter_core.model import Outcome
from coderouter_core.testing import (
    CutAfter,
    EmptyStream,
    ErrorAfter,
    ErrorFirst,
    GarbageAfter,
    ProviderError,
    Quirk,
    Raw,
    Reply,
    Script,
    ServedRouter,
    make_router,
)

SAID = "Once upon a time, and twice."
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def client(router: ServedRouter) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{router.url}/v1", api_key="client", max_retries=0, timeout=15)


def complete(
    router: ServedRouter, *, stream: bool, prompt: Any = "Once", **more: Any
) -> tuple[str, str | None]:
    """The text, and the finish reason."""
    answer: Any = client(router).completions.create(model="any", prompt=prompt, stream=stream, **more)
    choices = [choice for part in (answer if stream else [answer]) for choice in part.choices]
    return "".join(choice.text for choice in choices), choices[-1].finish_reason


def frames(router: ServedRouter, **more: Any) -> list[str]:
    body = {"model": "any", "prompt": "Once", "stream": True, **more}
    raw = router.client.post("/v1/completions", json=body).text
    return [frame.removeprefix("data: ") for frame in raw.split("\n\n") if frame]


@both_ways
def test_a_text_is_completed(stream: bool) -> None:
    router = make_router(Script(only=SAID))

    assert complete(router, stream=stream) == (SAID, "stop")


@both_ways
def test_the_rest_of_the_body_travels_as_it_came(stream: bool) -> None:
    router = make_router(Script(only=SAID))

    complete(router, stream=stream, prompt=["a", "b"], echo=True, suffix="end", logprobs=2)

    body = router.upstreams["only"].calls[0].body
    assert {key: body[key] for key in ("model", "prompt", "echo", "suffix", "logprobs")} == {
        "model": "only-model",
        "prompt": ["a", "b"],
        "echo": True,
        "suffix": "end",
        "logprobs": 2,
    }


FAILURES = [
    pytest.param(ProviderError("no", status=500), id="500"),
    pytest.param(ProviderError("no such route", status=404), id="404"),
    pytest.param(ErrorFirst(), id="error-first"),
    pytest.param(EmptyStream(), id="empty"),
    pytest.param(GarbageAfter(0), id="garbage-first"),
    pytest.param(Raw(200, {"content-type": "application/json"}, b'{"choices": []}'), id="no-choices"),
    pytest.param(Reply("", quirks=["no-finish"]), id="nothing-said"),
]


@both_ways
@pytest.mark.parametrize("failure", FAILURES)
def test_the_next_provider_completes(failure: Any, stream: bool) -> None:
    router = make_router(Script(first=failure, second=SAID))

    assert complete(router, stream=stream) == (SAID, "stop")


@both_ways
def test_a_text_may_be_complete_already(stream: bool) -> None:
    router = make_router(Script(first=Reply(""), second=SAID))

    assert complete(router, stream=stream) == ("", "stop")


@both_ways
def test_usage_is_recorded_whether_the_client_asked_or_not(stream: bool) -> None:
    router = make_router(Script(only=Reply(SAID, usage=(11, 5))))

    complete(router, stream=stream)
    router.wait_event("request-finished")

    (attempt,) = router.attempts
    assert (attempt.usage.input, attempt.usage.output, attempt.estimated) == (11, 5, False)


def test_the_usage_chunk_stays_hidden_unless_asked_for() -> None:
    router = make_router(Script(only=SAID))

    assert [frame for frame in frames(router) if '"usage"' in frame] == []


def test_the_usage_chunk_comes_when_asked_for() -> None:
    router = make_router(Script(only=Reply(SAID, usage=(11, 5))))

    last = json.loads(frames(router, stream_options={"include_usage": True})[-2])

    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 16)


@pytest.mark.parametrize(
    "step",
    [CutAfter(2), CutAfter(2, rst=True), ErrorAfter(2), GarbageAfter(2)],
    ids=lambda step: type(step).__name__,
)
def test_a_break_after_content_is_an_error_and_the_end(step: Any) -> None:
    router = make_router(Script(first=step, second="never asked"))

    *_, error, done = frames(router)

    assert ("error" in json.loads(error), done, len(router.upstreams["second"].calls)) == (True, "[DONE]", 0)


def test_a_break_is_recorded_as_broken() -> None:
    router = make_router(Script(only=CutAfter(2)))

    frames(router)
    router.wait_event("request-finished")

    assert router.attempts[0].outcome is Outcome.BROKEN


def test_a_server_that_does_not_stream_is_streamed_for() -> None:
    body = {"id": "cmpl-1", "model": "m", "choices": [{"index": 0, "text": SAID, "finish_reason": "length"}]}
    whole = Raw(200, {"content-type": "application/json"}, json.dumps(body).encode())
    router = make_router(Script(only=whole))

    assert complete(router, stream=True) == (SAID, "length")


def test_a_server_that_streams_unasked_is_collected() -> None:
    told: list[dict[str, Any]] = [
        {"text": "Once ", "finish_reason": None},
        {"text": "upon", "finish_reason": "stop"},
    ]
    lines = [json.dumps({"id": "c", "choices": [{"index": 0, **choice}]}) for choice in told]
    raw = "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"]).encode()
    router = make_router(Script(only=Raw(200, {"content-type": "text/event-stream"}, raw)))

    assert complete(router, stream=False) == ("Once upon", "stop")


def test_a_missing_end_mark_is_made_good() -> None:
    router = make_router(Script(only=Reply(SAID, quirks=[Quirk.NO_DONE])))

    assert frames(router)[-1] == "[DONE]"


@both_ways
def test_a_provider_without_completions_is_left_out(stream: bool) -> None:
    router = make_router(Script(native=Script.messages("x"), other=SAID))

    assert complete(router, stream=stream) == (SAID, "stop")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "prompt: must be a string, a list of strings, or token numbers; it is missing"),
        ({"prompt": "x", "stream": "yes"}, "stream: must be true or false, not a string"),
    ],
)
def test_a_wrong_body_is_told_in_openais_shape(body: dict[str, Any], says: str) -> None:
    router = make_router(Script(only=SAID))

    response = router.client.post("/v1/completions", json={"model": "any", **body})

    assert (response.status_code, response.json()["error"]["message"]) == (400, says)
