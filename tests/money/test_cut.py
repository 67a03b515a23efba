"""What an answer costs that its upstream did not finish counting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from coderouter_core.model import Usage
from coderouter_core.testing import (
    Close,
    CutAfter,
    ProviderError,
    Quirk,
    Reply,
    Script,
    ServedRouter,
    Step,
    ToolCall,
    make_router,
)

PRICES = {"input_tokens_per_million": 3.0, "output_tokens_per_million": 15.0}
TEXT = "All good things come to those who wait. " * 20
LONG = Reply(TEXT, usage=Usage(1000, output=5000, reported=True), chunk=40)

clients = pytest.mark.parametrize("client", ["messages", "chat"])


def router_of(upstream: str, *steps: Step) -> ServedRouter:
    wire = {"messages": Script.messages, "chat": Script.chat}[upstream]
    return make_router(Script(cloud=wire(*steps)), providers={"cloud": {"cost": PRICES}})


def tokens(text: str) -> int:
    """Four bytes to a token, rounded up."""
    return -(-len(text.encode()) // 4)


def dollars(row: Mapping[str, Any]) -> float:
    return float(row["input_tokens"] * 3.0 + row["output_tokens"] * 15.0) / 1e6


def summary(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["outcome"], row["input_tokens"], row["output_tokens"], row["estimated"]


@clients
def test_a_stream_that_its_upstream_cuts_costs_what_was_read_and_said(client: str) -> None:
    with router_of("messages", CutAfter(12, reply=LONG)) as router:
        said = router.ask(dialect=client, stream=True).text
        (row,) = router.core.ledger.attempts()

    assert len(said) > 100
    assert (summary(row), row["cost_usd"]) == (
        ("broken", 1000, tokens(said), True),
        pytest.approx(dollars(row), abs=1e-9),
    )


@clients
def test_a_cut_stream_whose_upstream_counts_at_the_end_costs_by_its_size(client: str) -> None:
    with router_of("chat", CutAfter(12, reply=LONG)) as router:
        answer = router.ask("how long is this? " * 100, dialect=client, stream=True)
        sent = len(router.upstreams["cloud"].calls[0].raw)
        (row,) = router.core.ledger.attempts()

    assert summary(row) == ("broken", pytest.approx(sent / 4, rel=0.1), tokens(answer.text), True)


@clients
@pytest.mark.parametrize("upstream", ["messages", "chat"])
def test_a_stream_that_its_client_leaves_costs_what_was_said_until_then(upstream: str, client: str) -> None:
    path = {"messages": "/v1/messages", "chat": "/v1/chat/completions"}[client]
    body = {
        "model": "any",
        "max_tokens": 9,
        "stream": True,
        "messages": [{"role": "user", "content": "how long is this? " * 100}],
    }
    slow = Reply(TEXT, usage=Usage(1000, output=5000, reported=True), chunk=40, delay_s=0.05)
    with router_of(upstream, slow) as router:
        with httpx.stream("POST", f"{router.url}{path}", json=body, trust_env=False) as stream:
            pieces = stream.iter_bytes()
            for _ in range(3):
                next(pieces)
        assert router.wait_event("request-finished")
        (row,) = router.core.ledger.attempts()

    assert (row["outcome"], row["estimated"], row["cost_usd"]) == (
        "cancelled",
        True,
        pytest.approx(dollars(row), abs=1e-9),
    )
    assert 10 <= row["output_tokens"] <= tokens(TEXT)
    assert row["input_tokens"] == (1000 if upstream == "messages" else pytest.approx(475, rel=0.1))


@clients
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("upstream", ["messages", "chat"])
def test_an_answer_without_usage_costs_by_its_size(upstream: str, stream: bool, client: str) -> None:
    calls = (ToolCall("look", {"place": "here, there and everywhere"}),)
    reply = Reply(TEXT, thinking="hm" * 50, calls=calls, quirks={Quirk.NO_USAGE})
    with router_of(upstream, reply) as router:
        # Relayed, the upstream's stream lacks what a client would look for.
        router.ask(dialect=client, stream=stream, checked=upstream != client)
        (row,) = router.core.ledger.attempts()

    said = TEXT + "hm" * 50 + '{"place":"here, there and everywhere"}'
    assert (row["outcome"], row["output_tokens"], row["usage_reported"], row["estimated"]) == (
        "ok",
        pytest.approx(tokens(said), abs=2),
        False,
        True,
    )


def test_what_was_said_in_japanese_is_not_taken_for_a_few_letters() -> None:
    reply = Reply("吾輩は猫である。名前はまだ無い。" * 10, quirks={Quirk.NO_USAGE})
    with router_of("chat", reply) as router:
        router.ask(dialect="chat", stream=True)
        (row,) = router.core.ledger.attempts()

    assert row["output_tokens"] == 120


def test_an_image_is_not_counted_by_the_length_of_its_data() -> None:
    image = {"type": "base64", "media_type": "image/png", "data": "A" * 400_000}
    turn = {
        "role": "user",
        "content": [{"type": "image", "source": image}, {"type": "text", "text": "what?"}],
    }
    with router_of("messages", Reply("a cat", quirks={Quirk.NO_USAGE})) as router:
        router.ask([turn])
        (row,) = router.core.ledger.attempts()

    assert row["input_tokens"] == pytest.approx(1650, abs=60)


def test_an_upstream_that_counts_wrong_at_first_is_believed_at_the_end() -> None:
    with router_of("messages", Reply(TEXT, usage=Usage(1000, output=3, reported=True))) as router:
        router.ask(stream=True)
        (row,) = router.core.ledger.attempts()

    assert summary(row) == ("ok", 1000, 3, False)


@clients
def test_an_answer_that_is_lost_before_its_first_word_costs_what_was_read(client: str) -> None:
    with router_of("messages", CutAfter(1, reply=LONG)) as router:
        router.ask(dialect=client, stream=True)
        (row,) = router.core.ledger.attempts()

    assert (summary(row)[:3], row["cost_usd"]) == (("failed", 1000, 1), pytest.approx(0.003015, abs=1e-9))


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(ProviderError("no", 500), id="status"),
        pytest.param(ProviderError("slow down", 429), id="rate-limit"),
        pytest.param(Close(), id="closed"),
    ],
)
def test_what_was_never_taken_costs_nothing(step: Step) -> None:
    with router_of("chat", step) as router:
        router.ask(stream=True)
        (row,) = router.core.ledger.attempts()

    assert (row["outcome"], row["input_tokens"], row["cost_usd"]) == ("failed", 0, None)
