"""What each event teaches."""

from __future__ import annotations

from typing import Any

import pytest
from coderouter_observer_metrics.learning import Learning

from coderouter_core.api import AutoRouter, Config, Event, Level, Profile, Provider, Rule

CONFIG = Config(
    (Provider("box", model="qwen3"), Provider("cloud", model="sonnet")),
    (Profile("default", ("box", "cloud")),),
    auto_router=AutoRouter((Rule("has-image", "default", None),)),
)
BOX = {"provider": "box", "profile": "default"}


def taught(name: str, fields: dict[str, Any]) -> dict[tuple[str, ...], float]:
    learning = Learning(CONFIG)
    learning.event(Event(name, Level.INFO, 1.0, "req", fields))
    return learning.counts.totals


@pytest.mark.parametrize(
    ("name", "fields", "counts"),
    [
        ("request-received", {}, {("requests_total",): 1}),
        ("chain-paid-gate-blocked", {}, {("chain_paid_gate_blocked_total",): 1}),
        ("chain-budget-exceeded", {}, {("chain_budget_exceeded_total",): 1}),
        ("chain-memory-pressure-blocked", {}, {("chain_memory_pressure_blocked_total",): 1}),
        ("chain-uniform-auth-failure", {}, {("chain_uniform_auth_failure_total",): 1}),
        ("auto-router-fallthrough", {}, {("auto_router_fallthrough_total",): 1}),
        ("auto-router-resolved", {"rule_id": "has-image"}, {("auto_router_rule_hits_total", "has-image"): 1}),
        ("internal-error", {}, {("internal_errors_total",): 1}),
        ("ledger-failed", {}, {("ledger_failures_total",): 1}),
        ("skip-paid-provider", BOX, {("provider_skipped_total", "box", "paid"): 1}),
        ("skip-missing-key", BOX, {("provider_skipped_total", "box", "missing_key"): 1}),
        (
            "skip-memory-pressure",
            {**BOX, "plugin": "memory-pressure"},
            {
                ("provider_skipped_total", "box", "memory_pressure"): 1,
                ("guard_actions_total", "memory-pressure", "skip"): 1,
            },
        ),
        (
            "skip-of-a-stranger",
            {**BOX, "plugin": "stranger"},
            {
                ("provider_skipped_total", "box", "other"): 1,
                ("guard_actions_total", "stranger", "skip"): 1,
            },
        ),
        (
            "demote-unhealthy-provider",
            {**BOX, "plugin": "backend-health", "reason": "fails", "weight": 100},
            {
                ("provider_demoted_unhealthy_total", "box"): 1,
                ("guard_actions_total", "backend-health", "demote"): 1,
            },
        ),
        (
            "demote-provider",
            {**BOX, "plugin": "adaptive", "reason": "slow", "weight": 1},
            {("guard_actions_total", "adaptive", "demote"): 1},
        ),
        (
            "verdict-of-a-stranger",
            {**BOX, "plugin": "stranger", "reason": "why not"},
            {("guard_actions_total", "stranger", "skip"): 1},
        ),
        ("request-refused", {"plugin": "p", "reason": "r"}, {("guard_actions_total", "p", "refuse"): 1}),
        ("instruction-added", {"plugin": "p", "reason": "r"}, {("guard_actions_total", "p", "instruct"): 1}),
        (
            "tool-loop-detected",
            {"profile": "default", "action": "inject", "tool_name": "Read"},
            {
                ("tool_loops_total", "default", "inject"): 1,
                ("guard_actions_total", "tool-loop", "detect"): 1,
            },
        ),
        (
            "memory-pressure-detected",
            BOX,
            {
                ("memory_pressure_detected_total", "box"): 1,
                ("guard_actions_total", "memory-pressure", "detect"): 1,
            },
        ),
        (
            "adaptive-routing-applied",
            {"profile": "default"},
            {("adaptive_reorders_total", "default"): 1, ("guard_actions_total", "adaptive", "reorder"): 1},
        ),
        (
            "backend-health-changed",
            {**BOX, "new_state": "UNHEALTHY"},
            {("backend_health_transitions_total", "box", "UNHEALTHY"): 1},
        ),
        ("provider-rested", BOX, {("guard_actions_total", "backend-health", "rest"): 1}),
        ("budget-near-limit", BOX, {("guard_actions_total", "budget", "warn"): 1}),
        (
            "output-filter-applied",
            {**BOX, "filters": ["strip_thinking", "strip_stop_markers"], "streaming": True},
            {
                ("output_filter_applied_total", "strip_thinking"): 1,
                ("output_filter_applied_total", "strip_stop_markers"): 1,
            },
        ),
        (
            "tool-call-repaired",
            {**BOX, "model": "what the client said", "count": 2},
            {("tool_calls_repaired_total", "box", "qwen3"): 2},
        ),
        ("client-disconnected", {"phase": "waiting"}, {("client_disconnects_total", "waiting"): 1}),
        (
            "plugin-failed",
            {"plugin": "p", "hook": "filter_chain"},
            {("plugin_failures_total", "p", "filter_chain"): 1},
        ),
        ("mode-alias-resolved", {"mode": "m", "profile": "default"}, {}),
        ("adapter-note", {"provider": "box", "note": "began"}, {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_event_is_counted(name: str, fields: dict[str, Any], counts: dict[tuple[str, ...], float]) -> None:
    assert taught(name, fields) == counts
