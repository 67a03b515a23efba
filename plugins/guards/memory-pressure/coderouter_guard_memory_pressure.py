"""Rest a provider for a while after it ran out of memory, or when its backend tells that it is about to."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Literal

from attrs import field, frozen, validators

from coderouter_core.api import (
    Attempt,
    Config,
    EventSpec,
    Level,
    Option,
    Profile,
    Provider,
    Rejection,
    Router,
    Scope,
    Standing,
    hookimpl,
)

#: What backends say, as whole words; each was seen in the wild, see the tests.
SIGNS = re.compile(
    r"\bout of memory\b|\binsufficient memory\b|\brequires more system memory\b|\bnot enough memory\b"
    r"|\bggml_cuda_host_malloc\b|\bfailed to allocate\b|\bunable to allocate\b|\bcannot allocate memory\b|\boom\b"
    r"|\boom[- ]?kill(?:ed|er)?\b|\bfailed to load model\b[^.]{0,200}\bmemory\b|\bcudamalloc\b",
    re.IGNORECASE,
)

#: Answers that can mean it. A 401, 404 or 429 with such words quotes somebody.
STATUSES = frozenset({400, 500, 501, 502, 503, 504, 507})
KINDS = frozenset({"transport", "stream", "garbage"})

#: A key-value cache this full, with requests waiting for room in it, is about to push somebody out.
FULL_CACHE = 0.95
QUESTION_S = 2.0

HINT = "shorten the prompt, use a smaller model, add memory, or wait"


@frozen
class MemoryPressure:
    """Keys on a profile. `memory_pressure_cooldown_s` is in seconds."""

    memory_pressure_action: Literal["off", "warn", "skip"] = "warn"
    memory_pressure_cooldown_s: int = field(default=120, validator=[validators.ge(10), validators.le(3600)])


def ran_out(attempt: Attempt) -> bool:
    """Whether an attempt failed for want of memory, by the upstream's own words and a failure that can mean it."""
    can = attempt.error_kind in KINDS or (attempt.error_kind == "status" and attempt.status in STATUSES)
    return can and SIGNS.search(attempt.error_text) is not None


def about_to(now: Mapping[str, Any], before: Mapping[str, Any]) -> str | None:
    """Why a backend with these vitals will soon be out of memory; None when it does not look so."""
    cache, waiting = now.get("kv_cache_usage"), now.get("waiting") or 0
    if isinstance(cache, int | float) and cache >= FULL_CACHE and waiting:
        return f"its key-value cache is {cache:.0%} full and {waiting} requests wait for room"
    if now.get("memory_spill") and before.get("memory_spill") is False:
        return "its model no longer fits the graphics memory"
    return None


class MemoryPressureGuard:
    """`interval_s` is how often backends are asked for their vitals."""

    def __init__(self, interval_s: float = 10.0) -> None:
        self._interval_s = interval_s

    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.PROFILE, MemoryPressure)]

    @hookimpl
    def declare_events(self) -> Iterable[EventSpec]:
        detected = ("provider", "profile", "action", "cooldown_s", "error")
        skipped = ("provider", "profile", "seconds_until_eligible")
        blocked = ("profile", "blocked_providers", "hint")
        return [
            EventSpec(
                "memory-pressure-detected", Level.INFO, detected, "a provider ran out of memory, or will soon"
            ),
            EventSpec(
                "skip-memory-pressure", Level.INFO, skipped, "a provider was left out: it is out of memory"
            ),
            EventSpec(
                "chain-memory-pressure-blocked",
                Level.WARNING,
                blocked,
                "nobody was left: all are out of memory",
            ),
        ]

    @hookimpl
    def configure(self, config: Config, router: Router) -> None:
        self._router = router
        named = {provider.name: provider for provider in config.providers}
        self._providers = list(named)
        self._quotes = config.settings.log_upstream_errors != "none"
        self._looked_at: dict[str, tuple[Provider, Profile]] = {}
        for profile in config.profiles:
            if profile.option(MemoryPressure).memory_pressure_action == "skip":
                for name in profile.providers:
                    if named[name].is_local:
                        self._looked_at.setdefault(name, (named[name], profile))

    @hookimpl
    def filter_chain(self, chain: Sequence[Provider], profile: Profile) -> Iterable[Rejection]:
        if profile.option(MemoryPressure).memory_pressure_action != "skip":
            return ()
        rejections = list(self._resting(chain))
        if rejections and len(rejections) == len(chain):
            names = [rejection.provider.name for rejection in rejections]
            self._router.emit(
                "chain-memory-pressure-blocked", profile=profile.name, blocked_providers=names, hint=HINT
            )
        return rejections

    def _resting(self, chain: Sequence[Provider]) -> Iterator[Rejection]:
        for provider in chain:
            if left := self._router.ledger.marked(f"memory-pressure:{provider.name}"):
                yield Rejection(
                    provider,
                    f"out of memory, resting {left:.0f} s more",
                    event="skip-memory-pressure",
                    fields={"seconds_until_eligible": math.ceil(left)},
                    retry_after_s=left,
                )

    @hookimpl
    def observe_attempt(self, attempt: Attempt) -> None:
        if attempt.profile.option(MemoryPressure).memory_pressure_action != "off" and ran_out(attempt):
            said = attempt.error_text[:200] if self._quotes else ""
            self._detected(attempt.provider, attempt.profile, said)

    def _detected(self, provider: Provider, profile: Profile, error: str) -> None:
        option = profile.option(MemoryPressure)
        self._router.emit(
            "memory-pressure-detected",
            provider=provider.name,
            profile=profile.name,
            action=option.memory_pressure_action,
            cooldown_s=option.memory_pressure_cooldown_s,
            error=error,
        )
        if option.memory_pressure_action == "skip":
            self._router.ledger.mark(f"memory-pressure:{provider.name}", option.memory_pressure_cooldown_s)

    @hookimpl
    def report_standing(self) -> Iterator[Standing]:
        at = self._router.clock.utc().timestamp()
        for name in self._providers:
            if left := self._router.ledger.marked(f"memory-pressure:{name}"):
                yield Standing(name, "resting", "out of memory", at + left)

    # ---- looking ahead

    @hookimpl
    def service(self) -> AbstractAsyncContextManager[None] | None:
        return self._looking_ahead() if self._looked_at else None

    @asynccontextmanager
    async def _looking_ahead(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._look())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _look(self) -> None:
        before: dict[str, Mapping[str, Any]] = {}
        while True:
            for name, (provider, profile) in self._looked_at.items():
                vitals = await self._ask(provider)
                reason = about_to(vitals, before.get(name, {}))
                if reason is not None and not self._router.ledger.marked(f"memory-pressure:{name}"):
                    self._detected(provider, profile, reason)
                before[name] = vitals
            await asyncio.sleep(self._interval_s)

    async def _ask(self, provider: Provider) -> Mapping[str, Any]:
        """The vitals of one backend; a backend that cannot tell has none."""
        try:
            async with asyncio.timeout(QUESTION_S):
                return await self._router.vitals(provider)
        except Exception:
            return {}
