"""Prompts that are too long for a provider, and answers that fill its window."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from coderouter_core.api import hookimpl
from coderouter_core.testing import FakeClock, ProviderError, Reply, Script, ServedRouter, make_router


def capable(script: Script, *plugins: Any, **capabilities: Mapping[str, Any]) -> ServedRouter:
    providers = {name: {"capabilities": said} for name, said in capabilities.items()}
    return make_router(script, *plugins, providers=providers)


LONG = "tell me of the sea and of the ships that sail on it, " * 400


class Counter:
    """A tokenizer for which every word is a token."""

    @hookimpl
    def token_counter(self) -> Callable[[str], int]:
        return lambda text: len(text.split())


@pytest.mark.parametrize(
    ("dialect", "stream"), [("messages", False), ("messages", True), ("chat", False), ("chat", True)]
)
def test_a_prompt_that_surely_does_not_fit_is_not_sent(dialect: str, stream: bool) -> None:
    router = capable(Script(small="small", large="large"), small={"max_context_tokens": 2000})

    asked = router.ask(LONG, dialect=dialect, stream=stream)

    assert (asked.provider, len(router.upstreams["small"].calls)) == ("large", 0)


def test_the_event_tells_how_long_the_prompt_is_and_the_window() -> None:
    router = capable(Script(small="small", large="large"), small={"max_context_tokens": 2000})

    asked = router.ask(LONG)

    (event,) = [event for event in asked.events if event.name == "skip-context-window"]
    assert event.fields.keys() == {"profile", "provider", "tokens", "window"}
    assert (event.fields["provider"], event.fields["window"]) == ("small", 2000)
    assert event.fields["tokens"] > 2500


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_anthropic_client_is_told_to_compact_when_the_prompt_fits_nowhere(stream: bool) -> None:
    router = capable(
        Script(small="small", larger="larger"),
        small={"max_context_tokens": 1000},
        larger={"max_context_tokens": 2000},
    )

    asked = router.ask(LONG, stream=stream)

    assert (asked.status, asked.headers["x-should-retry"]) == (400, "false")
    assert asked.error is not None
    assert asked.error["type"] == "invalid_request_error"
    assert asked.error["message"].startswith("prompt is too long: ")
    assert asked.error["message"].endswith(" tokens > 2000 maximum (capability_rejected: prompt_too_long)")


def test_an_openai_client_is_told_by_the_code_that_it_knows() -> None:
    router = capable(Script(small="small"), small={"max_context_tokens": 2000})

    asked = router.ask(LONG, dialect="chat")

    assert (asked.status, (asked.error or {})["code"]) == (400, "context_length_exceeded")


def test_a_provider_that_is_paid_for_does_not_hide_that_the_prompt_is_too_long() -> None:
    router = make_router(
        Script(small="small", cloud="cloud"),
        providers={"small": {"capabilities": {"max_context_tokens": 2000}}, "cloud": {"paid": True}},
    )

    asked = router.ask(LONG)

    assert (asked.error or {})["message"].startswith("prompt is too long: ")


def test_an_error_of_the_provider_for_which_it_is_short_enough_is_what_is_told() -> None:
    script = Script(small="small", large=ProviderError("slow down", status=429))
    router = capable(script, small={"max_context_tokens": 2000})

    assert router.ask(LONG).status == 429


def told(router: ServedRouter) -> int:
    """The tokens of `LONG`, as a router tells them."""
    (event,) = [event for event in router.ask(LONG).events if event.name == "skip-context-window"]
    return int(event.fields["tokens"])


@pytest.mark.parametrize(
    ("more", "provider"),
    [pytest.param(0, "large", id="over"), pytest.param(1, "small", id="within-the-margin")],
)
def test_an_estimate_must_exceed_the_window_by_a_quarter(more: int, provider: str) -> None:
    script = Script(small="small", large="large")
    window = int(told(capable(script, small={"max_context_tokens": 2000})) / 1.25) + more

    assert capable(script, small={"max_context_tokens": window}).ask(LONG).provider == provider


@pytest.mark.parametrize(
    ("more", "provider"), [pytest.param(-1, "large", id="one-over"), pytest.param(0, "small", id="it-fits")]
)
def test_a_count_decides_exactly(more: int, provider: str) -> None:
    script = Script(small="small", large="large")
    window = told(capable(script, Counter(), small={"max_context_tokens": 2000})) + more

    assert capable(script, Counter(), small={"max_context_tokens": window}).ask(LONG).provider == provider


TOO_LONG = ProviderError(
    "too long",
    status=400,
    body='{"error": {"code": 400, "type": "exceed_context_size_error", "message": "too long", "n_ctx": 2000}}',
)


@pytest.mark.parametrize(
    ("seconds", "calls"), [pytest.param(299, 1, id="lately"), pytest.param(300, 2, id="a-while-ago")]
)
def test_a_window_that_a_backend_told_of_holds_for_a_while(
    seconds: int, calls: int, clock: FakeClock
) -> None:
    router = make_router(Script(small=TOO_LONG, large="large"), clock=clock)
    router.ask(LONG)

    clock.advance(seconds)
    router.ask(LONG)

    assert len(router.upstreams["small"].calls) == calls


class Characters:
    """A tokenizer for which every character is a token, and which has to be loaded."""

    @hookimpl
    def token_counter(self) -> Characters:
        return self

    async def load(self) -> None:
        await asyncio.sleep(0)

    def __call__(self, text: str) -> int:
        return len(text)


def test_who_may_take_a_prompt_that_was_too_long_is_decided_by_a_count() -> None:
    # Of a prompt of 1,500 characters; by the estimate it would fit.
    too_long = ProviderError(
        "too long", status=400, body='{"error": {"code": "context_length_exceeded", "message": "too long"}}'
    )
    script = Script(small=too_long, large="large")
    router = capable(script, Characters(), large={"max_context_tokens": 1_000})

    asked = router.ask("a" * 1_500)

    assert len(router.upstreams["large"].calls) == 0, asked.body


def test_a_small_prompt_is_not_counted() -> None:
    counted: list[bool] = []

    class Look:
        @hookimpl
        def filter_chain(self, request: Any) -> Iterable[Any]:
            counted.append(request.prompt_size is not None)
            return ()

    router = capable(Script(small="small"), Look(), small={"max_context_tokens": 2000})
    router.ask("hi")

    assert counted == [False]


# ---- an answer that fills the window


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("usage", "capabilities", "reason"),
    [
        pytest.param((900, 100), {"max_context_tokens": 1000}, "model_context_window_exceeded", id="full"),
        pytest.param((900, 92), {"max_context_tokens": 1000}, "model_context_window_exceeded", id="nearly"),
        pytest.param((500, 100), {"max_context_tokens": 1000}, "max_tokens", id="room-is-left"),
        pytest.param((744, 256), {"max_context_tokens": 1000}, "max_tokens", id="as-long-as-allowed"),
        pytest.param((900, 100), {}, "max_tokens", id="unknown-window"),
    ],
)
def test_an_answer_that_fills_the_window_says_so(
    usage: tuple[int, int], capabilities: dict[str, Any], reason: str, stream: bool
) -> None:
    script = Script(only=Reply("it goes on", usage=usage, stop="max_tokens"))
    router = capable(script, only=capabilities)

    asked = router.ask(stream=stream, max_tokens=256)

    last = asked.body[-2]["delta"] if stream else asked.body
    assert last["stop_reason"] == reason


def test_an_openai_client_is_told_length_as_ever() -> None:
    script = Script(only=Reply("it goes on", usage=(900, 100), stop="max_tokens"))
    router = capable(script, only={"max_context_tokens": 1000})

    assert router.ask(dialect="chat").body["choices"][0]["finish_reason"] == "length"
