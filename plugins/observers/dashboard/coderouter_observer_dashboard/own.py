"""What this process saw, as of now."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Mapping
from typing import Any

from attrs import asdict

from coderouter_core.api import BudgetStanding, Config, Provider, Router, Standing
from coderouter_observer_dashboard.figures import Figures, figures_of
from coderouter_observer_dashboard.record import Record
from coderouter_observer_dashboard.snapshot import (
    Snapshot,
    event_of,
    plain_actions,
    plain_minute,
    request_of,
)

HOUR_S = 3600.0


class Own:
    """Figures of a provider are kept until it was tried again, or a minute is over."""

    def __init__(self, config: Config, router: Router, record: Record) -> None:
        self._providers = config.providers
        self._router = router
        self.record = record
        self._began = self.now()
        self.id = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._figures: dict[str, tuple[tuple[int, int], Figures]] = {}
        self._taken: tuple[Mapping[str, Any], int, Snapshot] | None = None

    def now(self) -> float:
        return self._router.clock.utc().timestamp()

    async def take(self) -> Snapshot:
        """The same as before while nothing happens."""
        for provider in self._providers:
            if self._is_stale(provider):
                self._figures_of(provider)
                # Room for requests: a provider's figures can take a millisecond.
                await asyncio.sleep(0)
        present, minute = self._present(), int(self.now() // 60)
        if self._taken is None or self._taken[:2] != (present, minute):
            self._taken = (present, minute, self._snapshot(present))
        return self._taken[2]

    def _present(self) -> dict[str, Any]:
        """What may be otherwise each time."""
        said = [(each.plugin, each.verdict) for each in self._router.standings()]
        return {
            "requests_seen": self.record.requests_seen,
            "events_seen": self.record.events_seen,
            "live": [asdict(each) for each in self._router.live()],
            "standings": [
                {"plugin": plugin, **asdict(each)} for plugin, each in said if isinstance(each, Standing)
            ],
            "budgets": [asdict(each) for _, each in said if isinstance(each, BudgetStanding)],
            "ledger_ok": bool(self._router.ledger.health().get("ok")),
        }

    def _snapshot(self, present: Mapping[str, Any]) -> Snapshot:
        record = self.record
        return Snapshot(
            id=self.id,
            pid=os.getpid(),
            began_at=self._began,
            at=self.now(),
            requests=[request_of(event, model) for event, model in record.requests],
            events=[event_of(event) for event in record.events],
            minutes=[plain_minute(each) for each in record.minutes],
            figures={each.name: self._figures_of(each) for each in self._providers},
            actions=plain_actions(record.actions),
            **present,
        )

    def _as_of(self, provider: Provider) -> tuple[int, int]:
        return self.record.attempts_seen.get(provider.name, 0), int(self.now() // 60)

    def _is_stale(self, provider: Provider) -> bool:
        known = self._figures.get(provider.name)
        return known is None or known[0] != self._as_of(provider)

    def _figures_of(self, provider: Provider) -> Figures:
        if self._is_stale(provider):
            begin = self.now() - HOUR_S
            kept = self.record.attempts.get(provider.name, ())
            figures = figures_of([each for each in kept if each.started_at + each.seconds > begin])
            self._figures[provider.name] = (self._as_of(provider), figures)
        return self._figures[provider.name][1]
