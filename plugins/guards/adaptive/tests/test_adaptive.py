"""The adaptive guard: its measures by themselves, and its decisions through a router."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from coderouter_guard_adaptive import Adaptive, AdaptiveGuard, latency_s, sample_of
from hypothesis import given, settings
from hypothesis import strategies as st

from coderouter_core.api import Attempt, Dialect, Operation, Outcome, Profile, Provider, Usage
from coderouter_core.testing import FakeClock, ProviderError, Script, ServedRouter, conformance, make_router

LOCAL, CLOUD, THIRD = Provider("local"), Provider("cloud"), Provider("third")
ON = Profile("on", ("local", "cloud", "third"), options={Adaptive: Adaptive(adaptive=True)})
OTHER = Profile("other", ("third", "cloud", "local"), options={Adaptive: Adaptive(adaptive=True)})
BROKEN = ProviderError("broken", status=500)


class Stage:
    """A guard with a clock to turn, fed with attempts."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.guard = AdaptiveGuard()
        self.told: list[dict[str, Any]] = []
        self.guard.configure(router=self)  # type: ignore[arg-type]

    def emit(self, name: str, **fields: Any) -> None:
        self.told.append(fields)

    def saw(
        self, provider: Provider, seconds: float, *, times: int = 1, profile: Profile = ON, **how: Any
    ) -> None:
        for _ in range(times):
            self.guard.observe_attempt(attempt(provider, seconds, profile=profile, **how))

    def order(self, *chain: Provider, profile: Profile = ON) -> list[str]:
        chain = chain or (LOCAL, CLOUD)
        weights = {each.provider.name: each.weight for each in self.guard.reorder_chain(chain, profile)}
        return sorted((provider.name for provider in chain), key=lambda name: weights.get(name, 0))


def attempt(provider: Provider, seconds: float, *, profile: Profile = ON, **how: Any) -> Attempt:
    made = Attempt("1", "req_1", profile, provider, 1, Dialect.CHAT, True, 0.0)
    ended: dict[str, Any] = {
        "outcome": Outcome.OK,
        "seconds": seconds,
        "first_token_s": seconds / 2,
        "usage": Usage(output=256, reported=True),
    }
    return evolve(made, **{**ended, **how})


FAILED = {"outcome": Outcome.FAILED, "first_token_s": None, "error_kind": "status", "status": 500}


def test_it_fits() -> None:
    conformance(AdaptiveGuard())


def test_a_long_answer_is_not_a_slow_provider() -> None:
    short = attempt(LOCAL, 1.0, first_token_s=0.5, usage=Usage(output=50, reported=True))
    long = attempt(LOCAL, 20.5, first_token_s=0.5, usage=Usage(output=2000, reported=True))

    assert latency_s(short) == latency_s(long) == pytest.approx(0.5 + 256 * 0.01)


def test_a_long_answer_in_one_piece_counts_by_its_share() -> None:
    whole = attempt(LOCAL, 20.0, stream=False, first_token_s=20.0, usage=Usage(output=2560, reported=True))

    assert latency_s(whole) == pytest.approx(2.0)


def test_a_request_abandoned_before_its_first_token_counts_as_the_time_waited() -> None:
    assert latency_s(attempt(LOCAL, 7.0, outcome=Outcome.CANCELLED, first_token_s=None)) == 7.0


@pytest.mark.parametrize(
    "how",
    [{"status": 400}, {"status": 413}, {"status": 422}, {"error_kind": "context", "status": 400}],
)
def test_what_the_client_caused_is_no_sample(how: dict[str, Any]) -> None:
    assert sample_of(attempt(LOCAL, 1.0, **{**FAILED, **how}), 0.0) is None


@pytest.mark.parametrize("operation", [Operation.EMBED, Operation.COMPLETE])
def test_what_is_no_answer_is_no_measure_of_answers(operation: Operation) -> None:
    assert sample_of(attempt(LOCAL, 1.0, operation=operation), 0.0) is None


def test_a_slow_provider_moves_back() -> None:
    stage = Stage()
    stage.saw(LOCAL, 1.5, times=3)
    stage.saw(CLOUD, 1.0, times=3)

    assert stage.order() == ["cloud", "local"]


def test_slightly_slower_is_not_slow() -> None:
    stage = Stage()
    stage.saw(LOCAL, 1.4, times=3)
    stage.saw(CLOUD, 1.0, times=3)

    assert stage.order() == ["local", "cloud"]


def test_two_samples_say_nothing() -> None:
    stage = Stage()
    stage.saw(LOCAL, 9.0, times=2)
    stage.saw(CLOUD, 1.0, times=3)

    assert stage.order() == ["local", "cloud"]


def test_a_failing_provider_moves_behind_a_slow_one() -> None:
    stage = Stage()
    stage.saw(LOCAL, 1.0, times=4)
    stage.saw(LOCAL, 1.0, **FAILED)
    stage.saw(CLOUD, 9.0, times=3)
    stage.saw(THIRD, 1.0, times=3)

    assert stage.order(LOCAL, CLOUD, THIRD) == ["third", "cloud", "local"]


def test_four_attempts_are_too_few_for_an_error_rate() -> None:
    stage = Stage()
    stage.saw(LOCAL, 1.0, times=4, **FAILED)

    assert stage.order() == ["local", "cloud"]


def test_samples_are_forgotten_after_a_minute() -> None:
    stage = Stage()
    stage.saw(LOCAL, 9.0, times=3)
    stage.saw(CLOUD, 1.0, times=3)
    before = stage.order()
    stage.clock.advance(61)

    assert (before, stage.order()) == (["cloud", "local"], ["local", "cloud"])


def test_an_order_is_kept_for_half_a_minute() -> None:
    stage = Stage()
    stage.saw(LOCAL, 9.0, times=3)
    stage.saw(CLOUD, 1.0, times=3)
    stage.order()
    stage.clock.advance(29)
    stage.saw(LOCAL, 1.0, times=20)
    pinned = stage.order()
    stage.clock.advance(1)

    assert (pinned, stage.order()) == (["cloud", "local"], ["local", "cloud"])


def test_a_neighbour_that_made_room_is_not_pinned() -> None:
    stage = Stage()
    stage.saw(LOCAL, 9.0, times=3)
    stage.saw(CLOUD, 1.0, times=3)
    stage.saw(THIRD, 1.0, times=3)
    stage.order(LOCAL, CLOUD, THIRD)
    stage.saw(CLOUD, 1.0, times=5, **FAILED)

    assert stage.order(LOCAL, CLOUD, THIRD) == ["third", "local", "cloud"]


def test_two_profiles_over_the_same_providers_do_not_disturb_each_other() -> None:
    stage = Stage()
    other = evolve(ON, name="other", providers=("cloud", "local"))
    stage.saw(LOCAL, 9.0, times=3)
    stage.saw(CLOUD, 1.0, times=3)

    assert (stage.order(), stage.order(CLOUD, LOCAL, profile=other)) == (
        ["cloud", "local"],
        ["cloud", "local"],
    )
    assert stage.order(LOCAL, CLOUD, profile=evolve(other, name="third")) == ["local", "cloud"]


def test_where_it_is_off_nothing_is_recorded() -> None:
    stage = Stage()
    off = Profile("off", ("local", "cloud"))
    stage.saw(LOCAL, 9.0, times=3, profile=off)

    assert stage.guard._watched == {}


def test_the_event_shows_both_orders_and_the_figures() -> None:
    stage = Stage()
    stage.saw(LOCAL, 2.0, times=3)
    stage.saw(CLOUD, 1.0, times=3)
    stage.order()

    assert stage.told == [
        {
            "profile": "on",
            "static_order": ["local", "cloud"],
            "effective_order": ["cloud", "local"],
            "stats": {
                "local": {"median_latency_ms": 2000.0, "error_rate": 0.0, "sample_count": 3},
                "cloud": {"median_latency_ms": 1000.0, "error_rate": 0.0, "sample_count": 3},
            },
        }
    ]


def served(**profile: Any) -> ServedRouter:
    return make_router(
        AdaptiveGuard(),
        Script(local=BROKEN, cloud="cloud"),
        clock=FakeClock(),
        profile={"adaptive": True, **profile},
    )


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("dialect", ["messages", "chat"])
def test_adaptive_is_fed_by_every_kind_of_traffic(dialect: str, stream: bool) -> None:
    router = served()

    orders = [
        [a.provider.name for a in router.ask(dialect=dialect, stream=stream).attempts] for _ in range(6)
    ]

    assert orders == [["local", "cloud"]] * 5 + [["cloud"]]


def test_adaptive_off_keeps_the_configured_order() -> None:
    router = served(adaptive=False)

    orders = [[a.provider.name for a in router.ask().attempts] for _ in range(6)]

    assert orders == [["local", "cloud"]] * 6


def test_requests_that_are_wrong_demote_nobody() -> None:
    router = make_router(
        AdaptiveGuard(),
        Script(local=[*[ProviderError("bad", status=400)] * 6, "local"], cloud="cloud"),
        clock=FakeClock(),
        profile={"adaptive": True},
    )
    for _ in range(6):
        router.ask()

    assert router.ask().provider == "local"


def test_a_provider_that_was_moved_back_is_seen_with_its_reason() -> None:
    stage = Stage()
    stage.saw(LOCAL, 9.0, times=3)
    stage.saw(CLOUD, 1.0, times=3)
    before = list(stage.guard.report_standing())
    stage.order()

    seen = [(each.provider, each.state, each.reason) for each in stage.guard.report_standing()]

    assert (before, seen) == ([], [("local", "slow", "slow, 9.00 s for a usual answer, in profile 'on'")])


def test_a_provider_that_fails_often_is_seen_as_degraded() -> None:
    stage = Stage()
    stage.saw(LOCAL, 1.0, times=5, **FAILED)
    stage.order()

    assert [each.state for each in stage.guard.report_standing()] == ["degraded"]


STEPS = st.lists(
    st.tuples(
        st.sampled_from([ON, OTHER]),
        st.sampled_from([LOCAL, CLOUD, THIRD]),
        st.sampled_from([0.1, 1.0, 5.0]),
        st.sampled_from([{}, FAILED]),
        st.sampled_from([0.0, 5.0, 31.0, 61.0]),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_a_profile_decides_as_if_it_were_alone(steps: list[Any]) -> None:
    both = Stage()
    alone = {profile.name: Stage() for profile in (ON, OTHER)}
    for profile, provider, seconds, how, waited in steps:
        for stage in (both, alone[profile.name]):
            stage.saw(provider, seconds, profile=profile, **how)
        for stage in (both, *alone.values()):
            stage.clock.advance(waited)
        chain = [LOCAL, CLOUD, THIRD] if profile is ON else [THIRD, CLOUD, LOCAL]

        assert both.order(*chain, profile=profile) == alone[profile.name].order(*chain, profile=profile)
