from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from attrs import frozen

from coderouter_core.api import (
    EventSpec,
    Level,
    Option,
    Profile,
    Provider,
    Rejection,
    Request,
    Scope,
    hookimpl,
)
from coderouter_core.testing import conformance


@frozen
class Keys:
    nap_s: int = 60


@frozen
class NoDefault:
    nap_s: int


class Plain:
    nap_s: int = 60


class Declares:
    """Declares what it was made with."""

    def __init__(self, options: Iterable[Any] = (), events: Iterable[Any] = ()) -> None:
        self._options = options
        self._events = events

    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return self._options

    @hookimpl
    def declare_events(self) -> Iterable[EventSpec]:
        return self._events


def event(name: str = "nap-taken", **changes: Any) -> EventSpec:
    return EventSpec(
        **{"name": name, "level": Level.INFO, "fields": ("provider",), "text": "a nap", **changes}
    )


def test_a_plugin_that_fits_conforms() -> None:
    conformance(Declares([Option(Scope.PROFILE, Keys), Option(Scope.RULE, NoDefault)], [event()]))


class NoHooks:
    def filter_chain(self, chain: Sequence[Provider]) -> None: ...


class MisspeltHook:
    @hookimpl
    def filter_chains(self, chain: Sequence[Provider]) -> None: ...


class MisspeltArgument:
    @hookimpl
    def filter_chain(self, chains: Sequence[Provider]) -> None: ...


class AsyncHook:
    @hookimpl
    async def filter_chain(
        self, chain: Sequence[Provider], request: Request, profile: Profile
    ) -> Iterable[Rejection]:
        return []


class AdapterWithoutKind:
    @hookimpl
    def make_adapter(self, provider: Provider, transport: Any) -> None: ...


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        pytest.param(NoHooks(), "implements no hook", id="no-hook"),
        pytest.param(Declares, "give an instance", id="class"),
        pytest.param(MisspeltHook(), "filter_chains", id="misspelt-hook"),
        pytest.param(MisspeltArgument(), "chains", id="misspelt-argument"),
        pytest.param(AsyncHook(), "filter_chain: hooks are plain functions", id="async-hook"),
        pytest.param(AdapterWithoutKind(), "make_adapter and an Option with a kind", id="adapter-without-kind"),
        pytest.param(
            Declares([Option(Scope.PROVIDER, Keys, kind="own")]),
            "make_adapter and an Option with a kind",
            id="kind-without-adapter",
        ),
        pytest.param(Declares(["nap_s"]), "'nap_s' is not an Option", id="not-an-option"),
        pytest.param(Declares([Option("profil", Keys)]), "Scope.PROFILE", id="unknown-scope"),
        pytest.param(Declares([Option(Scope.PROFILE, Plain)]), "must be an attrs class", id="not-attrs"),
        pytest.param(Declares([Option(Scope.PROFILE, NoDefault)]), "nap_s has no default", id="no-default"),
        pytest.param(
            Declares([Option(Scope.PROFILE, Keys, kind="own")]), "only a Scope.PROVIDER", id="kind-elsewhere"
        ),
        pytest.param(
            Declares([Option(Scope.PROFILE, Keys, facts=("tokens",))]), "only a Scope.RULE", id="facts-elsewhere"
        ),
        pytest.param(
            Declares([Option(Scope.PROVIDER, Keys, requires=("modle",))]), "'modle'", id="requires-unknown-key"
        ),
        pytest.param(Declares([Option(Scope.RULE, Keys), Option(Scope.RULE, frozen(type("E", (), {})))]), "not 0", id="rule-without-field"),
        pytest.param(Declares(events=["nap"]), "'nap' is not an EventSpec", id="not-an-event"),
        pytest.param(Declares(events=[event("nap_taken")]), "kebab-case", id="event-name"),
        pytest.param(Declares(events=[event("try-provider")]), "by the core already", id="event-of-the-core"),
        pytest.param(Declares(events=[event(), event()]), "by this plugin already", id="event-twice"),
        pytest.param(Declares(events=[event(level=20)]), "Level.INFO", id="event-level"),
        pytest.param(Declares(events=[event(text="")]), "says nothing", id="event-text"),
        pytest.param(Declares(events=[event(fields=("a b",))]), "'a b' is not a name", id="event-field"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(plugin: Any, said: str) -> None:
    with pytest.raises(AssertionError) as raised:
        conformance(plugin)

    assert said in str(raised.value)


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(AssertionError) as raised:
        conformance(Declares([Option(Scope.PROFILE, Plain)], [event("Nap")]))

    assert str(raised.value).count("\n") == 2


def test_options_may_come_from_a_generator() -> None:
    class Generates:
        @hookimpl
        def declare_options(self) -> Iterator[Option]:
            yield Option(Scope.PROFILE, Keys)

    conformance(Generates())
