"""Move a provider that keeps failing back, and let it prove itself again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Literal

from attrs import define, field, frozen, validators

from coderouter_core.api import (
    Attempt,
    Config,
    Demotion,
    Event,
    EventSpec,
    Level,
    Option,
    Outcome,
    Profile,
    Provider,
    Rejection,
    Request,
    Router,
    Scope,
    Standing,
    hookimpl,
)

WEIGHT = 100

#: A demoted provider rests this long before one request tries it; each time it fails again, twice as long.
FIRST_REST_S = 30.0
LONGEST_REST_S = 300.0
#: A request that tries it and is never heard of again holds the place no longer than this.
LONGEST_TRIAL_S = 900.0

#: How long a 429 rests a provider that did not say, and the most that one can ask for.
UNSAID_429_S = 10.0
LONGEST_429_S = 3600.0

#: Failures that are the backend's own. A status counts by itself, see `_is_backends_fault`.
OWN_KINDS = frozenset({"transport", "timeout", "garbage", "empty", "stream"})


class State(StrEnum):
    HEALTHY = "HEALTHY"
    DEGRADED = "DEGRADED"
    UNHEALTHY = "UNHEALTHY"


@frozen
class BackendHealth:
    """Keys on a profile. After `backend_health_threshold` failures in a row a provider is DEGRADED, after twice
    as many UNHEALTHY, after one success HEALTHY."""

    backend_health_action: Literal["off", "warn", "demote"] = "warn"
    backend_health_threshold: int = field(default=3, validator=[validators.ge(2), validators.le(20)])

    def state(self, failures: int) -> State:
        if failures >= 2 * self.backend_health_threshold:
            return State.UNHEALTHY
        return State.DEGRADED if failures >= self.backend_health_threshold else State.HEALTHY


@define
class Record:
    """What is known of one provider. Times are the router's monotonic clock."""

    failures: int = 0
    rest_s: float = 0.0
    due_at: float = 0.0
    trial: str | None = None
    trial_since: float = 0.0


def _is_backends_fault(attempt: Attempt) -> bool:
    """Whether a failed attempt says that the backend is not well: not what a key, a request or a limit caused."""
    if attempt.error_kind == "plugin":
        return False
    if attempt.outcome is Outcome.BROKEN or attempt.error_kind in OWN_KINDS:
        return True
    # 501: it was asked for what it does not have, embeddings for example.
    status = attempt.status or 0
    return attempt.error_kind == "status" and status >= 500 and status != 501


class BackendHealthGuard:
    """Counts by provider, judges by each profile's threshold: two profiles see one provider by their own measure."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._trials: dict[str, Record] = {}

    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.PROFILE, BackendHealth)]

    @hookimpl
    def declare_events(self) -> Iterable[EventSpec]:
        changed = ("provider", "profile", "old_state", "new_state", "consecutive_failures")
        rest = ("provider", "profile", "seconds_until_eligible")
        return [
            EventSpec("backend-health-changed", Level.INFO, changed, "a provider's health changed"),
            EventSpec(
                "demote-unhealthy-provider",
                Level.INFO,
                ("provider", "profile"),
                "a failing provider moved back",
            ),
            EventSpec("provider-rested", Level.INFO, rest, "a provider asked for a pause with status 429"),
            EventSpec(
                "skip-resting-provider", Level.INFO, rest, "a provider was left out: its pause is not over"
            ),
        ]

    @hookimpl
    def configure(self, config: Config, router: Router) -> None:
        self._router = router
        self._providers = [provider.name for provider in config.providers]
        options = [
            profile.option(BackendHealth)
            for profile in config.profiles
            if profile.option(BackendHealth).backend_health_action != "off"
        ]
        #: Of all profiles that look, the one that is the quickest to judge.
        self._strictest = min(options, key=lambda option: option.backend_health_threshold, default=None)

    # ---- choosing

    @hookimpl
    def filter_chain(self, chain: Sequence[Provider], profile: Profile) -> Iterator[Rejection]:
        if profile.option(BackendHealth).backend_health_action != "demote":
            return
        for provider in chain:
            if left := self._router.ledger.marked(f"resting:{provider.name}"):
                yield Rejection(
                    provider,
                    f"asked for a pause with status 429, resting {left:.0f} s more",
                    event="skip-resting-provider",
                    fields={"seconds_until_eligible": math.ceil(left)},
                    retry_after_s=left,
                )

    @hookimpl
    def reorder_chain(self, chain: Sequence[Provider], profile: Profile) -> Iterable[Demotion]:
        option = profile.option(BackendHealth)
        if option.backend_health_action != "demote" or not self._records:
            return ()
        now = self._router.clock.monotonic()
        sick: list[tuple[Provider, Record]] = []
        due = False
        for provider in chain:
            record = self._records.get(provider.name)
            if record is None or option.state(record.failures) is not State.UNHEALTHY:
                continue
            if not due and self._is_due(record, now):
                due = True
            else:
                sick.append((provider, record))
        if len(sick) == len(chain):
            return ()
        return [
            Demotion(
                provider,
                WEIGHT,
                f"failed {record.failures} times in a row, tried again in {max(0.0, record.due_at - now):.0f} s",
                event="demote-unhealthy-provider",
            )
            for provider, record in sick
        ]

    @hookimpl
    def review_attempt(self, provider: Provider, request: Request, profile: Profile) -> None:
        """An unhealthy provider that is due is being tried: by this request, and by no other meanwhile."""
        option, record = profile.option(BackendHealth), self._records.get(provider.name)
        if record is None or option.backend_health_action != "demote":
            return
        now = self._router.clock.monotonic()
        if option.state(record.failures) is State.UNHEALTHY and self._is_due(record, now):
            self._begin_trial(record, request.id, now)

    @staticmethod
    def _is_due(record: Record, now: float) -> bool:
        if record.trial is not None and now - record.trial_since < LONGEST_TRIAL_S:
            return False
        return now >= record.due_at

    def _begin_trial(self, record: Record, request_id: str, now: float) -> None:
        """One request at a time finds out; it is over with the attempt, or with the request."""
        if record.trial is not None:
            self._trials.pop(record.trial, None)
        record.trial, record.trial_since = request_id, now
        self._trials[request_id] = record

    # ---- for who looks

    @hookimpl
    def report_standing(self) -> Iterator[Standing]:
        if self._strictest is None:
            return
        now, at = self._router.clock.monotonic(), self._router.clock.utc().timestamp()
        for name in self._providers:
            left = self._router.ledger.marked(f"resting:{name}")
            if left:
                yield Standing(name, "resting", "asked for a pause with status 429", at + left)
            record = self._records.get(name) or Record()
            state = self._strictest.state(record.failures)
            if state is State.HEALTHY:
                if not left:
                    yield Standing(name, "healthy")
                continue
            until = at + max(0.0, record.due_at - now) if state is State.UNHEALTHY else None
            yield Standing(
                name,
                "unhealthy" if state is State.UNHEALTHY else "degraded",
                f"failed {record.failures} times in a row",
                until,
            )

    # ---- learning

    @hookimpl
    def observe_event(self, event: Event) -> None:
        if event.name == "request-finished" and event.request_id in self._trials:
            self._end_trial(event.request_id)

    def _end_trial(self, request_id: str) -> None:
        record = self._trials.pop(request_id, None)
        if record is not None and record.trial == request_id:
            record.trial = None

    @hookimpl
    def observe_attempt(self, attempt: Attempt) -> None:
        option = attempt.profile.option(BackendHealth)
        if option.backend_health_action == "off":
            return
        if attempt.outcome is Outcome.OK:
            if attempt.provider.name in self._records:
                self._counted(attempt, option, 0)
        elif attempt.outcome is not Outcome.CANCELLED:
            if _is_backends_fault(attempt):
                record = self._records.setdefault(attempt.provider.name, Record())
                self._counted(attempt, option, record.failures + 1)
            elif attempt.status == 429:
                self._rest(attempt, option)
        self._end_trial(attempt.request_id)

    def _counted(self, attempt: Attempt, option: BackendHealth, failures: int) -> None:
        record = self._records[attempt.provider.name]
        old, new = option.state(record.failures), option.state(failures)
        record.failures = failures
        if failures == 0:
            record.rest_s = 0.0
        elif new is State.UNHEALTHY:
            tried = old is not State.UNHEALTHY or record.trial == attempt.request_id
            if tried or record.rest_s == 0.0:
                record.rest_s = min(LONGEST_REST_S, record.rest_s * 2 or FIRST_REST_S)
                record.due_at = self._router.clock.monotonic() + record.rest_s
        if old is not new:
            self._router.emit(
                "backend-health-changed",
                provider=attempt.provider.name,
                profile=attempt.profile.name,
                old_state=old.value,
                new_state=new.value,
                consecutive_failures=failures,
            )

    def _rest(self, attempt: Attempt, option: BackendHealth) -> None:
        if option.backend_health_action != "demote":
            return
        asked = attempt.retry_after_s if attempt.retry_after_s is not None else UNSAID_429_S
        seconds = min(LONGEST_429_S, max(1.0, asked))
        self._router.ledger.mark(f"resting:{attempt.provider.name}", seconds)
        self._router.emit(
            "provider-rested",
            provider=attempt.provider.name,
            profile=attempt.profile.name,
            seconds_until_eligible=math.ceil(seconds),
        )
