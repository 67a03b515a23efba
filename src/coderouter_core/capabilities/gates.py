"""What a request needs, against what each provider can do."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum

from attrs import evolve, frozen

from coderouter_core.capabilities.registry import Registry, effective
from coderouter_core.model import (
    Capabilities,
    Demotion,
    Dialect,
    Operation,
    Profile,
    Provider,
    Rejection,
    Request,
)

#: The weight of a provider that cannot do what is asked for.
INCAPABLE = 10
#: What an estimate of a prompt must exceed a window by, for the prompt to be surely too long for it.
ESTIMATE_MARGIN = 1.25
#: A token is rarely shorter; a body of fewer bytes than this for each token of a window needs no counting.
FEWEST_BYTES_PER_TOKEN = 2

#: Seconds for which a window that a backend told of keeps prompts away from it.
TOLD_S = 300.0
#: Chains that are remembered; there are as many as guards leave of the profiles'.
MOST_CHAINS = 1_000

SKIP_WINDOW = "skip-context-window"


class Need(StrEnum):
    """What a request can ask for that not every provider has."""

    THINKING = "thinking"
    TOOLS = "tools"
    IMAGES = "images"


_LACKS = {
    Need.THINKING: "the request asks for thinking, which it is not known to support",
    Need.TOOLS: "the request declares tools, which it does not take",
    Need.IMAGES: "the request shows an image, and it sees none",
}


@frozen
class Ability:
    """What one provider can do, worked out once; `known` is the provider with it. `lacks` is what it is known not to
    have; thinking in Anthropic's words it also lacks as long as nobody said that it has it, or how its reasoning is
    switched."""

    capabilities: Capabilities
    known: Provider
    lacks: frozenset[Need]
    lacks_in_messages: frozenset[Need]


class Gates:
    """Asks the registry once for each provider, and keeps what backends tell of their windows. `now` is in seconds."""

    def __init__(self, registry: Registry, now: Callable[[], float] = time.monotonic) -> None:
        self._registry = registry
        self._now = now
        self._told: dict[str, tuple[int, float]] = {}
        self._times_told = 0
        self._known: dict[Provider, Ability] = {}
        # What follows from a chain alone, worked out when it is first seen.
        self._behind: dict[tuple[bool, tuple[Provider, ...]], list[tuple[Need, list[Demotion]]]] = {}
        self._smallest: dict[tuple[tuple[str, ...], int], int | None] = {}

    def can(self, provider: Provider) -> Capabilities:
        """What `provider` can do, by the configuration and the registry."""
        return self._ability(provider).capabilities

    def known(self, provider: Provider) -> Provider:
        """`provider` with all that it can do."""
        return self._ability(provider).known

    def told(self, provider: Provider, window: int) -> None:
        """Its backend says that its context window is of so many tokens."""
        self._told[provider.name] = (window, self._now())
        self._times_told += 1

    def window(self, provider: Provider) -> int | None:
        """Its context window in tokens: as configured, as registered, or as its backend last told."""
        said = self._ability(provider).capabilities.max_context_tokens
        return said if said is not None else self._told.get(provider.name, (None, 0.0))[0]

    def sure_window(self, provider: Provider) -> int | None:
        """The same, but for what a backend told a while ago: it may have been started anew, with a larger one."""
        said = self._ability(provider).capabilities.max_context_tokens
        if said is not None or provider.name not in self._told:
            return said
        window, at = self._told[provider.name]
        return window if self._now() - at < TOLD_S else None

    def lacks(self, provider: Provider, request: Request) -> Collection[Need]:
        """What `request` needs and `provider` does not have."""
        if request.operation is not Operation.GENERATE:
            return ()
        lacking = self._lacking(provider, request.dialect is Dialect.MESSAGES)
        return [need for need in Need if need in lacking and _NEEDED[need](request)] if lacking else ()

    def demotions(self, chain: Sequence[Provider], request: Request) -> list[Demotion]:
        """Who moves behind those that can do what `request` needs; nobody, where nobody can or everybody."""
        key = (_insists(request), tuple(chain))
        behind = self._behind.get(key)
        if behind is None:
            if len(self._behind) >= MOST_CHAINS:
                self._behind.clear()
            behind = self._behind[key] = self._split(*key)
        if not behind or request.operation is not Operation.GENERATE:
            return []
        return [demotion for need, demotions in behind if _NEEDED[need](request) for demotion in demotions]

    def _split(self, insisting: bool, chain: Sequence[Provider]) -> list[tuple[Need, list[Demotion]]]:
        """For each need that some of `chain` lack, and not all, those that do."""
        lacking = [self._lacking(provider, insisting) for provider in chain]
        found = []
        for need in Need:
            without = [provider for provider, lacks in zip(chain, lacking, strict=True) if need in lacks]
            if 0 < len(without) < len(chain):
                found.append((need, [Demotion(each, INCAPABLE, _LACKS[need]) for each in without]))
        return found

    async def prepare(self, request: Request, profile: Profile, providers: Mapping[str, Provider]) -> None:
        """Have the prompt counted where it could be too long for one of the profile's; a small one costs nothing."""
        key = (profile.providers, self._times_told)
        if key not in self._smallest:
            if len(self._smallest) >= MOST_CHAINS:
                self._smallest.clear()
            windows = [self.window(providers[name]) for name in profile.providers]
            self._smallest[key] = min((window for window in windows if window is not None), default=None)
        smallest = self._smallest[key]
        if smallest is None or len(request.raw) <= FEWEST_BYTES_PER_TOKEN * smallest:
            return
        if request.prompt_size is None and request.operation is Operation.GENERATE:
            await request.prepare(("tokens",))

    def too_long(self, provider: Provider, request: Request, profile: Profile) -> Rejection | None:
        """The veto of a provider whose window the prompt surely exceeds, as far as the prompt was counted."""
        if request.prompt_size is None or request.operation is not Operation.GENERATE:
            return None
        window = self.sure_window(provider)
        if window is None:
            return None
        tokens = request.tokens
        if tokens <= window if request.counted else tokens < window * ESTIMATE_MARGIN:
            return None
        return Rejection(
            provider,
            f"the prompt has {tokens} tokens, and its context window {window}",
            event=SKIP_WINDOW,
            fields={"profile": profile.name, "provider": provider.name, "tokens": tokens, "window": window},
            status=400,
        )

    def _lacking(self, provider: Provider, native: bool) -> frozenset[Need]:
        ability = self._ability(provider)
        return ability.lacks_in_messages if native else ability.lacks

    def _ability(self, provider: Provider) -> Ability:
        found = self._known.get(provider)
        if found is None:
            found = self._known[provider] = _ability(provider, effective(provider, self._registry))
        return found


def _ability(provider: Provider, can: Capabilities) -> Ability:
    said = ((Need.THINKING, can.thinking), (Need.TOOLS, can.tools), (Need.IMAGES, can.vision))
    lacks = frozenset(need for need, able in said if able is False)
    unknown = can.thinking is None and can.reasoning_control == "none"
    known = evolve(provider, capabilities=can)
    return Ability(can, known, lacks, lacks | {Need.THINKING} if unknown else lacks)


def _asks_thinking(request: Request) -> bool:
    """Whether thinking is asked for in so many words: what a model does by itself is not asked for."""
    body = request.body
    if request.dialect is Dialect.MESSAGES:
        thinking = body.get("thinking")
        return isinstance(thinking, dict) and thinking.get("type") in ("enabled", "adaptive")
    reasoning = body.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, dict) else body.get("reasoning_effort")
    return isinstance(effort, str) and effort != "none"


def _insists(request: Request) -> bool:
    """Whether thinking must be, so that a provider of which nobody knows whether it can is not the first to ask.

    ``adaptive`` leaves it to the model, and Claude Code says it to every model that it does not know: it would move
    all of its traffic from a local model of which nothing is said to a paid one.
    """
    thinking = request.body.get("thinking")
    return (
        request.dialect is Dialect.MESSAGES
        and isinstance(thinking, dict)
        and thinking.get("type") == "enabled"
    )


def _declares_tools(request: Request) -> bool:
    return request.has_tools


def _shows_image(request: Request) -> bool:
    return request.holds_image


_NEEDED: Mapping[Need, Callable[[Request], bool]] = {
    Need.THINKING: _asks_thinking,
    Need.TOOLS: _declares_tools,
    Need.IMAGES: _shows_image,
}
