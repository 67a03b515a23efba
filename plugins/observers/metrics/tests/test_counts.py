"""Counting: exact, added up without loss, and bounded."""

from __future__ import annotations

from coderouter_observer_metrics.counts import OVERFLOW, PARTS, SECONDS, Counts, Histogram, parted
from coderouter_observer_metrics.families import BOUNDS
from coderouter_observer_metrics.learning import Words
from hypothesis import given
from hypothesis import strategies as st


def filled(values: list[float]) -> Histogram:
    histogram = Histogram(parted(SECONDS))
    for value in values:
        histogram.observe(value)
    return histogram


def test_a_value_on_a_bound_is_below_it() -> None:
    assert filled([0.05]).buckets[PARTS - 1] == 1


def test_every_bound_that_is_told_is_one_that_is_counted_by() -> None:
    assert parted(SECONDS)[PARTS - 1 :: PARTS] == SECONDS


def test_there_is_no_quantile_of_nothing() -> None:
    assert filled([]).quantile(0.5) is None


def test_what_is_beyond_the_last_bound_is_told_as_the_last() -> None:
    assert filled([9999.0]).quantile(0.5) == SECONDS[-1]


@given(st.lists(st.floats(0, 600), min_size=1), st.sampled_from([0.5, 0.95]))
def test_a_quantile_is_in_the_bucket_of_the_value(values: list[float], share: float) -> None:
    exact = sorted(values)[max(0, -(-int(share * 100) * len(values) // 100) - 1)]
    bounds = (0.0, *parted(SECONDS))
    at = next(index for index, bound in enumerate(bounds) if exact <= bound)

    found = filled(values).quantile(share)

    assert found is not None
    assert bounds[max(0, at - 1)] <= found <= bounds[max(1, at)] + 1e-9


@given(st.lists(st.floats(0, 600)), st.lists(st.floats(0, 600)))
def test_what_two_counted_is_what_one_would_have(one: list[float], other: list[float]) -> None:
    joint, first, second = Counts(BOUNDS), Counts(BOUNDS), Counts(BOUNDS)
    for into, values in ((first, one), (second, other)):
        for value in values:
            for each in (joint, into):
                each.add(("tokens_total", "one", "input"), int(value))
                each.observe(("overhead_seconds",), value)

    first.learn(second.plain())

    assert first.totals == joint.totals
    assert {key: each.buckets for key, each in first.histograms.items()} == {
        key: each.buckets for key, each in joint.histograms.items()
    }


def test_too_many_keys_are_counted_as_lost() -> None:
    counts = Counts(BOUNDS, most=10)

    for number in range(100):
        counts.add(("capability_degraded_total", str(number)))

    assert (len(counts), counts.totals[OVERFLOW]) == (11, 90)


def test_words_that_no_configuration_has_are_bounded() -> None:
    words = Words(frozenset({"known"}), most=2)

    assert [words(word) for word in ("a", "b", "c", "known", "a", None)] == [
        "a",
        "b",
        "other",
        "known",
        "a",
        "none",
    ]
