"""What ``/metrics.json`` says: the document of CodeRouter 1.10, and more."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from coderouter_core.api import ChainView, Config
from coderouter_observer_metrics.counts import Counts, Histogram
from coderouter_observer_metrics.snapshot import Sum, stamp

#: Reasons for which a provider was left out, as keys ``provider_skipped_…``.
SKIPPED = ("paid", "unknown", "budget", "memory_pressure", "missing_key", "resting", "other")
#: Counters that have one value, and are shown by their names.
SINGLE = (
    "requests_total",
    "chain_paid_gate_blocked_total",
    "chain_budget_exceeded_total",
    "chain_memory_pressure_blocked_total",
    "chain_uniform_auth_failure_total",
    "auto_router_fallthrough_total",
    "internal_errors_total",
    "ledger_failures_total",
)
#: Counters with one label, by the keys that show them.
BY_LABEL = {
    "provider_attempts": "provider_attempts_total",
    "provider_demoted_unhealthy": "provider_demoted_unhealthy_total",
    "capability_degraded": "capability_degraded_total",
    "output_filter_applied": "output_filter_applied_total",
    "cache_read_tokens": "cache_read_tokens_total",
    "cache_creation_tokens": "cache_creation_tokens_total",
    "requests_by_status": "responses_total",
    "reasoning_tokens": "reasoning_tokens_total",
    "attempts_unpriced": "attempts_unpriced_total",
    "client_disconnects": "client_disconnects_total",
    "auto_router_rule_hits": "auto_router_rule_hits_total",
    "adaptive_reorders": "adaptive_reorders_total",
    "memory_pressure_detected": "memory_pressure_detected_total",
}
#: Counters with two.
BY_LABELS = {
    "provider_outcomes": "provider_outcomes_total",
    "backend_health_transitions": "backend_health_transitions_total",
    "cache_outcomes": "cache_observed_total",
    "attempts_finished": "attempts_finished_total",
    "attempt_errors": "attempt_errors_total",
    "tool_loops": "tool_loops_total",
    "guard_actions": "guard_actions_total",
    "tool_calls_repaired": "tool_calls_repaired_total",
    "plugin_failures": "plugin_failures_total",
}


def document(seen: Sum, config: Config, chains: Sequence[ChainView], now: float) -> dict[str, Any]:
    """The whole document; `now` is Unix time."""
    counts = seen.counts
    return {
        "uptime_s": round(max(0.0, now - seen.started_at), 3),
        "started_at": dt.datetime.fromtimestamp(seen.started_at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "startup": seen.startup,
        "counters": _counters(counts),
        "providers": _providers(seen, config),
        "recent": seen.recent,
        "config": _config(config),
        "latency": _spread(counts.spread("request_duration_seconds")),
        "time_to_first_token": _spread(counts.spread("time_to_first_token_seconds")),
        "overhead": _spread(counts.spread("overhead_seconds"), digits=6),
        "live": {"requests": seen.live},
        "standings": [
            {**each, "until": None if each["until"] is None else stamp(each["until"])}
            for each in seen.standings
        ],
        "budgets": [_budget(each) for each in seen.budgets],
        "chains": [_chain(each) for each in chains],
        "ledger": seen.ledger,
        "log": {"dropped": counts.by("log_lines_dropped_total")},
        "workers": {"count": len(seen.pids), "pids": sorted(seen.pids)},
    }


def _counters(counts: Counts) -> dict[str, Any]:
    costs, savings = counts.by("cost_total_usd_total"), counts.by("cost_savings_usd_total")
    skipped = {
        f"provider_skipped_{reason}": {
            provider: by_reason[reason]
            for provider, by_reason in counts.by_two("provider_skipped_total").items()
            if reason in by_reason
        }
        for reason in SKIPPED
    }
    tokens = counts.by_two("tokens_total")
    return {
        **{name: counts.one(name) for name in SINGLE},
        "cache_read_tokens_total": sum(counts.by("cache_read_tokens_total").values()),
        "cache_creation_tokens_total": sum(counts.by("cache_creation_tokens_total").values()),
        **{key: counts.by(name) for key, name in BY_LABEL.items()},
        **{key: counts.by_two(name) for key, name in BY_LABELS.items()},
        **skipped,
        **_requests(counts),
        "input_tokens": {name: kinds["input"] for name, kinds in tokens.items() if "input" in kinds},
        "output_tokens": {name: kinds["output"] for name, kinds in tokens.items() if "output" in kinds},
        "cost_total_usd": _dollars(costs),
        "cost_savings_usd": _dollars(savings),
        "cost_total_usd_aggregate": round(sum(costs.values()), 6),
        "cost_savings_usd_aggregate": round(sum(savings.values()), 6),
    }


def _requests(counts: Counts) -> dict[str, dict[str, float]]:
    """Requests that ended, by each of the labels."""
    found: dict[str, dict[str, float]] = {
        f"requests_by_{label}": {} for label in ("profile", "dialect", "outcome")
    }
    for key, value in sorted(counts.totals.items()):
        if key[0] == "requests_finished_total":
            for by_value, word in zip(found.values(), key[1:], strict=True):
                by_value[word] = by_value.get(word, 0) + value
    return found


def _dollars(found: Mapping[str, float]) -> dict[str, float]:
    return {name: round(usd, 6) for name, usd in found.items() if usd > 0}


def _providers(seen: Sum, config: Config) -> list[dict[str, Any]]:
    counts = seen.counts
    attempts, outcomes = counts.by("provider_attempts_total"), counts.by_two("provider_outcomes_total")
    caches, tokens = counts.by_two("cache_observed_total"), counts.by_two("tokens_total")
    states = seen.states(provider.name for provider in config.providers)
    return [
        {
            "name": name,
            "attempts": attempts.get(name, 0),
            "outcomes": outcomes.get(name, {}),
            "last_error": seen.errors.get(name),
            "cache": _cache(counts, name, caches.get(name, {})),
            "cost": {
                "total_usd": round(counts.totals.get(("cost_total_usd_total", name), 0), 6),
                "savings_usd": round(counts.totals.get(("cost_savings_usd_total", name), 0), 6),
            },
            "tokens": {
                **{kind: tokens.get(name, {}).get(kind, 0) for kind in ("input", "output")},
                "reasoning": counts.totals.get(("reasoning_tokens_total", name), 0),
            },
            "latency": _spread(counts.histograms.get(("attempt_duration_seconds", name))),
            "time_to_first_token": _spread(counts.histograms.get(("time_to_first_token_seconds", name))),
            "state": states.get(name, "healthy"),
        }
        for name in sorted({*attempts, *outcomes, *caches, *tokens, *seen.errors})
    ]


def _cache(counts: Counts, name: str, outcomes: Mapping[str, float]) -> dict[str, Any]:
    told = sum(outcomes.get(kind, 0) for kind in ("cache_hit", "cache_creation", "no_cache"))
    return {
        "read_tokens": counts.totals.get(("cache_read_tokens_total", name), 0),
        "creation_tokens": counts.totals.get(("cache_creation_tokens_total", name), 0),
        "outcomes": outcomes,
        "hit_rate": round(outcomes.get("cache_hit", 0) / told, 4) if told else None,
        "observations": sum(outcomes.values()),
    }


def _spread(histogram: Histogram | None, digits: int = 3) -> dict[str, Any]:
    """How many, and about how long half and 95 % of them took, in seconds; as exact as the buckets are fine."""
    half, most = (None, None) if histogram is None else (histogram.quantile(0.5), histogram.quantile(0.95))
    return {
        "count": 0 if histogram is None else histogram.count,
        "p50_s": None if half is None else round(half, digits),
        "p95_s": None if most is None else round(most, digits),
    }


def _budget(budget: Mapping[str, Any]) -> dict[str, Any]:
    return {key: round(value, 6) if key.endswith("_usd") else value for key, value in budget.items()}


def _chain(view: ChainView) -> dict[str, Any]:
    return {
        "profile": view.profile,
        "configured": view.configured,
        "effective": view.effective,
        "rejected": [each._asdict() for each in view.rejected],
        "demoted": [each._asdict() for each in view.demoted],
    }


def _config(config: Config) -> dict[str, Any]:
    return {
        "default_profile": config.default_profile,
        "allow_paid": config.settings.allow_paid,
        "display_timezone": config.settings.display_timezone,
        "providers": [
            {"name": each.name, "kind": each.kind, "paid": each.paid, "base_url": place(each.base_url)}
            for each in config.providers
        ],
        "profiles": [{"name": each.name, "providers": each.providers} for each in config.profiles],
    }


def place(url: str) -> str:
    """A URL without what may be a secret: user, password, query, fragment."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
