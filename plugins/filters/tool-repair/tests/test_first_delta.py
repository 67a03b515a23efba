"""The search for calls keeps nothing back that cannot be one."""

from __future__ import annotations

import pytest
from coderouter_filter_tool_repair import ToolRepairPlugin

from coderouter_core.testing import Reply, Script, StallAfter, ToolCall, make_router

TOOL = {"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
ASKED = {
    "model": "any",
    "max_tokens": 256,
    "stream": True,
    "tools": [TOOL],
    "messages": [{"role": "user", "content": "hi"}],
}


@pytest.mark.parametrize(
    ("reply", "seen"),
    [
        pytest.param(Reply("Going to look.", chunk=5), "Going", id="text"),
        pytest.param(Reply("42", thinking="deep thought", chunk=4), "deep", id="thinking"),
        pytest.param(
            Reply(calls=[ToolCall("get_weather", {"city": "Oslo"})], chunk=3), "get_weather", id="call"
        ),
    ],
)
def test_the_first_delta_leaves_before_the_upstream_sends_the_next(reply: Reply, seen: str) -> None:
    """The upstream falls silent after its first content, for longer than any test waits."""
    router = make_router(ToolRepairPlugin(), Script(only=StallAfter(2, reply=reply)))

    with router.client.stream("POST", "/v1/messages", json=ASKED) as answer:
        assert any(seen in piece for piece in answer.iter_text())
