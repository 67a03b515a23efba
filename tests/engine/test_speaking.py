"""Filters and an answer that is not streamed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from coderouter_core.api import Provider, Request, StreamEvent, StreamFilter, hookimpl
from coderouter_core.testing import Reply, Script, make_router

LONG = "a word and another, " * 2000


class Looking:
    """Notes how much text it was given at once, and passes it on: cut anew with `recut`."""

    stage = 5

    def __init__(self, sizes: list[int], *, recut: bool) -> None:
        self._sizes = sizes
        self._recut = recut

    def feed(self, event: StreamEvent) -> Iterable[StreamEvent]:
        self._sizes.append(len(event.text))
        if self._recut and event.kind == "delta":
            return [
                StreamEvent("delta", event.index, event.block, piece)
                for piece in (event.text[:7], event.text[7:])
            ]
        return [event]

    def flush(self) -> Iterable[StreamEvent]:
        return []


class Glancing(Looking):
    """Says at a glance whether it would leave an answer alone."""

    def passes(self, text: str) -> bool:
        return "secret" not in text


class LookingPlugin:
    def __init__(self, *, recut: bool = False) -> None:
        self.sizes: list[int] = []
        self._recut = recut

    @hookimpl
    def stream_filter(self, provider: Provider, request: Request) -> StreamFilter | None:
        return Looking(self.sizes, recut=self._recut)


def asked(plugin: Any) -> Any:
    return make_router(plugin, Script(only=Script.chat(Reply(LONG)))).ask(dialect="chat", stream=False)


def test_a_long_text_reaches_filters_in_pieces() -> None:
    plugin = LookingPlugin()
    asked(plugin)

    assert (sum(plugin.sizes), max(plugin.sizes)) == (len(LONG), 4096)


@pytest.mark.parametrize("recut", [False, True])
def test_an_answer_of_which_filters_change_nothing_is_relayed_as_it_came(recut: bool) -> None:
    bare = make_router(Script(only=Script.chat(Reply(LONG)))).ask(dialect="chat", stream=False)
    seen = asked(LookingPlugin(recut=recut))

    assert (seen.body.keys(), seen.body["choices"]) == (bare.body.keys(), bare.body["choices"])


class GlancingPlugin(LookingPlugin):
    @hookimpl
    def stream_filter(self, provider: Provider, request: Request) -> StreamFilter | None:
        return Glancing(self.sizes, recut=False)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        pytest.param("hello", False, id="passes"),
        pytest.param("a secret", True, id="does-not-pass"),
        pytest.param(LONG, True, id="too-long-for-a-glance"),
    ],
)
@pytest.mark.parametrize(("dialect", "spoken"), [("chat", Script.chat), ("messages", Script.messages)])
def test_a_filter_that_lets_a_text_pass_is_not_given_it(
    dialect: str, spoken: Any, text: str, read: bool
) -> None:
    plugin = GlancingPlugin()
    make_router(plugin, Script(only=spoken(Reply(text)))).ask(dialect=dialect, stream=False)

    assert bool(plugin.sizes) is read


def test_an_answer_that_passes_at_a_glance_is_accounted_as_any_other() -> None:
    def settled(plugin: Any) -> Any:
        script = Script(only=Script.chat(Reply("hello")))
        (attempt,) = make_router(plugin, script).ask(dialect="chat", stream=False).attempts
        return attempt.outcome, attempt.usage, attempt.estimated

    assert settled(GlancingPlugin()) == settled(LookingPlugin())
