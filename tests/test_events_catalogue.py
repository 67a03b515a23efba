"""The events that users of CodeRouter 1.10 know are still there: name, level, fields."""

from __future__ import annotations

import pytest

from coderouter_core.api import EventSpec, Level
from coderouter_core.cli.assemble import enabled_plugins
from coderouter_core.events import CORE_EVENTS

I, W = Level.INFO, Level.WARNING  # noqa: E741

KNOWN: dict[str, tuple[Level, str]] = {
    "coderouter-startup": (I, "version providers profiles allow_paid default_profile mode_source"),
    "coderouter-shutdown": (I, ""),
    "chain-claude-code-suitability-degraded": (W, "profile degraded_providers degraded_models hint"),
    "mode-alias-resolved": (I, "mode profile"),
    "anthropic-version-header": (Level.DEBUG, "value"),
    "auto-router-resolved": (I, "rule_id resolved_profile signals"),
    "auto-router-fallthrough": (I, "resolved_profile signals"),
    "tool-loop-detected": (W, "profile tool_name repeat_count threshold window action"),
    "skip-unknown-provider": (W, "profile provider"),
    "skip-paid-provider": (I, "profile provider"),
    "skip-budget-exceeded": (I, "provider profile monthly_budget_usd current_total_usd month"),
    "skip-memory-pressure": (I, "provider profile seconds_until_eligible"),
    "chain-paid-gate-blocked": (W, "profile blocked_providers hint"),
    "chain-budget-exceeded": (W, "profile blocked_providers month hint"),
    "chain-memory-pressure-blocked": (W, "profile blocked_providers hint"),
    "demote-unhealthy-provider": (I, "provider profile"),
    "adaptive-routing-applied": (I, "static_order effective_order stats"),
    "capability-degraded": (I, "provider dropped reason"),
    "try-provider": (I, "provider stream native_anthropic degraded"),
    "provider-ok": (I, "provider stream native_anthropic"),
    "provider-failed": (W, "provider status retryable error"),
    "provider-failed-midstream": (W, "provider status retryable error"),
    "memory-pressure-detected": (I, "provider profile action cooldown_s error"),
    "backend-health-changed": (I, "provider profile old_state new_state consecutive_failures"),
    "chain-uniform-auth-failure": (W, "profile status count providers hint"),
    "cache-observed": (
        I,
        "provider request_had_cache_control outcome cache_read_input_tokens cache_creation_input_tokens"
        " input_tokens output_tokens streaming cost_usd cost_savings_usd",
    ),
    "sse-midstream-error": (W, "provider original"),
}


def declared() -> dict[str, EventSpec]:
    """The core's events, and those of the installed plugins."""
    plugins = [plugin for _, plugin in enabled_plugins() if hasattr(plugin, "declare_events")]
    theirs = [spec for plugin in plugins for spec in plugin.declare_events() or ()]
    return {spec.name: spec for spec in (*CORE_EVENTS, *theirs)}


@pytest.mark.parametrize("name", KNOWN)
def test_an_event_of_1_10_has_its_level_and_its_fields(name: str) -> None:
    level, fields = KNOWN[name]
    spec = declared()[name]

    assert spec.level is level
    assert [field for field in fields.split() if field not in spec.fields] == []
