"""Make counts of what the router tells of itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from coderouter_core.api import Attempt, Config, Event
from coderouter_observer_metrics.counts import Counts, Key
from coderouter_observer_metrics.families import BOUNDS
from coderouter_observer_metrics.fields import FIELDS

#: Attempts' steps that are kept to be shown.
MOST_RECENT = 256
#: Values of a label that no configuration bounds; later ones are ``other``.
MOST_WORDS = 100
OTHER = "other"
#: What stands for a profile or provider that a request did not get as far as.
NONE = "none"

#: Events that say that a provider was left out, and the reason under which that is counted.
SKIPPED = {
    "skip-paid-provider": "paid",
    "skip-unknown-provider": "unknown",
    "skip-missing-key": "missing_key",
    "skip-budget-exceeded": "budget",
    "skip-budget-unknown": "budget",
    "skip-memory-pressure": "memory_pressure",
    "skip-resting-provider": "resting",
}
#: Events that only count, and what.
PLAIN: dict[str, Key] = {
    "request-received": ("requests_total",),
    "chain-paid-gate-blocked": ("chain_paid_gate_blocked_total",),
    "chain-budget-exceeded": ("chain_budget_exceeded_total",),
    "chain-memory-pressure-blocked": ("chain_memory_pressure_blocked_total",),
    "chain-uniform-auth-failure": ("chain_uniform_auth_failure_total",),
    "auto-router-fallthrough": ("auto_router_fallthrough_total",),
    "internal-error": ("internal_errors_total",),
    "ledger-failed": ("ledger_failures_total",),
    "budget-near-limit": ("guard_actions_total", "budget", "warn"),
    "provider-rested": ("guard_actions_total", "backend-health", "rest"),
}
#: Events of the steps of an attempt, and the outcome that each means.
STEPS = {
    "try-provider": None,
    "provider-ok": "ok",
    "provider-failed": "failed",
    "provider-failed-midstream": "failed_midstream",
}


class Words:
    """The values of one label: those that are `known`, and the first few others."""

    def __init__(self, known: frozenset[str] = frozenset(), most: int = MOST_WORDS) -> None:
        self._known = known
        self._met: set[str] = set()
        self._most = most

    def __call__(self, word: str | None) -> str:
        if word is None:
            return NONE
        if word not in self._known and word not in self._met:
            if len(self._met) >= self._most:
                return OTHER
            self._met.add(word)
        return word

    def __len__(self) -> int:
        return len(self._met)


class Learning:
    """`counts` of all that was told, the newest `recent` steps, and the last error of each provider."""

    def __init__(self, config: Config) -> None:
        self.counts = Counts(BOUNDS)
        self.recent: deque[Event] = deque(maxlen=MOST_RECENT)
        self.errors: dict[str, Event] = {}
        self.startup: dict[str, Any] = {}
        self._models = {provider.name: provider.model for provider in config.providers}
        # Names that no configuration has are a mistake somewhere; they must not cost memory.
        self._provider = Words(frozenset(self._models), 0)
        self._profile = Words(frozenset(profile.name for profile in config.profiles), 0)
        rules = config.auto_router.rules if config.auto_router is not None else ()
        self._rule = Words(frozenset(rule.id for rule in rules))
        self._field = Words(FIELDS, 0)
        self._word = Words()
        self._learners: dict[str, Callable[[Event], None]] = {}

    # ---- attempts

    def attempt(self, attempt: Attempt) -> None:
        name, outcome = attempt.provider.name, attempt.outcome.value
        counts, add = self.counts, self.counts.add
        add(("attempts_finished_total", name, outcome))
        counts.observe(("attempt_duration_seconds", name), attempt.seconds)
        if attempt.error_kind is not None:
            add(("attempt_errors_total", name, attempt.error_kind))
        usage = attempt.usage
        if usage.input:
            add(("tokens_total", name, "input"), usage.input)
        if usage.output:
            add(("tokens_total", name, "output"), usage.output)
            if usage.reasoning:
                add(("reasoning_tokens_total", name), usage.reasoning)
        if usage.cache_read:
            add(("tokens_total", name, "cache_read"), usage.cache_read)
            add(("cache_read_tokens_total", name), usage.cache_read)
        if usage.cache_write:
            add(("tokens_total", name, "cache_write"), usage.cache_write)
            add(("cache_creation_tokens_total", name), usage.cache_write)
        cost = attempt.cost
        if cost is None:
            return
        if cost.usd:
            add(("cost_total_usd_total", name), cost.usd)
        elif cost.usd is None:
            add(("attempts_unpriced_total", name))
        if cost.savings_usd:
            add(("cost_savings_usd_total", name), cost.savings_usd)

    # ---- events

    def event(self, event: Event) -> None:
        learn = self._learners.get(event.name)
        if learn is None:
            learn = self._learners[event.name] = self._learner(event.name)
        learn(event)

    def _learner(self, name: str) -> Callable[[Event], None]:
        """What an event of this name teaches; found once."""
        if name in PLAIN:
            return partial(self._plain, PLAIN[name])
        if name in STEPS:
            return self._step(STEPS[name])
        if name.startswith("skip-"):
            return self._skipped(SKIPPED.get(name, OTHER))
        own = OWN.get(name)
        return partial(own, self) if own is not None else self._verdict

    def _plain(self, key: Key, event: Event) -> None:  # noqa: ARG002
        self.counts.add(key)

    def _step(self, outcome: str | None) -> Callable[[Event], None]:
        def learn(event: Event) -> None:
            self.recent.append(event)
            provider = self._provider(event.fields["provider"])
            if outcome is None:
                self.counts.add(("provider_attempts_total", provider))
                return
            self.counts.add(("provider_outcomes_total", provider, outcome))
            if outcome != "ok":
                self.errors[provider] = event

        return learn

    def _skipped(self, reason: str) -> Callable[[Event], None]:
        def learn(event: Event) -> None:
            fields = event.fields
            self.counts.add(("provider_skipped_total", self._provider(fields.get("provider")), reason))
            if "plugin" in fields:
                self.counts.add(("guard_actions_total", self._word(fields["plugin"]), "skip"))

        return learn

    def _verdict(self, event: Event) -> None:
        """An event that is some plugin's verdict tells which, whatever its name; any other teaches nothing."""
        fields = event.fields
        if "plugin" not in fields or "reason" not in fields:
            return
        action = "skip" if "weight" not in fields and "provider" in fields else None
        action = action or ("demote" if "weight" in fields else None)
        if action is not None:
            self.counts.add(("guard_actions_total", self._word(fields["plugin"]), action))

    def _demote_unhealthy_provider(self, event: Event) -> None:
        self.counts.add(("provider_demoted_unhealthy_total", self._provider(event.fields["provider"])))
        self._verdict(event)

    def _request_refused(self, event: Event) -> None:
        self.counts.add(("guard_actions_total", self._word(event.fields["plugin"]), "refuse"))

    def _instruction_added(self, event: Event) -> None:
        self.counts.add(("guard_actions_total", self._word(event.fields["plugin"]), "instruct"))

    def _tool_loop_detected(self, event: Event) -> None:
        profile, action = self._profile(event.fields["profile"]), self._word(event.fields["action"])
        self.counts.add(("tool_loops_total", profile, action))
        self.counts.add(("guard_actions_total", "tool-loop", "detect"))

    def _memory_pressure_detected(self, event: Event) -> None:
        self.counts.add(("memory_pressure_detected_total", self._provider(event.fields["provider"])))
        self.counts.add(("guard_actions_total", "memory-pressure", "detect"))

    def _adaptive_routing_applied(self, event: Event) -> None:
        self.counts.add(("adaptive_reorders_total", self._profile(event.fields["profile"])))
        self.counts.add(("guard_actions_total", "adaptive", "reorder"))

    def _backend_health_changed(self, event: Event) -> None:
        provider, state = self._provider(event.fields["provider"]), self._word(event.fields["new_state"])
        self.counts.add(("backend_health_transitions_total", provider, state))

    def _capability_degraded(self, event: Event) -> None:
        # A field may be the client's own invention, and what stands behind a dot may too.
        for name in event.fields["dropped"]:
            self.counts.add(("capability_degraded_total", self._field(name.partition(".")[0])))

    def _output_filter_applied(self, event: Event) -> None:
        for name in event.fields["filters"]:
            self.counts.add(("output_filter_applied_total", self._word(name)))

    def _tool_call_repaired(self, event: Event) -> None:
        # The provider's own model, as configured: the client's word for it may be anything.
        provider = self._provider(event.fields["provider"])
        key = ("tool_calls_repaired_total", provider, self._models.get(provider, NONE))
        self.counts.add(key, event.fields.get("count", 1))

    def _auto_router_resolved(self, event: Event) -> None:
        self.counts.add(("auto_router_rule_hits_total", self._rule(event.fields["rule_id"])))

    def _client_disconnected(self, event: Event) -> None:
        self.counts.add(("client_disconnects_total", self._word(event.fields["phase"])))

    def _plugin_failed(self, event: Event) -> None:
        fields = event.fields
        self.counts.add(("plugin_failures_total", self._word(fields["plugin"]), self._word(fields["hook"])))

    def _cache_observed(self, event: Event) -> None:
        provider = self._provider(event.fields["provider"])
        add = self.counts.add
        add(("cache_observed_total", provider, event.fields["outcome"]))
        # Seen, if with nothing: dashboards of 1.10 list whoever was.
        add(("cache_read_tokens_total", provider), 0)
        add(("cache_creation_tokens_total", provider), 0)

    def _coderouter_startup(self, event: Event) -> None:
        self.startup = dict(event.fields)

    def _request_finished(self, event: Event) -> None:
        fields, counts = event.fields, self.counts
        profile = self._profile(fields["profile"])
        dialect = self._word(fields["dialect"])
        counts.add(("requests_finished_total", profile, dialect, fields["outcome"]))
        counts.add(("responses_total", f"{fields['status'] // 100}xx"))
        counts.observe(("request_duration_seconds", profile), fields["duration_ms"] / 1000)
        counts.observe(("overhead_seconds",), fields["overhead_ms"] / 1000)
        first_ms = fields["ttft_ms"]
        if first_ms is not None:
            provider = self._provider(fields["provider"])
            counts.observe(("time_to_first_token_seconds", provider), first_ms / 1000)


#: What each other event teaches.
OWN: dict[str, Callable[[Learning, Event], None]] = {
    "adaptive-routing-applied": Learning._adaptive_routing_applied,
    "auto-router-resolved": Learning._auto_router_resolved,
    "backend-health-changed": Learning._backend_health_changed,
    "cache-observed": Learning._cache_observed,
    "capability-degraded": Learning._capability_degraded,
    "client-disconnected": Learning._client_disconnected,
    "coderouter-startup": Learning._coderouter_startup,
    "demote-unhealthy-provider": Learning._demote_unhealthy_provider,
    "instruction-added": Learning._instruction_added,
    "memory-pressure-detected": Learning._memory_pressure_detected,
    "output-filter-applied": Learning._output_filter_applied,
    "plugin-failed": Learning._plugin_failed,
    "request-finished": Learning._request_finished,
    "request-refused": Learning._request_refused,
    "tool-call-repaired": Learning._tool_call_repaired,
    "tool-loop-detected": Learning._tool_loop_detected,
}
