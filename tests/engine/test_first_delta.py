"""Nothing waits for what comes after it: the first of an answer is on its way before the upstream sends more."""

from __future__ import annotations

from typing import Any

import pytest

from coderouter_core.model import Dialect
from coderouter_core.testing import Reply, Script, StallAfter, ToolCall, make_router
from coderouter_core.testing.served import PATHS, question

CALL = ToolCall("get_weather", {"city": "Oslo"})
#: How many events an upstream sends before it falls silent for longer than any test waits.
FIRST = {
    "text": (Reply("Going to look.", chunk=5), {Script.chat: 2, Script.messages: 3}),
    "thinking": (Reply("42", thinking="deep thought", chunk=4), {Script.chat: 2, Script.messages: 3}),
    "call": (Reply(calls=[CALL], chunk=3), {Script.chat: 2, Script.messages: 2}),
}
#: What a client sees of each.
SEEN = {"text": "Going", "thinking": "deep", "call": "get_weather"}


@pytest.mark.parametrize("what", FIRST)
@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("wire", [Script.chat, Script.messages], ids=["from-chat", "from-messages"])
def test_the_first_delta_leaves_before_the_upstream_sends_the_next(
    wire: Any, dialect: Dialect, what: str
) -> None:
    reply, events = FIRST[what]
    router = make_router(Script(only=wire(StallAfter(events[wire], reply=reply))))
    body = question("hi", dialect, stream=True)

    with router.client.stream("POST", PATHS[dialect], json=body) as answer:
        assert any(SEEN[what] in piece for piece in answer.iter_text())
