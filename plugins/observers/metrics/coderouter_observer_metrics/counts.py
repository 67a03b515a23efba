"""Numbers that only grow: cheap to add to while requests run, and to add up afterwards."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import define, field

#: The name of a family, then the values of its labels.
Key = tuple[str, ...]

#: Upper bounds in seconds that are told: of what a model takes, and of what the router itself takes.
SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0)
OWN_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)

#: Counted is in as many parts of each, so that quantiles are less coarse.
PARTS = 4

#: Keys that are kept, of all families together; the labels have few values, and this holds if one had many.
MOST_KEYS = 20_000
#: Counts what was not counted for that reason.
OVERFLOW: Key = ("metrics_overflow_total",)


def parted(bounds: Sequence[float]) -> tuple[float, ...]:
    """`bounds`, and those between them, evenly."""
    found: list[float] = []
    for low, high in zip((0.0, *bounds), bounds, strict=False):
        found += [low + (high - low) * part / PARTS for part in range(1, PARTS)]
        found.append(high)
    return tuple(found)


@define
class Histogram:
    """How many values were at most each of `bounds`, and above the last; and their sum."""

    bounds: tuple[float, ...]
    buckets: list[int] = field(init=False)
    total: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.buckets = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        self.buckets[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        return sum(self.buckets)

    def add(self, buckets: Sequence[int], total: float) -> None:
        """Add what another one counted within the same bounds."""
        self.buckets = [ours + theirs for ours, theirs in zip(self.buckets, buckets, strict=True)]
        self.total += total

    def quantile(self, share: float) -> float | None:
        """About the value that `share` of all are at most; the last bound for what is beyond it."""
        wanted = share * self.count
        if not wanted:
            return None
        seen, low = 0, 0.0
        for bound, inside in zip(self.bounds, self.buckets, strict=False):
            if inside and seen + inside >= wanted:
                return low + (bound - low) * (wanted - seen) / inside
            seen, low = seen + inside, bound
        return low


class Counts:
    """Counters and histograms by key, at most `most` of each. `bounds` are those of each histogram's family."""

    def __init__(self, bounds: Mapping[str, tuple[float, ...]], most: int = MOST_KEYS) -> None:
        self.totals: dict[Key, float] = {}
        self.histograms: dict[Key, Histogram] = {}
        self._bounds = bounds
        self._most = most

    def add(self, key: Key, amount: float = 1) -> None:
        if key in self.totals:
            self.totals[key] += amount
        elif len(self.totals) < self._most:
            self.totals[key] = amount
        else:
            self.totals[OVERFLOW] = self.totals.get(OVERFLOW, 0) + 1

    def observe(self, key: Key, value: float) -> None:
        histogram = self.histograms.get(key)
        if histogram is None:
            if len(self.histograms) >= self._most:
                self.add(OVERFLOW)
                return
            histogram = self.histograms[key] = Histogram(self._bounds[key[0]])
        histogram.observe(value)

    def __len__(self) -> int:
        return len(self.totals) + len(self.histograms)

    # ---- to carry, and to add up

    def plain(self) -> dict[str, Any]:
        """As lists that JSON knows."""
        return {
            "totals": [[*key, value] for key, value in self.totals.items()],
            "histograms": [[*key, each.buckets, each.total] for key, each in self.histograms.items()],
        }

    def learn(self, plain: Mapping[str, Iterable[Sequence[Any]]]) -> None:
        """Add what another process counted, as `plain` told it. Families of another version are left out."""
        for *key, value in plain["totals"]:
            self.add(tuple(key), value)
        for *key, buckets, total in plain["histograms"]:
            bounds = self._bounds.get(key[0])
            if bounds is not None and len(buckets) == len(bounds) + 1:
                histogram = self.histograms.setdefault(tuple(key), Histogram(bounds))
                histogram.add(buckets, total)

    # ---- to read

    def one(self, name: str) -> float:
        return self.totals.get((name,), 0)

    def by(self, name: str, *fixed: str) -> dict[str, float]:
        """The values of a family by its last label; `fixed` are those of the labels before it."""
        start = (name, *fixed)
        return {key[-1]: value for key, value in sorted(self.totals.items()) if key[:-1] == start}

    def by_two(self, name: str) -> dict[str, dict[str, float]]:
        """The values of a family with two labels."""
        found: dict[str, dict[str, float]] = {}
        for key, value in sorted(self.totals.items()):
            if key[0] == name:
                found.setdefault(key[1], {})[key[2]] = value
        return found

    def spread(self, name: str) -> Histogram:
        """All histograms of a family as one."""
        joined = Histogram(self._bounds[name])
        for key, each in self.histograms.items():
            if key[0] == name:
                joined.add(each.buckets, each.total)
        return joined
