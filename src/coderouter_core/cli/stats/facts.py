"""What is shown, read from a router's figures. Whatever an older router does not tell is nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from attrs import frozen

from coderouter_core.cli.printable import all_printable

#: States in which a provider does less than it should, the worse the later.
STATES = ("healthy", "slow", "degraded", "resting", "unhealthy")


@frozen
class Row:
    """One provider. Times in seconds; `hit_rate` None where nothing was counted; `notes` say why it is as it is.
    `input_tokens` are all of its prompts, cached or not."""

    name: str
    state: str
    attempts: int
    failed: int
    first_p50_s: float | None
    first_p95_s: float | None
    input_tokens: int
    output_tokens: int
    cost_usd: float
    savings_usd: float
    hit_rate: float | None
    error_status: int | None
    error: str
    notes: tuple[str, ...]

    @property
    def ok_percent(self) -> float:
        """Of the attempts that ended; 100 when there was none."""
        return 100.0 * (1 - self.failed / self.attempts) if self.attempts else 100.0


@frozen
class Step:
    """One of the latest events of attempts. `word` is ``ok``, ``try`` or ``FAIL (status)``."""

    at: str
    provider: str
    word: str

    @property
    def failed(self) -> bool:
        return self.word.startswith("FAIL")


@frozen
class Budget:
    """What may be spent this month, and what is; in US dollars."""

    name: str
    cap_usd: float
    spent_usd: float


@frozen
class ChainRow:
    """A profile's chain as configured and as it is now, and why they differ."""

    profile: str
    configured: tuple[str, ...]
    effective: tuple[str, ...]
    reasons: tuple[str, ...]


@frozen
class Facts:
    """Everything that is shown of a router at a moment."""

    profile: str
    uptime_s: float
    zone: str
    requests: int
    attempts: int
    failed: int
    live: int
    first_p50_s: float | None
    first_p95_s: float | None
    overhead_p50_s: float | None
    paid_gate_blocked: int
    degraded: Mapping[str, int]
    filters: Mapping[str, int]
    guards: Mapping[str, int]
    rows: tuple[Row, ...]
    budgets: tuple[Budget, ...]
    chains: tuple[ChainRow, ...]
    recent: tuple[Step, ...]

    @property
    def cost_usd(self) -> float:
        return sum(row.cost_usd for row in self.rows)

    @property
    def savings_usd(self) -> float:
        return sum(row.savings_usd for row in self.rows)

    @property
    def input_tokens(self) -> int:
        return sum(row.input_tokens for row in self.rows)

    @property
    def output_tokens(self) -> int:
        return sum(row.output_tokens for row in self.rows)


def read(document: Mapping[str, Any]) -> Facts:
    """The facts of a router's ``/metrics.json``, as they can be printed."""
    document = all_printable(document)
    counters = _table(document.get("counters"))
    config = _table(document.get("config"))
    zone = str(config.get("display_timezone") or "UTC")
    rows = tuple(_rows(document, config, counters))
    attempts = _table(counters.get("provider_attempts"))
    return Facts(
        profile=str(config.get("default_profile") or "-"),
        uptime_s=float(document.get("uptime_s") or 0.0),
        zone=zone,
        requests=int(counters.get("requests_total") or 0),
        attempts=sum(attempts.values()),
        failed=sum(row.failed for row in rows),
        live=int(_table(document.get("live")).get("requests") or 0),
        first_p50_s=_quantile(document, "time_to_first_token", "p50_s"),
        first_p95_s=_quantile(document, "time_to_first_token", "p95_s"),
        overhead_p50_s=_quantile(document, "overhead", "p50_s"),
        paid_gate_blocked=int(counters.get("chain_paid_gate_blocked_total") or 0),
        degraded=_table(counters.get("capability_degraded")),
        filters=_table(counters.get("output_filter_applied")),
        guards=dict(_guards(counters)),
        rows=rows,
        budgets=tuple(_budgets(document)),
        chains=tuple(_chains(document)),
        recent=tuple(_steps(document, _zone(zone))),
    )


def _rows(document: Mapping[str, Any], config: Mapping[str, Any], counters: Mapping[str, Any]) -> list[Row]:
    """Providers as they are configured, then those that only the past knows."""
    seen = {entry["name"]: entry for entry in _tables(document.get("providers")) if "name" in entry}
    names = [str(entry.get("name")) for entry in _tables(config.get("providers"))]
    names += [name for name in seen if name not in names]
    notes: dict[str, list[str]] = {}
    for standing in _tables(document.get("standings")):
        if standing.get("reason"):
            notes.setdefault(str(standing.get("provider")), []).append(
                f"{standing.get('plugin')}: {standing['reason']}"
            )
    attempts = _table(counters.get("provider_attempts"))
    return [_row(name, seen.get(name, {}), int(attempts.get(name, 0)), notes.get(name, [])) for name in names]


def _row(name: str, entry: Mapping[str, Any], attempts: int, notes: Sequence[str]) -> Row:
    outcomes, tokens, cache = (_table(entry.get(key)) for key in ("outcomes", "tokens", "cache"))
    cached = int(cache.get("read_tokens", 0)) + int(cache.get("creation_tokens", 0))
    cost, error = _table(entry.get("cost")), _table(entry.get("last_error"))
    first = _table(entry.get("time_to_first_token"))
    return Row(
        name=name,
        state=str(entry.get("state") or "healthy"),
        attempts=attempts,
        failed=int(outcomes.get("failed", 0)) + int(outcomes.get("failed_midstream", 0)),
        first_p50_s=first.get("p50_s"),
        first_p95_s=first.get("p95_s"),
        input_tokens=int(tokens.get("input", 0)) + cached,
        output_tokens=int(tokens.get("output", 0)),
        cost_usd=float(cost.get("total_usd") or 0.0),
        savings_usd=float(cost.get("savings_usd") or 0.0),
        hit_rate=cache.get("hit_rate"),
        error_status=error.get("status"),
        error=str(error.get("error") or ""),
        notes=tuple(notes),
    )


def _guards(counters: Mapping[str, Any]) -> list[tuple[str, int]]:
    """What guards did, by what it was."""
    said = [
        (f"{guard} {action}", int(count))
        for guard, actions in _table(counters.get("guard_actions")).items()
        for action, count in _table(actions).items()
    ]
    blocked = int(counters.get("chain_budget_exceeded_total") or 0)
    return said + ([("budget blocked a chain", blocked)] if blocked else [])


def _budgets(document: Mapping[str, Any]) -> list[Budget]:
    return [
        Budget(
            str(entry["name"])
            if entry.get("scope") == "provider"
            else f"{entry.get('scope')} {entry['name']}",
            float(entry.get("cap_usd") or 0.0),
            float(entry.get("spent_usd") or 0.0),
        )
        for entry in _tables(document.get("budgets"))
        if "name" in entry
    ]


def _chains(document: Mapping[str, Any]) -> list[ChainRow]:
    return [
        ChainRow(
            str(entry.get("profile")),
            tuple(map(str, entry.get("configured") or ())),
            tuple(map(str, entry.get("effective") or ())),
            tuple(
                f"{said.get('provider')}: {said.get('reason')}"
                for key in ("rejected", "demoted")
                for said in _tables(entry.get(key))
            ),
        )
        for entry in _tables(document.get("chains"))
    ]


_WORDS = {"try-provider": "try", "provider-ok": "ok"}


def _steps(document: Mapping[str, Any], zone: dt.tzinfo) -> list[Step]:
    """Newest first."""
    found = []
    for entry in reversed(_tables(document.get("recent"))):
        status = entry.get("status")
        failed = "FAIL" if status is None else f"FAIL ({status})"
        word = _WORDS.get(str(entry.get("event")), failed)
        found.append(Step(_clock(str(entry.get("ts")), zone), str(entry.get("provider")), word))
    return found


def _clock(stamp: str, zone: dt.tzinfo) -> str:
    try:
        at = dt.datetime.fromisoformat(stamp)
    except ValueError:
        return stamp[-8:]
    return (at if at.tzinfo else at.replace(tzinfo=dt.UTC)).astimezone(zone).strftime("%H:%M:%S")


def _zone(name: str) -> dt.tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return dt.UTC


def _quantile(document: Mapping[str, Any], name: str, which: str) -> float | None:
    value = _table(document.get(name)).get(which)
    return float(value) if isinstance(value, (int, float)) else None


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _tables(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
