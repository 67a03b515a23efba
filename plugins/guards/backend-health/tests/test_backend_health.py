"""The backend-health guard through a router with scripted providers and a clock to turn."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from coderouter_guard_backend_health import BackendHealthGuard

from coderouter_core.testing import (
    Close,
    CutAfter,
    EmptyStream,
    FakeClock,
    Html,
    ProviderError,
    Reply,
    Script,
    ServedRouter,
    Step,
    conformance,
    make_router,
)

BROKEN = ProviderError("broken", status=500)
INGRESS = [
    pytest.param("messages", False, id="messages"),
    pytest.param("messages", True, id="messages-stream"),
    pytest.param("chat", False, id="chat"),
    pytest.param("chat", True, id="chat-stream"),
]


def guarded(local: Any, cloud: Any = "cloud", clock: FakeClock | None = None, **profile: Any) -> ServedRouter:
    keys = {"backend_health_action": "demote", "backend_health_threshold": 2, **profile}
    return make_router(
        BackendHealthGuard(), Script(local=local, cloud=cloud), clock=clock or FakeClock(), profile=keys
    )


def tried(router: ServedRouter, **how: Any) -> list[str]:
    """Ask once: who was tried, in order."""
    return [attempt.provider.name for attempt in router.ask(**how).attempts]


def states(router: ServedRouter) -> list[tuple[str, str]]:
    return [
        (event.fields["old_state"], event.fields["new_state"])
        for event in router.events
        if event.name == "backend-health-changed"
    ]


def make_unhealthy(router: ServedRouter) -> None:
    for _ in range(4):
        router.ask()


def test_it_fits() -> None:
    conformance(BackendHealthGuard())


@pytest.mark.parametrize(("dialect", "stream"), INGRESS)
def test_backend_health_action_demote_moves_a_failing_provider_back(dialect: str, stream: bool) -> None:
    router = guarded(BROKEN)

    orders = [tried(router, dialect=dialect, stream=stream) for _ in range(5)]

    assert orders == [["local", "cloud"]] * 4 + [["cloud"]]


def test_backend_health_threshold_tells_of_every_change_once() -> None:
    router = guarded([*[BROKEN] * 4, "well"], clock=(clock := FakeClock()))
    make_unhealthy(router)
    clock.advance(31)
    router.ask()

    assert states(router) == [("HEALTHY", "DEGRADED"), ("DEGRADED", "UNHEALTHY"), ("UNHEALTHY", "HEALTHY")]


def test_a_healed_provider_gets_its_place_back_without_the_fallback_failing() -> None:
    clock = FakeClock()
    router = guarded([*[BROKEN] * 4, "well"], clock=clock)
    make_unhealthy(router)

    before = tried(router)
    clock.advance(31)

    assert (before, tried(router), tried(router)) == (["cloud"], ["local"], ["local"])


def test_a_trial_that_fails_doubles_the_rest() -> None:
    clock = FakeClock()
    router = guarded(BROKEN, clock=clock)
    make_unhealthy(router)
    clock.advance(31)

    orders = [tried(router)]
    for seconds in (31, 30):
        clock.advance(seconds)
        orders.append(tried(router))

    assert orders == [["local", "cloud"], ["cloud"], ["local", "cloud"]]


def test_the_rest_is_never_longer_than_five_minutes() -> None:
    clock = FakeClock()
    router = guarded(BROKEN, clock=clock)
    make_unhealthy(router)
    for _ in range(8):
        clock.advance(301)
        router.ask()

    clock.advance(301)

    assert tried(router) == ["local", "cloud"]


def test_only_one_request_at_a_time_tries_a_demoted_provider() -> None:
    clock = FakeClock()
    router = guarded([*[BROKEN] * 4, Reply("slow", first_delay_s=1.0)], clock=clock)
    make_unhealthy(router)
    clock.advance(31)
    trial = threading.Thread(target=router.ask)
    trial.start()
    assert router.upstreams["local"].wait_calls(5)

    others = [tried(router) for _ in range(3)]
    trial.join()

    assert others == [["cloud"]] * 3


def test_a_trial_that_never_reached_the_provider_holds_nobody_back() -> None:
    clock = FakeClock()
    router = make_router(
        BackendHealthGuard(),
        Script(first=[*[BROKEN] * 4, "first"], local=[*[BROKEN] * 4, "well"], cloud="cloud"),
        clock=clock,
        profile={"backend_health_action": "demote", "backend_health_threshold": 2},
    )
    make_unhealthy(router)
    clock.advance(31)
    router.ask()
    router.ask()
    router.upstreams["first"].play(BROKEN)

    assert tried(router) == ["first", "local"]


@pytest.mark.parametrize(
    "failure", [BROKEN, Close(rst=True), Html(), EmptyStream(), CutAfter(6), ProviderError("o", status=529)]
)
def test_the_backends_own_faults_count(failure: Step) -> None:
    router = guarded(failure)

    for _ in range(4):
        router.ask(stream=True)

    assert states(router)[-1] == ("DEGRADED", "UNHEALTHY")


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422, 429, 501])
def test_faults_that_are_not_the_backends_do_not_count(status: int) -> None:
    router = guarded(ProviderError("no", status=status))

    for _ in range(5):
        router.ask()

    assert states(router) == []


def test_an_answer_resets_the_count() -> None:
    router = guarded([BROKEN, BROKEN, BROKEN, "well", BROKEN, "well"])

    for _ in range(6):
        router.ask()

    assert ("DEGRADED", "UNHEALTHY") not in states(router)


def test_a_provider_that_always_dies_after_its_first_words_is_demoted() -> None:
    router = guarded(CutAfter(6))
    for _ in range(4):
        router.ask(stream=True)

    assert tried(router, stream=True) == ["cloud"]


def test_where_everybody_is_unhealthy_nobody_is_moved() -> None:
    router = guarded(BROKEN, cloud=ProviderError("also", status=503))

    orders = [tried(router) for _ in range(6)]

    assert orders == [["local", "cloud"]] * 6


def test_backend_health_action_warn_only_tells() -> None:
    router = guarded(BROKEN, backend_health_action="warn")

    orders = [tried(router) for _ in range(5)]

    assert (orders[-1], states(router)[-1]) == (["local", "cloud"], ("DEGRADED", "UNHEALTHY"))


def test_backend_health_action_off_does_not_look() -> None:
    router = guarded(BROKEN, backend_health_action="off")

    for _ in range(5):
        router.ask()

    assert states(router) == []


def test_a_429_rests_the_provider_for_the_time_it_asked_for() -> None:
    clock = FakeClock()
    router = guarded([ProviderError("slow", status=429, headers={"retry-after": "20"}), "well"], clock=clock)
    router.ask()
    clock.advance(19)
    resting = router.ask()
    clock.advance(2)

    assert (resting.reasons, tried(router)) == (
        {"local": "asked for a pause with status 429, resting 1 s more"},
        ["local"],
    )


def test_a_chain_that_rests_says_when_to_come_back() -> None:
    router = make_router(
        BackendHealthGuard(),
        Script(only=ProviderError("slow", status=429, headers={"retry-after": "20"})),
        clock=FakeClock(),
        profile={"backend_health_action": "demote"},
    )
    router.ask()

    asked = router.ask()

    assert (asked.status, asked.headers["retry-after"]) == (503, "20")


def standings(router: ServedRouter) -> dict[str, Any]:
    return {said.verdict.provider: said.verdict for said in router.core.standings()}


def test_a_provider_that_fails_is_seen_as_what_it_is() -> None:
    clock = FakeClock()
    router = guarded(BROKEN, clock=clock)

    states = [standings(router)["local"].state]
    for _ in range(2):
        router.ask()
        router.ask()
        states.append(standings(router)["local"].state)

    assert (states, standings(router)["cloud"].state) == (["healthy", "degraded", "unhealthy"], "healthy")
    assert standings(router)["local"].until == clock.utc().timestamp() + 30


def test_a_provider_that_asked_for_a_pause_is_seen_as_resting() -> None:
    clock = FakeClock()
    router = guarded(ProviderError("later", status=429, headers={"retry-after": "60"}), clock=clock)
    router.ask()

    said = [each.verdict for each in router.core.standings() if each.verdict.state == "resting"]

    assert [(each.provider, each.until) for each in said] == [("local", clock.utc().timestamp() + 60)]


def test_looking_at_chains_does_not_take_the_trial_of_a_provider() -> None:
    clock = FakeClock()
    router = guarded([*[BROKEN] * 4, "well"], clock=clock)
    make_unhealthy(router)
    clock.advance(31)

    looked = [router.core.chains()[0].effective for _ in range(3)]

    assert (looked, tried(router)) == ([("local", "cloud")] * 3, ["local"])
