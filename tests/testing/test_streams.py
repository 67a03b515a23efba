"""Generated streams reach every client as they were said."""

from __future__ import annotations

from coderouter_core.model import Dialect
from coderouter_core.testing.streams.__main__ import case, wrong

SEEDS = range(600)


def test_what_a_messages_upstream_says_reaches_every_client() -> None:
    spoken = [seed for seed in SEEDS if case(seed, None)[0].dialect is Dialect.MESSAGES]

    assert {seed: found for seed in spoken if (found := wrong(seed, None))} == {}


def test_every_way_is_among_the_seeds() -> None:
    ways = {(stream.dialect, way.client) for stream, way in (case(seed, None) for seed in SEEDS)}

    assert ways == {(one, client) for one in (Dialect.CHAT, Dialect.MESSAGES) for client in Dialect}
