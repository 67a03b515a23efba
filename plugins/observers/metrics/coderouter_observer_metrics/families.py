"""Every metric there is: its name without the prefix, what it says, its labels."""

from __future__ import annotations

from attrs import frozen

from coderouter_observer_metrics.counts import OWN_SECONDS, SECONDS, parted

PREFIX = "coderouter_"


@frozen
class Family:
    """One metric. `name` is that of its key in `Counts`."""

    name: str
    says: str
    labels: tuple[str, ...] = ()


_F = Family

#: The names of CodeRouter 1.10, which dashboards know.
COUNTERS = (
    _F("requests_total", "Requests that were received."),
    _F("chain_paid_gate_blocked_total", "Requests for which nobody was left after the paid gate."),
    _F("chain_budget_exceeded_total", "Requests for which nobody was left after the budgets."),
    _F("chain_memory_pressure_blocked_total", "Requests for which every provider was out of memory."),
    _F("chain_uniform_auth_failure_total", "Requests for which every provider refused the key."),
    _F("auto_router_fallthrough_total", "Requests for which no rule held."),
    _F("provider_attempts_total", "Attempts that began.", ("provider",)),
    _F("provider_outcomes_total", "Attempts by what came of them; one that broke after its first content counts as ok and as failed_midstream.", ("provider", "outcome")),
    _F("provider_skipped_total", "Times a provider was left out.", ("provider", "reason")),
    _F("provider_demoted_unhealthy_total", "Times a provider moved back because it kept failing.", ("provider",)),
    _F("backend_health_transitions_total", "Changes of a provider's health, by its new state.", ("provider", "state")),
    _F("capability_degraded_total", "Fields of requests that were left out for providers that cannot take them.", ("capability",)),
    _F("output_filter_applied_total", "Answers that a filter changed.", ("filter",)),
    _F("cache_read_tokens_total", "Tokens of prompts that were read from a prompt cache.", ("provider",)),
    _F("cache_creation_tokens_total", "Tokens of prompts that were written to a prompt cache.", ("provider",)),
    _F("cache_observed_total", "Answers by what became of the prompt cache.", ("provider", "outcome")),
    _F("cost_total_usd_total", "US dollars that attempts cost, where the price is known.", ("provider",)),
    _F("cost_savings_usd_total", "US dollars that prompt caches saved.", ("provider",)),
    # ---- and ours
    _F("requests_finished_total", "Requests that ended, by profile, dialect of the client, and outcome.", ("profile", "dialect", "outcome")),
    _F("responses_total", "Requests that ended, by the class of the status their clients got.", ("status",)),
    _F("attempts_finished_total", "Attempts that ended, each with one outcome.", ("provider", "outcome")),
    _F("attempt_errors_total", "Attempts that failed or broke, by kind of error.", ("provider", "kind")),
    _F("attempts_unpriced_total", "Attempts whose price is not known, those that failed but were billed included.", ("provider",)),
    _F("tokens_total", "Tokens by kind; the kinds do not overlap.", ("provider", "kind")),
    _F("reasoning_tokens_total", "Tokens of output that were reasoning; tokens_total has them as output too.", ("provider",)),
    _F("client_disconnects_total", "Clients that left before the end.", ("phase",)),
    _F("auto_router_rule_hits_total", "Requests whose profile a rule chose.", ("rule",)),
    _F("tool_loops_total", "Tool loops that were detected, by what was done.", ("profile", "action")),
    _F("adaptive_reorders_total", "Requests whose chain was reordered by latency and errors.", ("profile",)),
    _F("memory_pressure_detected_total", "Times a provider ran out of memory, or was about to.", ("provider",)),
    _F("guard_actions_total", "What guards did, by their plugin.", ("guard", "action")),
    _F("tool_calls_repaired_total", "Tool calls that were repaired, by provider and its model.", ("provider", "model")),
    _F("plugin_failures_total", "Times a plugin's hook raised.", ("plugin", "hook")),
    _F("internal_errors_total", "Requests on which the router itself failed."),
    _F("ledger_failures_total", "Times the ledger's store could not be reached."),
    _F("metrics_overflow_total", "Counts that were lost because there were too many labels."),
)  # fmt: skip

HISTOGRAMS = (
    _F("request_duration_seconds", "Seconds from a request's arrival to its end.", ("profile",)),
    _F("time_to_first_token_seconds", "Seconds from a request's arrival to the first content of its answer.", ("provider",)),
    _F("attempt_duration_seconds", "Seconds from the start of an attempt to its end.", ("provider",)),
    _F("overhead_seconds", "Seconds that the router itself took for a request."),
)  # fmt: skip

GAUGES = (
    _F("uptime_seconds", "Seconds since the router started."),
    _F("build_info", "The router's version; always 1.", ("version",)),
    _F("workers", "Processes that serve."),
    _F("in_flight_requests", "Requests under way."),
    _F("provider_state", "1 for the state that a provider is in, 0 for the others.", ("provider", "state")),
    _F("budget_spent_usd", "US dollars spent in this month (UTC).", ("scope", "name")),
    _F("budget_held_usd", "US dollars held for attempts under way.", ("scope", "name")),
    _F("budget_limit_usd", "US dollars that may be spent in a month.", ("scope", "name")),
    _F("ledger_up", "1 while the ledger's store can be reached."),
    _F("ledger_waiting_records", "Records that are not in the ledger's store yet."),
)  # fmt: skip

#: Counted by others, and asked for at scrape time.
TOLD = (
    _F("log_lines_dropped_total", "Lines of the log that were lost.", ("sink",)),
    _F("ledger_dropped_records_total", "Records that the ledger had to give up."),
)  # fmt: skip

#: The bounds within which each histogram counts.
BOUNDS = {
    family.name: parted(OWN_SECONDS if family.name == "overhead_seconds" else SECONDS)
    for family in HISTOGRAMS
}
