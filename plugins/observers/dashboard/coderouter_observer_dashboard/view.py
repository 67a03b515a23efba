"""What the page shows, as plain values by section."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import attrs

from coderouter_core.api import BudgetStanding, Config, Event, Provider, Router, Standing, month_of
from coderouter_observer_dashboard.costs import Costs
from coderouter_observer_dashboard.figures import figures_of, percentile
from coderouter_observer_dashboard.record import MINUTES, Minute, Record

HOUR_S = 3600.0
#: Shares of requests: failed, or answered only by a fallback, from which on the router is not well.
BAD_FAILED = 0.05
BAD_AGAIN = 0.2
SOME_AGAIN = 0.05

Section = Mapping[str, Any] | Sequence[Any]


class View:
    """Computed when somebody looks. Figures of a provider are kept until it was tried again, or a minute is over."""

    def __init__(self, config: Config, router: Router, record: Record) -> None:
        self._config = config
        self._router = router
        self._record = record
        self._version = version("coderouter-core")
        self._began = self.now()
        self.costs = Costs(config, router)
        self._figures: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {}

    def now(self) -> float:
        return self._router.clock.utc().timestamp()

    async def refresh(self) -> None:
        """Bring up to date what takes long: one provider after the other, with room for requests between them."""
        await self.costs.refresh()
        now = self.now()
        for provider in self._config.providers:
            if self._is_stale(provider, now):
                self._figures_of(provider, now)
                await asyncio.sleep(0)

    def sections(self) -> dict[str, Section]:
        """Everything but the lists that only grow."""
        now = self.now()
        said = self._router.standings()
        standings = [(each.plugin, each.verdict) for each in said if isinstance(each.verdict, Standing)]
        budgets = [each.verdict for each in said if isinstance(each.verdict, BudgetStanding)]
        chains = [_chain(view) for view in self._router.chains()]
        providers = self._providers(now, standings, budgets, chains)
        minutes = self._minutes(now)
        live = [attrs.asdict(each) for each in self._router.live()]
        return {
            "router": self._about(minutes, providers),
            "minutes": minutes,
            "providers": providers,
            "budgets": [attrs.asdict(each) for each in budgets],
            "chains": chains,
            "live": sorted(live, key=lambda each: each["began_at"]),
            "actions": self._actions(),
            "costs": self.costs.known,
        }

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """Requests that ended, oldest first, after the first `since` that ever did."""
        return [request_of(event, model) for event, model in self._record.newest_requests(since)]

    def events(self, since: int = 0) -> list[dict[str, Any]]:
        """Events, as `requests`."""
        return [event_of(event) for event in self._record.newest_events(since)]

    def _about(self, minutes: Sequence[Sequence[Any]], providers: Sequence[Mapping[str, Any]]) -> Section:
        settings = self._config.settings
        total, failed, again = (sum(each[at] for each in minutes) for at in (1, 2, 4))
        health, why = _health(total + failed, failed, again, providers)
        return {
            "version": self._version,
            "profile": self._config.default_profile,
            "began_at": self._began,
            "allow_paid": settings.allow_paid,
            "timezone": settings.display_timezone,
            "requests_total": self._record.requests_seen,
            "hour_ok": total,
            "hour_failed": failed,
            "hour_left": sum(each[3] for each in minutes),
            "hour_again": again,
            "hour_p95_ms": self._hour_p95(),
            "health": health,
            "why": why,
            "ledger_ok": bool(self._router.ledger.health().get("ok")),
        }

    def _hour_p95(self) -> float | None:
        oldest = self.now() // 60 - MINUTES
        return percentile(
            (ms for each in self._record.minutes if each.minute > oldest for ms in each.durations), 0.95
        )

    def _minutes(self, now: float) -> list[list[Any]]:
        """Of each minute of the last hour in which a request ended, the newest last: its Unix minute, how many went
        well, failed, were left by their clients, took more than one attempt, p50 and p95 in ms, output tokens."""
        oldest = now // 60 - MINUTES
        return [_minute(each) for each in self._record.minutes if each.minute > oldest]

    def _providers(
        self,
        now: float,
        standings: Sequence[tuple[str, Standing]],
        budgets: Iterable[BudgetStanding],
        chains: Iterable[Mapping[str, Any]],
    ) -> list[dict[str, Any]]:
        capped = {each.name: attrs.asdict(each) for each in budgets if each.scope == "provider"}
        out = {each["provider"]: each for chain in chains for each in chain["rejected"]}
        month = month_of(self._router.clock.utc())
        rows = []
        for provider in self._config.providers:
            row = dict(self._figures_of(provider, now))
            mine = [(plugin, said) for plugin, said in standings if said.provider == provider.name]
            row["state"], row["reason"], row["until"] = _state(mine, capped.get(provider.name), out, provider)
            row["budget"] = capped.get(provider.name)
            row["month_usd"] = self.costs.of_provider(provider.name, month)
            rows.append(row)
        answered = sum(row["ok"] for row in rows)
        for row in rows:
            row["share"] = row["ok"] / answered if answered else None
        return rows

    def _as_of(self, provider: Provider, now: float) -> tuple[int, int]:
        return self._record.attempts_seen.get(provider.name, 0), int(now // 60)

    def _is_stale(self, provider: Provider, now: float) -> bool:
        known = self._figures.get(provider.name)
        return known is None or known[0] != self._as_of(provider, now)

    def _figures_of(self, provider: Provider, now: float) -> dict[str, Any]:
        known = self._figures.get(provider.name)
        if known is None or self._is_stale(provider, now):
            lately = [
                each
                for each in self._record.attempts.get(provider.name, ())
                if each.started_at + each.seconds > now - HOUR_S
            ]
            place = "local" if provider.is_local else "remote"
            row = {
                "name": provider.name,
                "model": provider.model,
                "kind": provider.kind,
                "place": "paid" if provider.paid else place,
                **figures_of(lately),
            }
            known = self._figures[provider.name] = (self._as_of(provider, now), row)
        return known[1]

    def _actions(self) -> list[dict[str, Any]]:
        return [
            {"event": event, "provider": provider, "plugin": plugin, **attrs.asdict(action)}
            for (event, provider, plugin), action in self._record.actions.items()
        ]


def _minute(minute: Minute) -> list[Any]:
    ms = minute.durations
    spread = [_round(percentile(ms, 0.5)), _round(percentile(ms, 0.95))]
    return [minute.minute, minute.ok, minute.failed, minute.left, minute.again, *spread, minute.tokens]


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _chain(view: Any) -> dict[str, Any]:
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
    standings: Sequence[tuple[str, Standing]],
    budget: Mapping[str, Any] | None,
    out: Mapping[str, Mapping[str, Any]],
    provider: Provider,
) -> tuple[str, str, float | None]:
    """One word for a provider, why, and until when: what keeps it from being asked before what slows it."""
    if budget is not None and budget["spent_usd"] >= budget["cap_usd"]:
        return "over budget", f"spent ${budget['spent_usd']:.2f} of ${budget['cap_usd']:.2f}", None
    if standings:
        _, worst = min(standings, key=lambda each: _SEVERITY.index(each[1].state))
        if worst.state != "healthy":
            return worst.state, worst.reason, worst.until
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


def event_of(event: Event) -> dict[str, Any]:
    """An event as the feed shows it."""
    return {
        "name": event.name,
        "level": event.level.name.lower(),
        "at": event.at,
        "request_id": event.request_id,
        "session_id": event.session_id,
        "fields": event.fields,
    }


def request_of(event: Event, model: str) -> dict[str, Any]:
    """A request as the timeline shows it, from the event of its end."""
    said = {"request_id": event.request_id, "session_id": event.session_id, "at": event.at}
    return {**said, "model": model, **event.fields}
