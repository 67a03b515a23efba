"""What the page shows, as plain values by section."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from itertools import chain
from typing import Any

from attrs import frozen

from coderouter_core.api import ChainView, Config, Peers, Provider, Router, month_of
from coderouter_observer_dashboard.costs import Costs
from coderouter_observer_dashboard.figures import percentile, shown
from coderouter_observer_dashboard.own import HOUR_S, Own
from coderouter_observer_dashboard.record import MINUTES, MOST_EVENTS, MOST_REQUESTS, Minute
from coderouter_observer_dashboard.snapshot import (
    Plain,
    Snapshot,
    actions_of,
    event_of,
    minutes_of,
    newest_of,
    request_of,
)

#: Shares of requests: failed, or answered only by a fallback, from which on the router is not well.
BAD_FAILED = 0.05
BAD_AGAIN = 0.2
SOME_AGAIN = 0.05
#: Of those in flight, as many are shown: the oldest.
MOST_LIVE = 200

Section = Mapping[str, Any] | Sequence[Any]
#: By process: how many requests and events of it somebody knows.
Known = Mapping[str, tuple[int, int]]


@frozen(eq=False)
class Seen:
    """What all processes saw, as they said last: `own`, `others` that live, and those that are `gone`."""

    own: Snapshot
    others: Sequence[Snapshot] = ()
    gone: Sequence[Snapshot] = ()

    @property
    def living(self) -> list[Snapshot]:
        return [self.own, *self.others]

    @property
    def everyone(self) -> list[Snapshot]:
        return [self.own, *self.others, *self.gone]


class View:
    """Computed when somebody looks, of what this process and its peers saw."""

    def __init__(self, config: Config, router: Router, own: Own, peers: Peers[Snapshot]) -> None:
        self._config = config
        self._router = router
        self._own = own
        self._peers = peers
        self._version = version("coderouter-core")
        self._seen: Seen | None = None
        self._minutes: list[Minute] = []
        self.costs = Costs(config, router)

    def now(self) -> float:
        return self._own.now()

    async def refresh(self) -> None:
        """Bring up to date what takes long."""
        await self.costs.refresh()
        seen = Seen(*await self._peers.seen())
        oldest = self.now() // 60 - MINUTES
        joined = await asyncio.to_thread(minutes_of, seen.everyone)
        self._seen, self._minutes = seen, [each for each in joined if each.minute > oldest]

    def sections(self) -> dict[str, Section]:
        """Everything but the lists that only grow. `refresh` comes first."""
        assert self._seen is not None, "refresh comes first"
        seen = self._seen
        chains = [_chain(view) for view in self._router.chains()]
        budgets = _budgets(seen)
        providers = self._providers(seen, budgets, chains)
        live = sorted(
            chain.from_iterable(each.live for each in seen.living), key=lambda each: each["began_at"]
        )
        return {
            "router": self._about(seen, providers, len(live)),
            "minutes": [_minute(each) for each in self._minutes],
            "providers": providers,
            "budgets": budgets,
            "chains": chains,
            "live": live[:MOST_LIVE],
            "actions": actions_of(seen.everyone),
            "costs": self.costs.known,
        }

    # ---- lists that only grow

    def known(self) -> Known:
        """What somebody knows who was told everything now."""
        record = self._own.record
        others = {each.id: (each.requests_seen, each.events_seen) for each in self._others()}
        return {**others, self._own.id: (record.requests_seen, record.events_seen)}

    def requests(self, known: Known | None = None) -> list[Plain]:
        """Requests that ended, oldest first: the newest, or those that came after what is `known`."""
        since, record = _since(known, self._own.id, 0), self._own.record
        own = [request_of(event, model) for event, model in record.newest_requests(since)]
        others = [
            _after(each.requests, each.requests_seen, _since(known, each.id, 0)) for each in self._others()
        ]
        return newest_of([own, *others], MOST_REQUESTS)

    def events(self) -> list[Plain]:
        """The newest events, oldest first."""
        own = [event_of(event) for event in self._own.record.events]
        return newest_of([own, *(each.events for each in self._others())], MOST_EVENTS)

    def events_of_others(self, known: Known) -> list[Plain]:
        """Events of other processes that came after what is `known`."""
        new = [_after(each.events, each.events_seen, _since(known, each.id, 1)) for each in self._others()]
        return newest_of(new, MOST_EVENTS)

    def _others(self) -> Sequence[Snapshot]:
        return [*self._seen.others, *self._seen.gone] if self._seen is not None else ()

    # ---- sections

    def _about(self, seen: Seen, providers: Sequence[Mapping[str, Any]], live: int) -> Section:
        settings = self._config.settings
        ok, failed, left, again = (
            sum(getattr(each, name) for each in self._minutes) for name in ("ok", "failed", "left", "again")
        )
        health, why = _health(ok + failed, failed, again, providers)
        own, others = self._own.record.requests_seen, self._others()
        return {
            "version": self._version,
            "profile": self._config.default_profile,
            "began_at": min(each.began_at for each in seen.everyone),
            "allow_paid": settings.allow_paid,
            "timezone": settings.display_timezone,
            "workers": len(seen.living),
            "live": live,
            "requests_total": own + sum(each.requests_seen for each in others),
            "hour_ok": ok,
            "hour_failed": failed,
            "hour_left": left,
            "hour_again": again,
            "hour_p95_ms": percentile((ms for each in self._minutes for ms in each.durations), 0.95),
            "health": health,
            "why": why,
            "ledger_ok": all(each.ledger_ok for each in seen.living),
        }

    def _providers(
        self, seen: Seen, budgets: Iterable[Plain], chains: Iterable[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        capped = {each["name"]: each for each in budgets if each["scope"] == "provider"}
        out = {each["provider"]: each for view in chains for each in view["rejected"]}
        standings = list(chain.from_iterable(each.standings for each in seen.living))
        # What died with a process is of its last hour, and not of ours for ever.
        counting = [each for each in seen.everyone if each.at > self.now() - HOUR_S or each in seen.living]
        month = month_of(self._router.clock.utc())
        rows = []
        for provider in self._config.providers:
            name = provider.name
            mine = [said for said in standings if said["provider"] == name]
            state, reason, until = _state(mine, capped.get(name), out, provider)
            rows.append(
                {
                    "name": name,
                    "model": provider.model,
                    "kind": provider.kind,
                    "place": _place(provider),
                    **shown([each.figures[name] for each in counting if name in each.figures]),
                    "state": state,
                    "reason": reason,
                    "until": until,
                    "budget": capped.get(name),
                    "month_usd": self.costs.of_provider(name, month),
                }
            )
        answered = sum(row["ok"] for row in rows)
        for row in rows:
            row["share"] = row["ok"] / answered if answered else None
        return rows


def _since(known: Known | None, process: str, which: int) -> int:
    return 0 if known is None else known.get(process, (0, 0))[which]


def _after(newest: Sequence[Plain], ever: int, since: int) -> Sequence[Plain]:
    """Of those that ever came the newest are there: those after the first `since`."""
    return newest[-(ever - since) :] if ever > since else ()


def _place(provider: Provider) -> str:
    if provider.paid:
        return "paid"
    return "local" if provider.is_local else "remote"


def _budgets(seen: Seen) -> list[dict[str, Any]]:
    """What is spent is the same for all, by way of the ledger; each process holds for its own attempts."""
    held: dict[tuple[str, str], float] = {}
    for each in chain.from_iterable(snapshot.budgets for snapshot in seen.living):
        key = (each["scope"], each["name"])
        held[key] = held.get(key, 0.0) + each["held_usd"]
    return [{**each, "held_usd": held[each["scope"], each["name"]]} for each in seen.own.budgets]


def _minute(minute: Minute) -> list[Any]:
    """Its Unix minute, how many requests went well, failed, were left by their clients, took more than one attempt,
    p50 and p95 in ms, output tokens."""
    ms = minute.durations
    spread = [_round(percentile(ms, 0.5)), _round(percentile(ms, 0.95))]
    return [minute.minute, minute.ok, minute.failed, minute.left, minute.again, *spread, minute.tokens]


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _chain(view: ChainView) -> dict[str, Any]:
    return {
        "profile": view.profile,
        "configured": view.configured,
        "effective": view.effective,
        "rejected": [each._asdict() for each in view.rejected],
        "demoted": [each._asdict() for each in view.demoted],
    }


#: The worst first.
_SEVERITY = ("resting", "unhealthy", "degraded", "slow", "healthy")


def _state(
    standings: Sequence[Plain],
    budget: Mapping[str, Any] | None,
    out: Mapping[str, Mapping[str, Any]],
    provider: Provider,
) -> tuple[str, str, float | None]:
    """One word for a provider, why, and until when: what keeps it from being asked before what slows it."""
    if budget is not None and budget["spent_usd"] >= budget["cap_usd"]:
        return "over budget", f"spent ${budget['spent_usd']:.2f} of ${budget['cap_usd']:.2f}", None
    if standings:
        worst = min(standings, key=lambda each: _SEVERITY.index(each["state"]))
        if worst["state"] != "healthy":
            return worst["state"], worst["reason"], worst["until"]
    if provider.name in out:
        return "left out", out[provider.name]["reason"], None
    return "healthy", "", None


def _health(total: int, failed: int, again: int, providers: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """One word for the router in the last hour, and why."""
    if not total:
        return "idle", "no request in the last hour"
    if failed / total >= BAD_FAILED:
        return "unhealthy", f"{failed} of {total} requests failed in the last hour"
    if again / total >= BAD_AGAIN:
        return "unhealthy", f"{again} of {total} requests needed a fallback in the last hour"
    unwell = [row["name"] for row in providers if row["state"] not in ("healthy", "left out")]
    if unwell:
        return "degraded", f"not well: {', '.join(unwell)}"
    if again / total >= SOME_AGAIN:
        return "degraded", f"{again} of {total} requests needed a fallback in the last hour"
    return "healthy", f"{total - failed} of {total} requests answered in the last hour"
