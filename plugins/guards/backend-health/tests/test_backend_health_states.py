"""The backend-health guard against a simple model of it, whatever the order of requests, ends and waits."""

from __future__ import annotations

import itertools
from typing import Any

from coderouter_guard_backend_health import FIRST_REST_S, LONGEST_REST_S, BackendHealthGuard
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from coderouter_core.api import Attempt, Demotion, Dialect, Outcome, Provider, Request
from coderouter_core.testing import FakeClock, Script, make_router

THRESHOLD = 2
UNHEALTHY = 2 * THRESHOLD

#: How an attempt ended, and whether that says that the backend is not well.
ENDS: dict[str, tuple[dict[str, Any], bool | None]] = {
    "ok": ({"outcome": Outcome.OK}, False),
    "server-error": ({"outcome": Outcome.FAILED, "error_kind": "status", "status": 500}, True),
    "no-connection": ({"outcome": Outcome.FAILED, "error_kind": "transport"}, True),
    "broken": ({"outcome": Outcome.BROKEN, "error_kind": "stream", "status": 200}, True),
    "bad-request": ({"outcome": Outcome.FAILED, "error_kind": "status", "status": 400}, None),
    "no-key": ({"outcome": Outcome.FAILED, "error_kind": "status", "status": 401}, None),
    "plugin": ({"outcome": Outcome.FAILED, "error_kind": "plugin"}, None),
    "plugin-in-mid-stream": ({"outcome": Outcome.BROKEN, "error_kind": "plugin", "status": 200}, None),
    "client-left": ({"outcome": Outcome.CANCELLED}, None),
}


class Health(RuleBasedStateMachine):
    """`local` is first in the chain; `failures`, `rest_s`, `due_at` and `trial` are what should be known of it."""

    under_way = Bundle("under_way")

    @initialize()
    def begin(self) -> None:
        self.clock = FakeClock()
        self.router = make_router(
            BackendHealthGuard(),
            Script(local="x", cloud="x"),
            clock=self.clock,
            profile={"backend_health_action": "demote", "backend_health_threshold": THRESHOLD},
        )
        core = self.router.core
        self.hooks, self.events, self.profile = core.hooks, core.events, core.config.profiles[0]
        self.chain = (core.providers["local"], core.providers["cloud"])
        self.numbers = itertools.count()
        self.failures, self.rest_s, self.due_at = 0, 0.0, 0.0
        self.trial: str | None = None

    def teardown(self) -> None:
        if hasattr(self, "router"):
            self.router.close()

    def _order(self, request: Request) -> list[Provider]:
        weights: dict[int, int] = {}
        for said in self.hooks.reorder_chain(self.chain, request, self.profile):
            assert isinstance(said.verdict, Demotion)
            weights[id(said.verdict.provider)] = said.verdict.weight
        return sorted(self.chain, key=lambda provider: weights.get(id(provider), 0))

    @property
    def _is_first(self) -> bool:
        """Whether the next request should try `local` first."""
        if self.failures < UNHEALTHY:
            return True
        return self.trial is None and self.clock.monotonic() >= self.due_at

    @rule(target=under_way)
    def ask(self) -> tuple[Request, Provider]:
        request = Request(f"req_{next(self.numbers)}", Dialect.CHAT, {"messages": []}, b"{}")
        first, should = self._order(request)[0], self._is_first
        assert (first.name == "local") == should
        self.hooks.review_attempt(first, request, self.profile)
        if first.name == "local" and self.failures >= UNHEALTHY:
            self.trial = request.id
        return request, first

    @rule(times=st.integers(1, UNHEALTHY))
    def fail(self, times: int) -> None:
        for _ in range(times):
            self._ended(*self.ask(), "server-error")

    @rule(asked=consumes(under_way), end=st.sampled_from(sorted(ENDS)))
    def end(self, asked: tuple[Request, Provider], end: str) -> None:
        self._ended(*asked, end)

    def _ended(self, request: Request, provider: Provider, end: str) -> None:
        # Where both were sick there would be nobody to demote one behind.
        how, failed = ENDS[end if provider.name == "local" else "ok"]
        self.hooks.observe_attempt(
            Attempt(
                f"a-{request.id}", request.id, self.profile, provider, 1, Dialect.CHAT, False,
                self.clock.utc().timestamp(), **how,
            )
        )  # fmt: skip
        if provider.name != "local":
            return
        if failed is False:
            self.failures, self.rest_s = 0, 0.0
        elif failed:
            self._failed(request.id)
        if self.trial == request.id:
            self.trial = None

    def _failed(self, request_id: str) -> None:
        before, self.failures = self.failures, self.failures + 1
        if self.failures >= UNHEALTHY and (before < UNHEALTHY or self.trial == request_id):
            self.rest_s = min(LONGEST_REST_S, self.rest_s * 2 or FIRST_REST_S)
            self.due_at = self.clock.monotonic() + self.rest_s

    @rule(seconds=st.sampled_from([1.0, 29.0, 30.0, 61.0, 200.0]))
    def wait(self, seconds: float) -> None:
        # Not so long that a trial is given up: that has a test of its own.
        if self.trial is None:
            self.clock.advance(seconds)

    @invariant()
    def who_looks_changes_nothing(self) -> None:
        if hasattr(self, "router"):
            first = [view.effective[0] for view in self.router.core.chains()]
            assert first == ["local" if self._is_first else "cloud"]


TestHealth = Health.TestCase
TestHealth.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
