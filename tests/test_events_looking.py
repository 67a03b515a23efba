"""What somebody sees who looks at a running router: requests in flight, chains, standings."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence

import pytest

from coderouter_core.api import (
    BudgetStanding,
    ChainView,
    Demotion,
    Live,
    Profile,
    Provider,
    Rejection,
    Request,
    Reservation,
    Router,
    Standing,
    hookimpl,
)
from coderouter_core.testing import (
    FakeClock,
    ProviderError,
    Reply,
    Script,
    ServedRouter,
    StallAfter,
    make_router,
)


class Judge:
    """Leaves out `local`, moves `middle` back, and tells of it as guards do."""

    @hookimpl
    def configure(self, router: Router) -> None:
        self._router = router

    @hookimpl
    def filter_chain(self, chain: Sequence[Provider]) -> Iterator[Rejection]:
        self._router.emit("adapter-note", provider="local", note="judged")
        yield Rejection(chain[0], "asleep", retry_after_s=30.0)

    @hookimpl
    def reorder_chain(self, chain: Sequence[Provider]) -> Iterable[Demotion]:
        return [Demotion(chain[0], 1, "slow")]


class Holder:
    @hookimpl
    def review_attempt(self, provider: Provider, request: Request, profile: Profile) -> Iterator[Reservation]:
        yield Reservation(provider, "spent:x", 0.25, 10.0, Rejection(provider, "too much"))


class Teller:
    def __init__(self, *told: Standing | BudgetStanding) -> None:
        self.told = told

    @hookimpl
    def report_standing(self) -> Iterable[Standing | BudgetStanding]:
        return self.told


class Silent:
    """Fails when it is asked."""

    @hookimpl
    def report_standing(self) -> Iterator[Standing]:
        yield Standing("local", "healthy")
        raise RuntimeError("broken")


def live(router: ServedRouter) -> Sequence[Live]:
    return router.core.live()


def asking(router: ServedRouter, **how: object) -> threading.Thread:
    thread = threading.Thread(target=lambda: router.ask(**how))  # type: ignore[arg-type]
    thread.start()
    return thread


def test_a_request_that_waits_for_its_first_content_is_seen() -> None:
    with make_router(Script(local=Reply("hello", first_delay_s=0.5))) as router:
        thread = asking(router, stream=True, headers={"x-session-id": "s1"})
        assert router.upstreams["local"].wait_calls(1)
        [seen] = live(router)
        thread.join()

    told = (seen.session_id, seen.profile, seen.provider, seen.model, seen.dialect, seen.phase, seen.attempts)
    assert told == ("s1", "default", "local", "any", "messages", "waiting", 1)


def test_a_request_that_streams_shows_what_was_sent() -> None:
    with make_router(Script(local=StallAfter(6)), drain_timeout_s=0.1) as router:
        with router.client.stream(
            "POST",
            "/v1/messages",
            json={
                "model": "m",
                "max_tokens": 9,
                "stream": True,
                "messages": [{"role": "user", "content": "x"}],
            },
        ) as answer:
            pieces = answer.iter_raw()
            next(pieces)
            [seen] = live(router)

    assert (seen.phase, seen.output_bytes > 0, seen.first_token_s is not None) == ("streaming", True, True)


def test_nothing_is_in_flight_when_a_request_has_ended() -> None:
    with make_router(Script(local="hello")) as router:
        router.ask()

        assert live(router) == []


def test_chains_tell_who_is_left_out_and_who_is_moved_back() -> None:
    with make_router(Judge(), Script(local="a", middle="b", cloud="c")) as router:
        [chain] = router.core.chains()

    assert chain == ChainView(
        "default",
        ("local", "middle", "cloud"),
        ("cloud", "middle"),
        (("local", "judge", "asleep", 30.0),),  # type: ignore[arg-type]
        (("middle", "judge", 1, "slow"),),  # type: ignore[arg-type]
    )


def test_looking_at_chains_tells_no_event() -> None:
    with make_router(Judge(), Script(local="a", middle="b", cloud="c")) as router:
        before = len(router.events)
        router.core.chains()

        assert router.events[before:] == []


def test_events_are_told_again_after_somebody_looked() -> None:
    with make_router(Judge(), Script(local="a", middle="b", cloud="c")) as router:
        router.core.chains()

        assert "adapter-note" in router.ask().event_names


def test_a_paid_provider_is_seen_as_left_out_by_the_core() -> None:
    with make_router(Script(local="a", cloud="b"), providers={"cloud": {"paid": True}}) as router:
        [chain] = router.core.chains()

    assert [(out.provider, out.plugin) for out in chain.rejected] == [("cloud", "core")]


def test_standings_come_with_the_name_of_who_said_them() -> None:
    standing = Standing("local", "slow", "3 s", 12.0)
    with make_router(("one", Teller(standing)), Script(local="a")) as router:
        told = router.core.standings()

    assert [(said.plugin, said.verdict) for said in told] == [("one", standing)]


def test_a_plugin_that_fails_to_tell_hides_nobody_else() -> None:
    standing = BudgetStanding("provider", "local", 1.0, 0.5, 0.0, "2026-01")
    with make_router(("a", Silent()), ("b", Teller(standing)), Script(local="a")) as router:
        told = router.core.standings()
        failed = [event.fields["hook"] for event in router.events if event.name == "plugin-failed"]

    assert ([said.verdict for said in told], failed) == ([standing], ["report_standing"])


def test_what_attempts_hold_is_seen_while_they_run() -> None:
    with make_router(Holder(), Script(local=Reply("hello", first_delay_s=0.5))) as router:
        thread = asking(router)
        assert router.upstreams["local"].wait_calls(1)
        during = router.core.held("spent:x")
        thread.join()

        assert router.wait_event("request-finished")
        assert (during, router.core.held("spent:x")) == (0.25, 0.0)


@pytest.mark.parametrize("local", ["fine", ProviderError("broken")], ids=["ok", "failed"])
def test_nothing_is_held_when_attempts_are_over(local: object) -> None:
    with make_router(Holder(), Script(local=local), clock=FakeClock()) as router:  # type: ignore[arg-type]
        router.ask()

        assert router.core.held("spent:x") == 0.0
