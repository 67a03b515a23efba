"""Usage that counts nothing, or one side only: what was read and written costs all the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from coderouter_core.model import Attempt
from coderouter_core.testing import Raw, Script, make_router

PRICES = {"input_tokens_per_million": 3, "output_tokens_per_million": 15}
#: 22 bytes, which are estimated to be six tokens.
SAID = "hello there my friends"

NOTHING = [
    pytest.param({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, id="zeros"),
    pytest.param({"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}, id="nulls"),
    pytest.param({"prompt_tokens": -5, "completion_tokens": -7}, id="negative"),
    pytest.param({"prompt_tokens": "many", "completion_tokens": []}, id="no-numbers"),
    pytest.param({"total_tokens": 1200}, id="only-a-total"),
    pytest.param({"tokens": 7}, id="other-words"),
]


def whole(usage: Any) -> Raw:
    message = {"role": "assistant", "content": SAID}
    body = {
        "id": "1", "object": "chat.completion", "created": 1, "model": "m", "usage": usage,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }  # fmt: skip
    return Raw(200, {"content-type": "application/json"}, json.dumps(body).encode())


def streamed(usage: Any) -> Raw:
    def chunk(choices: list[Any], **more: Any) -> str:
        head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        return f"data: {json.dumps({**head, 'choices': choices, **more})}\n\n"

    frames = [
        chunk([{"index": 0, "delta": {"role": "assistant", "content": SAID}, "finish_reason": None}]),
        chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}]),
        chunk([], usage=usage),
        "data: [DONE]\n\n",
    ]
    return Raw(200, {"content-type": "text/event-stream"}, "".join(frames).encode())


def attempted(usage: Any, *, stream: bool) -> Attempt:
    with make_router(
        Script(cloud=streamed(usage) if stream else whole(usage)), providers={"cloud": {"cost": PRICES}}
    ) as router:
        [attempt] = router.ask("hi", stream=stream).attempts
    return attempt


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("usage", NOTHING)
def test_usage_that_counts_nothing_is_estimated(usage: Any, stream: bool) -> None:
    attempt = attempted(usage, stream=stream)

    assert (attempt.usage.input > 0, attempt.usage.output, attempt.usage.reported, attempt.estimated) == (
        True,
        6,
        False,
        True,
    )


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_an_answer_whose_output_was_not_counted_costs_what_it_said(stream: bool) -> None:
    attempt = attempted({"prompt_tokens": 1000}, stream=stream)

    assert attempt.cost is not None
    assert (attempt.cost.usd, attempt.cost.estimated) == (pytest.approx((1000 * 3 + 6 * 15) / 1e6), True)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_prompt_that_was_not_counted_costs_what_it_asked(stream: bool) -> None:
    attempt = attempted({"completion_tokens": 200}, stream=stream)

    assert (attempt.usage.input > 0, attempt.usage.output, attempt.estimated) == (True, 200, True)


def test_fewer_output_tokens_than_estimated_are_what_was_counted() -> None:
    attempt = attempted({"prompt_tokens": 10, "completion_tokens": 1}, stream=False)

    assert (attempt.usage.output, attempt.estimated) == (1, False)
