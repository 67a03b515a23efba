"""A day of traffic, every request of a new conversation: nothing in the router grows with it."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict, deque
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any
from weakref import WeakValueDictionary

from attrs import evolve

from coderouter_core.api import Attempt, Cost, Dialect, Outcome, Provider, Request, Usage
from coderouter_core.capabilities import Registry
from coderouter_core.cli.assemble import options_of
from coderouter_core.config import parse
from coderouter_core.engine import Report, facts_of
from coderouter_core.engine.billing import cache_observed
from coderouter_core.events import current_request
from coderouter_core.router import CodeRouter
from coderouter_core.testing import FakeClock
from coderouter_core.testing.script import ScriptedAdapters

REQUESTS = 11_000
DAY_S = 86_400.0
GUARDS = ("adaptive", "backend-health", "budget", "content-contains", "memory-pressure", "tool-loop")
#: What any ring or map may hold, whatever the traffic.
MOST = 10_000

CONFIG = {
    "default_profile": "auto",
    "providers": [
        {
            "name": name,
            "kind": "scripted-chat",
            "base_url": "http://127.0.0.1:9/v1",
            "model": "m",
            "cost": {
                "input_tokens_per_million": 3,
                "output_tokens_per_million": 15,
                "monthly_budget_usd": 1_000_000,
            },
        }
        for name in ("local", "cloud")
    ],
    "profiles": [
        {
            "name": name,
            "providers": ["local", "cloud"],
            "adaptive": True,
            "backend_health_action": "demote",
            "memory_pressure_action": "skip",
        }
        for name in ("main", "writing")
    ],
    "auto_router": {
        "sticky": True,
        "rules": [{"id": "words", "profile": "main", "match": {"content_contains": "code"}}],
    },
    "ledger": {"url": "memory:"},
}
FAILURES = (("status", 500, "broken"), ("status", 429, "later"), ("status", 500, "CUDA out of memory"))


def made(clock: FakeClock) -> CodeRouter:
    found = {entry.name: entry for entry in entry_points(group="coderouter.plugins")}
    plugins = [(name, found[name].load()()) for name in GUARDS]
    plugins.append(("scripted", ScriptedAdapters()))
    config = parse(json.dumps(CONFIG), "providers.yaml", options_of(plugins), {})
    return CodeRouter(config, plugins, clock=clock, registry=Registry.load(None))


async def ask(router: CodeRouter, number: int) -> None:
    """Everything that the router does for a request, but for speaking to anybody."""
    body = {"model": f"model-{number}", "messages": [{"role": "user", "content": f"code {number}"}]}
    request = Request(
        f"req_{number}", Dialect.CHAT, body, b"{}", {"x-session-id": f"session-{number}"}, client_key=None
    )
    current_request.set(request.id)
    router.emit(
        "request-received", dialect="chat", operation="generate", model=request.model, stream=False, bytes=2
    )
    report = Report(request, began_at=router.clock.utc().timestamp())
    report.choice = choice = await router.routing.choice(request)
    report.chain = router.engine.chains.resolve(request, choice.profile)
    for provider in report.chain.providers:
        grant = await router.engine.review.attempt(provider, request, choice.profile, report)
        if grant is not None:
            report.attempts += 1
            ended = attempted(router, report, provider, number)
            router.engine.review.release(grant.tokens)
            if ended.outcome is Outcome.OK:
                break
    router.ledger.trace(request.id, facts_of(report, "short", status=200))
    router.emit("request-finished", profile=choice.profile.name, attempts=report.attempts)


def attempted(router: CodeRouter, report: Report, provider: Provider, number: int) -> Attempt:
    assert report.choice is not None
    begun = Attempt(
        f"{number}-{report.attempts}",
        report.request.id,
        report.choice.profile,
        provider,
        report.attempts,
        Dialect.CHAT,
        False,
        report.began_at,
        session_id=report.request.session_id,
    )
    router.ledger.start(begun)
    router.emit("try-provider", provider=provider.name)
    ended = evolve(
        begun,
        outcome=Outcome.OK,
        status=200,
        seconds=1.0,
        first_token_s=0.5,
        usage=Usage(input=10, output=10, reported=True),
        cost=Cost(0.0001),
    )
    if number % 10 == 0 and provider.name == "local":
        kind, status, text = FAILURES[number // 10 % len(FAILURES)]
        ended = evolve(ended, outcome=Outcome.FAILED, error_kind=kind, status=status, error_text=text)
        router.emit("provider-failed", provider=provider.name, error=text)
    else:
        router.emit("provider-ok", provider=provider.name)
        router.emit("cache-observed", **cache_observed(ended, report.request))
    report.tried.append((ended, ()))
    router.ledger.settle(ended)
    router.hooks.observe_attempt(ended)
    return ended


def containers(root: object) -> Iterator[tuple[str, int]]:
    """Everything that holds things and can be reached from `root`, by its path, and how much it holds."""
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [("", root)]
    while waiting:
        path, value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict | OrderedDict | WeakValueDictionary):
            yield path, len(value)
            waiting += [(f"{path}[]", inner) for inner in list(value.values())]
        elif isinstance(value, list | set | frozenset | deque | tuple):
            yield path, len(value)
            waiting += [(f"{path}[]", inner) for inner in value]
        elif type(value).__module__.startswith("coderouter_"):
            slots = [name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ())]
            parts = {**getattr(value, "__dict__", {}), **{name: getattr(value, name, None) for name in slots}}
            waiting += [(f"{path}.{name}", part) for name, part in parts.items()]


def test_nothing_grows_with_a_day_of_traffic() -> None:
    clock, told = FakeClock(), 0
    router = made(clock)

    def count(_: object) -> None:
        nonlocal told
        told += 1

    async def day() -> None:
        router.events.sinks.append(count)
        for number in range(REQUESTS):
            clock.advance(DAY_S / REQUESTS)
            await ask(router, number)

    asyncio.run(day())

    assert {path: size for path, size in containers(router) if size > MOST} == {}
    assert told > 5 * REQUESTS
