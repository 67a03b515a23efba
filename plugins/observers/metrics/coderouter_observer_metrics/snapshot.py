"""What one process knows at a moment, and what several know together."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import orjson
from attrs import asdict, frozen

from coderouter_core.api import BudgetStanding, Event, Router
from coderouter_observer_metrics.counts import Counts
from coderouter_observer_metrics.families import BOUNDS
from coderouter_observer_metrics.learning import MOST_RECENT, Learning

#: What a provider may be in, the worse the later. The worst that any plugin of any process says is shown.
STATES = ("healthy", "slow", "degraded", "resting", "unhealthy")
#: Characters of an upstream's words that are shown.
MOST_ERROR = 200


def stamp(at: float) -> str:
    """Unix time as UTC with milliseconds."""
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@frozen(eq=False)
class Snapshot:
    """Plain values, which another process can read. `counts` is as `Counts.plain` gives it; `standings` and
    `budgets` are those of every plugin; `live` are requests under way; `added_up` names files whose figures are in
    these."""

    pid: int
    started_at: float
    counts: Mapping[str, Any]
    recent: Sequence[Mapping[str, Any]]
    errors: Mapping[str, Mapping[str, Any]]
    startup: Mapping[str, Any]
    live: int
    standings: Sequence[Mapping[str, Any]]
    budgets: Sequence[Mapping[str, Any]]
    ledger: Mapping[str, Any]
    added_up: Sequence[str] = ()

    def encoded(self) -> bytes:
        return orjson.dumps(asdict(self, recurse=False), default=str)

    @classmethod
    def decoded(cls, raw: bytes) -> Snapshot:
        """Raises `ValueError` or `TypeError` for what `encoded` did not write."""
        return cls(**orjson.loads(raw))


@frozen(eq=False)
class Sum:
    """What is shown: of all processes, of which `pids` live. `counts` holds those of dead ones too."""

    pids: Sequence[int]
    started_at: float
    counts: Counts
    recent: Sequence[Mapping[str, Any]]
    errors: Mapping[str, Mapping[str, Any]]
    startup: Mapping[str, Any]
    live: int
    standings: Sequence[Mapping[str, Any]]
    budgets: Sequence[Mapping[str, Any]]
    ledger: Mapping[str, Any]

    def states(self, providers: Iterable[str]) -> dict[str, str]:
        """The worst that is said of each provider."""
        found = dict.fromkeys(providers, STATES[0])
        for each in self.standings:
            name, state = each["provider"], each["state"]
            if name in found and state in STATES and STATES.index(state) > STATES.index(found[name]):
                found[name] = state
        return found


def take(learning: Learning, router: Router, started_at: float) -> Snapshot:
    """This process, now."""
    said = router.standings()
    budgets = [asdict(each.verdict) for each in said if isinstance(each.verdict, BudgetStanding)]
    standings = [
        {"plugin": each.plugin, **asdict(each.verdict)}
        for each in said
        if not isinstance(each.verdict, BudgetStanding)
    ]
    ledger = dict(router.ledger.health())
    counts = learning.counts.plain()
    counts["totals"] += [
        ["log_lines_dropped_total", sink, figures["dropped"]] for sink, figures in router.log_health().items()
    ]
    counts["totals"].append(["ledger_dropped_records_total", ledger.get("dropped", 0)])
    return Snapshot(
        pid=os.getpid(),
        started_at=started_at,
        counts=counts,
        recent=[_step(event) for event in learning.recent],
        errors={name: _error(event) for name, event in learning.errors.items()},
        startup=learning.startup,
        live=len(router.live()),
        standings=standings,
        budgets=budgets,
        ledger=ledger,
    )


def add_up(own: Snapshot, others: Sequence[Snapshot] = (), gone: Sequence[Snapshot] = ()) -> Sum:
    """`own` and `others` are processes that live; of those that are `gone`, only what they counted counts."""
    living, everyone = [own, *others], [own, *others, *gone]
    counts = Counts(BOUNDS)
    for each in everyone:
        counts.learn(each.counts)
    errors: dict[str, Mapping[str, Any]] = {}
    for name, error in chain.from_iterable(each.errors.items() for each in everyone):
        if name not in errors or error["ts"] > errors[name]["ts"]:
            errors[name] = error
    recent = sorted(chain.from_iterable(each.recent for each in everyone), key=lambda step: str(step["ts"]))
    return Sum(
        pids=[each.pid for each in living],
        started_at=min(each.started_at for each in everyone),
        counts=counts,
        recent=recent[-MOST_RECENT:],
        errors=errors,
        startup=own.startup,
        live=sum(each.live for each in living),
        standings=_standings(living),
        budgets=_budgets(own, others),
        ledger=_ledger(living),
    )


def _standings(living: Sequence[Snapshot]) -> list[Mapping[str, Any]]:
    """What each plugin says of each provider, the worst of all processes."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for each in chain.from_iterable(snapshot.standings for snapshot in living):
        key = (each["provider"], each["plugin"])
        if key not in found or _badness(each) > _badness(found[key]):
            found[key] = each
    return [found[key] for key in sorted(found)]


def _badness(standing: Mapping[str, Any]) -> int:
    state = standing["state"]
    return STATES.index(state) if state in STATES else 0


def _budgets(own: Snapshot, others: Sequence[Snapshot]) -> list[dict[str, Any]]:
    """What is spent is the same for all processes, by way of the ledger; each holds for its own attempts."""
    held: dict[tuple[str, str], float] = {}
    for each in chain.from_iterable(snapshot.budgets for snapshot in others):
        key = (each["scope"], each["name"])
        held[key] = held.get(key, 0.0) + each["held_usd"]
    return [
        {**each, "held_usd": each["held_usd"] + held.get((each["scope"], each["name"]), 0.0)}
        for each in own.budgets
    ]


def _ledger(living: Sequence[Snapshot]) -> dict[str, Any]:
    """The health of the ledger: well when it is for all; what waits and what was dropped add up."""
    healths = [each.ledger for each in living]
    summed = {
        key: sum(health.get(key, 0) for health in healths)
        for key in ("waiting", "dropped", "carried")
        if key in healths[0]
    }
    return {**healths[0], **summed, "ok": all(health["ok"] for health in healths)}


def _step(event: Event) -> dict[str, Any]:
    fields = event.fields
    shown = {key: fields[key] for key in ("stream", "status", "retryable") if key in fields}
    return {"ts": stamp(event.at), "event": event.name, "provider": fields["provider"], **shown}


def _error(event: Event) -> dict[str, Any]:
    fields, error = event.fields, str(event.fields["error"])
    return {
        "ts": stamp(event.at),
        "status": fields["status"],
        "retryable": fields["retryable"],
        "error": error if len(error) <= MOST_ERROR else f"{error[:MOST_ERROR]}…",
    }
