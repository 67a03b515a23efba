"""How the verdicts of many plugins make one chain."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from coderouter_core.api import (
    Demotion,
    Dialect,
    Event,
    Profile,
    Provider,
    Rejection,
    Request,
    hookimpl,
)
from coderouter_core.engine.chain import Chain, Chains
from coderouter_core.events import Events
from coderouter_core.hooks import Hooks
from coderouter_core.model import Settings
from coderouter_core.plugins import register

NAMES = ("a", "b", "c", "d")
PROVIDERS = {name: Provider(name) for name in NAMES}
PROFILE = Profile("main", NAMES)
REQUEST = Request("req_1", Dialect.CHAT, {"messages": []}, b"{}")


class Judge:
    """A plugin that vetoes and demotes by name."""

    def __init__(self, vetoes: Sequence[str], weights: Sequence[tuple[str, int]]) -> None:
        self.vetoes = vetoes
        self.weights = weights

    @hookimpl
    def filter_chain(self, chain: Sequence[Provider]) -> Iterable[Rejection]:
        return [Rejection(each, f"vetoed {each.name}") for each in chain if each.name in self.vetoes]

    @hookimpl
    def reorder_chain(self, chain: Sequence[Provider]) -> Iterable[Demotion]:
        return [
            Demotion(each, weight, "heavy")
            for each in chain
            for name, weight in self.weights
            if name == each.name
        ]


def resolved(judges: Iterable[tuple[str, Any]]) -> tuple[Chain, list[Event]]:
    events, seen = Events(), []
    events.sinks.append(seen.append)
    chains = Chains(PROVIDERS, Settings(), Hooks(register(dict(judges)), events), events)
    return chains.resolve(REQUEST, PROFILE), seen


JUDGES = st.lists(
    st.builds(
        Judge,
        st.lists(st.sampled_from(NAMES), max_size=3),
        st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from([1, 2, 10, 100])), max_size=4),
    ),
    max_size=4,
)


@settings(deadline=None, max_examples=60)
@given(JUDGES)
def test_the_order_of_plugins_changes_nothing(judges: list[Judge]) -> None:
    named = [(f"judge-{at}", judge) for at, judge in enumerate(judges)]

    orders = {
        tuple(provider.name for provider in resolved(shuffled)[0].providers)
        for shuffled in itertools.permutations(named)
    }

    assert len(orders) == 1


@settings(deadline=None, max_examples=60)
@given(JUDGES)
def test_nobody_is_left_out_without_a_reason_and_an_event(judges: list[Judge]) -> None:
    chain, seen = resolved((f"judge-{at}", judge) for at, judge in enumerate(judges))

    gone = set(NAMES) - {provider.name for provider in chain.providers}
    reasons = {said.verdict.provider.name for said in chain.rejected if said.verdict.reason}
    told = {event.fields["provider"] for event in seen if event.name == "skip-provider"}

    assert gone == reasons == told


@settings(deadline=None, max_examples=60)
@given(JUDGES)
def test_demotions_never_drop_anybody(judges: list[Judge]) -> None:
    chain, _ = resolved((f"judge-{at}", judge) for at, judge in enumerate(judges))
    rejected = {said.verdict.provider.name for said in chain.rejected}

    assert sorted(provider.name for provider in chain.providers) == sorted(set(NAMES) - rejected)


def test_weights_add_up_and_equals_keep_their_place() -> None:
    chain, _ = resolved([("one", Judge([], [("a", 2)])), ("two", Judge([], [("a", 1), ("b", 2)]))])

    assert [provider.name for provider in chain.providers] == ["c", "d", "b", "a"]


def test_a_provider_rejected_twice_shows_both_reasons() -> None:
    chain, _ = resolved([("one", Judge(["a"], [])), ("two", Judge(["a"], []))])

    assert [said.plugin for said in chain.rejected] == ["one", "two"]
