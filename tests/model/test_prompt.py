"""What of a request counts as its prompt."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from coderouter_core.api import Dialect, Request
from coderouter_core.model.prompt import PIECE, joined
from coderouter_core.model.tokens import Counting

LONG = "the quick brown fox jumps over the lazy dog, and so it goes on. " * 50
#: About what `LONG` is.
MANY = 750


def asked(dialect: Dialect = Dialect.MESSAGES, **body: Any) -> Request:
    return Request("req_1", dialect, {"messages": [], **body}, b"")


def turn(*blocks: Any, role: str = "user") -> dict[str, Any]:
    return {"messages": [{"role": role, "content": list(blocks)}]}


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        pytest.param("messages", {"system": LONG}, id="system"),
        pytest.param("messages", {"system": [{"type": "text", "text": LONG}]}, id="system-blocks"),
        pytest.param("messages", {"messages": [{"role": "user", "content": LONG}]}, id="text"),
        pytest.param("messages", turn({"type": "text", "text": LONG}), id="text-block"),
        pytest.param(
            "messages", turn({"type": "thinking", "thinking": LONG, "signature": "x"}), id="thinking"
        ),
        pytest.param(
            "messages",
            turn({"type": "tool_use", "id": "t", "name": "say", "input": {"a": [{"b": LONG}]}}),
            id="call",
        ),
        pytest.param(
            "messages", turn({"type": "tool_result", "tool_use_id": "t", "content": LONG}), id="result"
        ),
        pytest.param(
            "messages",
            turn({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": LONG}]}),
            id="result-blocks",
        ),
        pytest.param(
            "messages",
            turn({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": LONG}}),
            id="document",
        ),
        pytest.param(
            "messages",
            {"tools": [{"name": "t", "description": LONG, "input_schema": {}}]},
            id="tool-description",
        ),
        pytest.param(
            "messages",
            {"tools": [{"name": "t", "input_schema": {"properties": {"p": {"description": LONG}}}}]},
            id="tool-schema",
        ),
        pytest.param("chat", {"messages": [{"role": "system", "content": LONG}]}, id="chat-system"),
        pytest.param(
            "chat", {"messages": [{"role": "tool", "tool_call_id": "c", "content": LONG}]}, id="chat-result"
        ),
        pytest.param(
            "chat",
            {
                "messages": [
                    {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [
                            {
                                "id": "c",
                                "type": "function",
                                "function": {"name": "f", "arguments": json.dumps({"a": LONG})},
                            }
                        ],
                    }
                ]
            },
            id="chat-call",
        ),
        pytest.param(
            "chat",
            {"messages": [{"role": "assistant", "content": "", "reasoning_content": LONG}]},
            id="chat-reasoning",
        ),
        pytest.param(
            "chat",
            {
                "tools": [
                    {"type": "function", "function": {"name": "f", "description": LONG, "parameters": {}}}
                ]
            },
            id="chat-tools",
        ),
        pytest.param("chat", {"functions": [{"name": "f", "description": LONG}]}, id="functions"),
        pytest.param("responses", {"instructions": LONG}, id="instructions"),
        pytest.param("responses", {"input": LONG}, id="responses-input"),
        pytest.param(
            "responses",
            {"input": [{"type": "function_call_output", "call_id": "c", "output": LONG}]},
            id="output",
        ),
    ],
)
def test_all_text_of_a_prompt_counts(dialect: str, body: dict[str, Any]) -> None:
    assert asked(Dialect(dialect), **body).tokens == pytest.approx(MANY, rel=0.15)


@pytest.mark.parametrize(
    "block",
    [
        pytest.param({"type": "text", "text": "", "cache_control": {"type": LONG}}, id="cache-control"),
        pytest.param({"type": "thinking", "thinking": "", "signature": LONG}, id="signature"),
        pytest.param({"type": "tool_result", "tool_use_id": LONG, "content": ""}, id="id-of-a-call"),
    ],
)
def test_what_serves_the_exchange_does_not_count(block: dict[str, Any]) -> None:
    assert asked(**turn(block)).tokens < 10


def test_an_image_counts_as_an_image_and_not_as_its_letters() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "A" * 400_000}

    assert 1_500 < asked(**turn({"type": "image", "source": source})).tokens < 1_700


def test_a_file_counts_by_its_size() -> None:
    source = {"type": "base64", "media_type": "application/pdf", "data": "A" * 300_000}

    assert asked(**turn({"type": "document", "source": source})).tokens == pytest.approx(10_000, rel=0.01)


def test_a_body_of_any_depth_is_counted() -> None:
    deep: Any = LONG
    for _ in range(5_000):
        deep = {"a": [deep]}

    assert asked(tools=[{"name": "t", "input_schema": deep}]).tokens > MANY


def test_a_thousand_tokens_more_are_a_thousand_more() -> None:
    one, two = asked(system=LONG), asked(system=LONG + LONG)

    assert two.tokens - one.tokens == pytest.approx(one.tokens, rel=0.02)


def test_tokens_are_told_by_the_counting_that_was_set() -> None:
    request = asked(system="four")

    request.count_with(Counting(len, 3.0))

    assert request.tokens == 3 * len("four\n")


def test_a_factor_leaves_images_alone() -> None:
    request = asked(**turn({"type": "image", "source": {"type": "url", "url": "https://images.test/a.png"}}))
    request.count_with(Counting(lambda _: 0, 100.0))

    assert request.prompt_size is None or request.prompt_size.media == 1_590
    assert request.tokens - 100 * 4 == 1_590


def test_pieces_are_never_longer_than_a_slice_allows() -> None:
    pieces = list(joined(["a" * (3 * PIECE + 1), "b", "c" * (PIECE - 1), "d"]))

    assert ("".join(pieces).count("a"), max(map(len, pieces))) == (3 * PIECE + 1, PIECE)


def test_preparing_a_large_prompt_lets_others_run() -> None:
    request = asked(messages=[{"role": "user", "content": LONG * 1_000}])

    assert asyncio.run(_others_ran(request, "tokens")) > 3


def test_preparing_a_text_of_fences_lets_others_run() -> None:
    request = asked(messages=[{"role": "user", "content": "``````" * 200_000}])

    assert asyncio.run(_others_ran(request, "code_fence_ratio")) > 3


def test_what_was_prepared_is_not_computed_again() -> None:
    pieces: list[str] = []
    request = asked(system=LONG)
    request.count_with(Counting(lambda text: pieces.append(text) or 1))
    asyncio.run(request.prepare(("tokens",)))

    _ = request.tokens

    assert len(pieces) == 1


async def _others_ran(request: Request, fact: str) -> int:
    """How often another task ran while a fact was prepared."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await request.prepare((fact,))
    task.cancel()
    return turns
