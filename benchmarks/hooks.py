"""What the hooks of one request cost, through `coderouter_core.hooks.Hooks`, against their budget and against pluggy.

    python benchmarks/hooks.py [--plugins 12] [--rules 100] [--check]

Measured with every installed plugin, and again with synthetic ones beside them that implement every
hook of a request. The facts that plugins ask of a request are computed once, before. Ends with 1
when a budget is exceeded and ``--check`` is given.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson
from attrs import frozen
from rig import bodies

from coderouter_core.api import (
    Attempt,
    Cost,
    Demotion,
    Dialect,
    Drop,
    Event,
    Instruction,
    Level,
    Outcome,
    Profile,
    Provider,
    Refusal,
    Rejection,
    Request,
    Reservation,
    Usage,
    hookimpl,
)
from coderouter_core.capabilities import Gates, Registry
from coderouter_core.cli.assemble import Assembly, from_text
from coderouter_core.engine.reduced import reduced
from coderouter_core.hooks import Hooks
from coderouter_core.model import Capabilities
from coderouter_core.router import CodeRouter

#: Microseconds a request may spend in hooks; in the rules, whose number is the operator's choice, for a hundred.
DECIDING_US, RULES_US, OBSERVING_US = 60.0, 50.0, 100.0
#: The core's own look at what a chain of five providers can do.
GATES_US, GATED = 5.0, 5
RULES = "match_rule, every rule"
#: What a request that goes well emits, with fields that an observer may read.
EVENTS: tuple[tuple[str, dict[str, object]], ...] = (
    ("request-received", {"dialect": "chat", "operation": "generate", "model": "m", "stream": False, "bytes": 99}),
    ("try-provider", {"provider": "one", "profile": "default", "attempt": 1, "stream": False}),
    ("provider-ok", {"provider": "one", "profile": "default", "attempt": 1, "stream": False, "ttft_ms": 500.0}),
    ("cache-observed", {
        "provider": "one", "profile": "default", "request_had_cache_control": False, "outcome": "no_cache",
        "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0, "input_tokens": 21, "output_tokens": 9,
        "streaming": False, "cost_usd": 0.0, "cost_savings_usd": 0.0, "priced": False, "estimated": False,
    }),
    ("request-finished", {
        "profile": "default", "provider": "one", "dialect": "chat", "operation": "generate", "stream": False,
        "attempts": 1, "status": 200, "outcome": "ok", "input_tokens": 21, "output_tokens": 9,
        "cache_read_tokens": 0, "cache_write_tokens": 0, "reasoning_tokens": 0, "cost_usd": 0.0, "savings_usd": 0.0,
        "priced": False, "estimated": False, "ttft_ms": 500.0, "duration_ms": 1000.0, "overhead_ms": 0.4,
    }),
)  # fmt: skip
REPEATS = 7
REPEAT_S = 0.05

CONFIG = """\
providers:
  - {name: one, kind: openai-compat, base_url: 'http://127.0.0.1:9/v1', model: m}
  - {name: two, kind: openai-compat, base_url: 'http://127.0.0.1:9/v1', model: m}
  - {name: three, kind: openai-compat, base_url: 'http://127.0.0.1:9/v1', model: m}
profiles:
  - {name: default, providers: [one, two, three]}
default_profile: default
ledger: {url: 'memory:'}
"""


@frozen
class Condition:
    """A rule's condition that no plugin knows, so that every one is asked."""

    number: int


class Synthetic:
    """Implements every hook of a request, looks at what it is given, and has no objection."""

    @hookimpl
    def match_rule(self, condition: Any) -> bool | None:
        return None if isinstance(condition, Condition) else False

    @hookimpl
    def review_request(self, request: Request, profile: Profile) -> Refusal | Instruction | None:  # noqa: ARG002
        return None

    @hookimpl
    def filter_chain(self, chain: Sequence[Provider], profile: Profile) -> Iterable[Rejection]:
        for provider in chain:
            if provider.name == profile.name:
                yield Rejection(provider, "never")

    @hookimpl
    def reorder_chain(self, chain: Sequence[Provider]) -> Iterable[Demotion]:
        return [Demotion(provider, 1, "never") for provider in chain if not provider.name]

    @hookimpl
    def review_attempt(self, provider: Provider) -> Iterable[Rejection | Drop | Reservation]:
        if not provider.name:
            yield Rejection(provider, "never")

    @hookimpl
    def compute_cost(self, provider: Provider, usage: Usage) -> Cost | None:  # noqa: ARG002
        return None

    @hookimpl
    def observe_attempt(self, attempt: Attempt) -> None:
        pass

    @hookimpl
    def observe_event(self, event: Event) -> None:
        pass


@frozen(eq=False)
class Scene:
    """What the hooks are asked about."""

    chain: tuple[Provider, ...]
    request: Request
    profile: Profile
    attempt: Attempt
    events: tuple[Event, ...]
    conditions: tuple[Condition, ...]

    @classmethod
    def of(cls, router: CodeRouter, rules: int) -> Scene:
        profile = router.config.profiles[0]
        chain = tuple(router.providers[name] for name in profile.providers)
        raw = bodies.tiny()
        request = Request("req_bench", Dialect.CHAT, orjson.loads(raw), raw)
        usage = Usage(input=21, output=9, reported=True)
        attempt = Attempt(
            id="attempt",
            request_id=request.id,
            profile=profile,
            provider=chain[0],
            number=1,
            dialect=Dialect.CHAT,
            stream=False,
            started_at=time.time(),
            outcome=Outcome.OK,
            status=200,
            seconds=1.0,
            first_token_s=0.5,
            usage=usage,
        )
        events = tuple(Event(name, Level.INFO, time.time(), request.id, fields) for name, fields in EVENTS)
        conditions = tuple(Condition(number) for number in range(rules))
        return cls(chain, request, profile, attempt, events, conditions)


def through_the_house(hooks: Hooks, scene: Scene) -> dict[str, Callable[[], object]]:
    """Every hook of one request, as the engine calls it, by the name it is shown under."""
    chain, request, profile = scene.chain, scene.request, scene.profile

    def observe_events() -> None:
        for event in scene.events:
            hooks.observe_event(event)

    return {
        RULES: lambda: [hooks.match_rule(condition, request) for condition in scene.conditions],
        "review_request": lambda: hooks.review_request(request, profile),
        "filter_chain": lambda: hooks.filter_chain(chain, request, profile),
        "reorder_chain": lambda: hooks.reorder_chain(chain, request, profile),
        "review_attempt": lambda: hooks.review_attempt(chain[0], request, profile),
        "compute_cost": lambda: hooks.compute_cost(chain[0], scene.attempt.usage),
        "observe_attempt": lambda: hooks.observe_attempt(scene.attempt),
        f"observe_event, {len(EVENTS)} events": observe_events,
    }


def through_the_gates() -> Callable[[], object]:
    """What the core asks of its gates for one request, of which the first provider takes everything."""
    told = Capabilities(max_context_tokens=200_000, tools=True)
    chain = [Provider(f"p{number}", model="qwen3-coder:30b", capabilities=told) for number in range(GATED)]
    providers = {provider.name: provider for provider in chain}
    profile = Profile("default", tuple(providers))
    raw = bodies.tiny()
    request = Request("req_bench", Dialect.CHAT, orjson.loads(raw), raw)
    gates = Gates(Registry.load(None))

    def ask() -> None:
        with contextlib.suppress(StopIteration):
            gates.prepare(request, profile, providers).send(None)
        for provider in chain:
            gates.too_long(provider, request, profile)
        gates.demotions(chain, request)
        reduced(request, gates.can(chain[0]), gates.lacks(chain[0], request), Dialect.CHAT)

    return ask


def through_pluggy(hook: Any, scene: Scene) -> list[Callable[[], object]]:
    """The same calls by pluggy's own loop, in the same order; verdicts from generators are drawn."""
    about = {"chain": scene.chain, "request": scene.request, "profile": scene.profile}
    first = scene.chain[0]
    one = {"provider": first, "request": scene.request, "profile": scene.profile}
    return [
        lambda: [hook.match_rule(condition=each, request=scene.request) for each in scene.conditions],
        lambda: hook.review_request(request=scene.request, profile=scene.profile),
        lambda: [list(said) for said in hook.filter_chain(**about)],
        lambda: [list(said) for said in hook.reorder_chain(**about)],
        lambda: [list(said) for said in hook.review_attempt(**one)],
        lambda: hook.compute_cost(provider=first, usage=scene.attempt.usage),
        lambda: hook.observe_attempt(attempt=scene.attempt),
        lambda: [hook.observe_event(event=event) for event in scene.events],
    ]


def microseconds(call: Callable[[], object]) -> float:
    """What one call takes: the least of several means, for whatever else runs can only add."""
    call()
    least, count = float("inf"), 1
    for _ in range(REPEATS):
        began = time.perf_counter()
        for _ in range(count):
            call()
        taken = time.perf_counter() - began
        least = min(least, taken / count)
        count = max(1, round(REPEAT_S / max(least, 1e-7)))
    return least * 1e6


def measure(assembly: Assembly, rules: int) -> tuple[dict[str, float], list[float]]:
    """Microseconds of each hook, through the house and through pluggy."""
    router = assembly.router()
    scene = Scene.of(router, rules)
    house = {name: microseconds(call) for name, call in through_the_house(router.hooks, scene).items()}
    return house, [microseconds(call) for call in through_pluggy(router.manager.hook, scene)]


def report(
    installed: dict[str, float], more: dict[str, float], pluggy: Sequence[float], extra: int, rules: int
) -> bool:
    """Print the table; True when everything is within its budget with the installed plugins."""
    print(f"{'µs per request':36}  {'installed':>9}  {f'and {extra} more':>11}  {'pluggy':>8}  house/pluggy")
    for (name, usual), raw in zip(installed.items(), pluggy, strict=True):
        print(f"{name:36}  {usual:9.1f}  {more[name]:11.1f}  {raw:8.1f}  {more[name] / raw:12.2f}")
    observing = [name for name in installed if name.startswith("observe")]
    deciding = [name for name in installed if name not in (*observing, RULES)]
    within = True
    for text, names, budget in (
        ("all deciding hooks but the rules", deciding, DECIDING_US),
        (f"{rules} rules", [RULES], RULES_US * rules / 100),
        ("all observers", observing, OBSERVING_US),
    ):
        usual, most = sum(installed[name] for name in names), sum(more[name] for name in names)
        verdict = "met" if most <= budget else "met with those installed" if usual <= budget else "EXCEEDED"
        within = within and usual <= budget
        print(f"{text:36}  {usual:9.1f}  {most:11.1f}  budget {budget:g} µs: {verdict}")
    return within


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the hooks of one request.")
    parser.add_argument("--plugins", type=int, default=12, help="synthetic plugins beside the installed ones")
    parser.add_argument("--rules", type=int, default=100, help="rules that are judged, none of which holds")
    parser.add_argument("--check", action="store_true", help="end with 1 when a budget is exceeded")
    asked = parser.parse_args()
    assembly = from_text(CONFIG, "bench.yaml", {})
    names = ", ".join(name for name, _ in assembly.plugins)
    print(f"installed: {names or 'none'}; rules: {asked.rules}\n")
    synthetic = tuple((f"synthetic-{number:02}", Synthetic()) for number in range(asked.plugins))
    installed, _ = measure(assembly, asked.rules)
    more, pluggy = measure(Assembly(assembly.config, assembly.plugins + synthetic), asked.rules)
    within = report(installed, more, pluggy, asked.plugins, asked.rules)
    gates = microseconds(through_the_gates())
    verdict = "met" if gates <= GATES_US else "EXCEEDED"
    print(f"{f'the core, chain of {GATED}':36}  {gates:9.1f}  {'':11}  budget {GATES_US:g} µs: {verdict}")
    within = within and gates <= GATES_US
    return 0 if within or not asked.check else 1


if __name__ == "__main__":
    sys.exit(main())
