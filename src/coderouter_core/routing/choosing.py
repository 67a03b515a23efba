"""Which profile serves a request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve

from coderouter_core.errors import RequestError
from coderouter_core.events import Events
from coderouter_core.hooks import Hooks
from coderouter_core.model import AutoRouter, Choice, Clock, Config, Fault, Ledger, Profile, Request, Rule
from coderouter_core.model.request import SLICE_S
from coderouter_core.model.tokens import Counting, estimate_tokens
from coderouter_core.routing.families import Families
from coderouter_core.routing.sticky import Conversations, Kept, conversation_of

AUTO = "auto"


class Routing:
    """Chooses by, in this order: body ``profile``, profile header, mode header, a model name that names a
    profile or a provider, rules (when the default profile is ``auto``), the default profile.

    `ledger` and `clock` are needed for conversations that keep what they were given (``auto_router.sticky``).
    """

    def __init__(
        self,
        config: Config,
        hooks: Hooks,
        events: Events,
        ledger: Ledger | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._hooks = hooks
        self._events = events
        self._aliases = config.mode_aliases
        self._default = config.default_profile
        self._rules = config.auto_router or AutoRouter()
        self._conversations: Conversations | None = None
        if self._rules.sticky and ledger is not None and clock is not None:
            self._conversations = Conversations(self._rules.rules, ledger, clock)
        self._tokenizer = hooks.token_counter(estimate_tokens)
        self._families = Families(self._tokenizer)
        events.sinks.append(self._families.saw)
        self.profiles: dict[str, Profile] = {profile.name: profile for profile in config.profiles}
        self._alone = self._chains_of_one(config)

    def _chains_of_one(self, config: Config) -> Mapping[str, Profile]:
        """A provider's name as a model asks for that provider alone, under the default profile's name and options: what
        is spent so counts for that profile's budget too."""
        like = self.profiles.get(self._rules.default_rule_profile if self._default == AUTO else self._default)
        return {
            provider.name: evolve(like or Profile("", ()), providers=(provider.name,))
            for provider in config.providers
            if provider.name not in self.profiles
        }

    async def load(self) -> None:
        """Load the vocabulary that rules will ask for; without such a rule, nothing."""
        ruling = self._default == AUTO and not self._rules.disabled
        if self._tokenizer and ruling and any("tokens" in rule.facts for rule in self._rules.rules):
            await self._tokenizer.load()

    async def choose(self, request: Request) -> Profile:
        """The profile for `request`. Raises `RequestError` (400) when it names one that does not exist."""
        return (await self.choice(request)).profile

    async def choice(self, request: Request) -> Choice:
        """As `choose`, and what chose it."""
        self._families.watch(request)
        factor = self._families.factor(request.model)
        request.count_with(Counting(self._tokenizer or estimate_tokens, factor, self._tokenizer))
        if (asked := self._asked_for(request)) is not None:
            return asked
        if (named := self.profiles.get(request.model) or self._alone.get(request.model)) is not None:
            return Choice(named, "model", request.model)
        if self._default == AUTO:
            return await self._by_rules(request)
        return Choice(self.profiles[self._default], "default", self._default)

    def _asked_for(self, request: Request) -> Choice | None:
        name = request.body.get("profile")
        if name is not None and not isinstance(name, str):
            raise _refused(f"profile: must be a string, not {type(name).__name__}")
        if name is not None:
            return Choice(self._profile(name), "body", name)
        name = request.headers.get("x-coderouter-profile") or None
        if name is not None:
            return Choice(self._profile(name), "header", name)
        mode = request.headers.get("x-coderouter-mode")
        if not mode:
            return None
        if mode not in self._aliases:
            raise _refused(f"unknown mode {mode!r}; available modes: {_words(sorted(self._aliases))}")
        profile = self._profile(self._aliases[mode])
        self._events.emit("mode-alias-resolved", mode=mode, profile=profile.name)
        return Choice(profile, "mode", mode)

    def _profile(self, name: str) -> Profile:
        if name not in self.profiles:
            raise _refused(f"unknown profile {name!r}; available: {_words(list(self.profiles))}")
        return self.profiles[name]

    async def _by_rules(self, request: Request) -> Choice:
        rule, kept = (None, False) if self._rules.disabled else await self._ruling(request)
        if rule is not None:
            signals = {**request.signals(), "sticky": True} if kept else request.signals()
            self._events.emit(
                "auto-router-resolved",
                rule_id=rule.id,
                resolved_profile=rule.profile,
                signals=signals,
            )
            return Choice(self.profiles[rule.profile], "rule", rule.id, signals)
        profile = self.profiles[self._rules.default_rule_profile]
        signals = {**request.signals(), "disabled": self._rules.disabled}
        self._events.emit("auto-router-fallthrough", resolved_profile=profile.name, signals=signals)
        return Choice(profile, "fallthrough", signals=signals)

    async def _ruling(self, request: Request) -> tuple[Rule | None, bool]:
        """The rule that chooses, and whether it did so before, for an earlier turn of the conversation."""
        key = conversation_of(request) if self._conversations is not None else None
        if self._conversations is None or key is None:
            return await self._first(request, self._rules.rules), False
        if (kept := self._conversations.recall(key)) is not None:
            ruling = await self._kept_or_shape(request, kept)
            return ruling, ruling.content
        rule = await self._first(request, self._rules.rules)
        if rule is not None and rule.content:
            later = self._rules.rules[self._rules.rules.index(rule) + 1 :]
            shapes = [other for other in later if not other.content]
            held = [other.id for other in shapes if await self._first(request, (other,)) is not None]
            self._conversations.keep(key, rule.id, held)
        return rule, False

    async def _kept_or_shape(self, request: Request, kept: Kept) -> Rule:
        """The rule that the conversation keeps, unless one about the request's shape holds: one that comes before
        it, or one that comes later and did not hold when the choice was made."""
        rules = self._rules.rules
        place = next(at for at, rule in enumerate(rules) if rule.content and rule.id == kept.rule_id)
        shapes = [rule for rule in rules[:place] if not rule.content]
        shapes += [rule for rule in rules[place:] if not rule.content and rule.id not in kept.held]
        return await self._first(request, shapes) or rules[place]

    async def _first(self, request: Request, rules: Sequence[Rule]) -> Rule | None:
        """The first of `rules` that holds."""
        since = time.perf_counter()
        for rule in rules:
            if rule.facts:
                await request.prepare(rule.facts)
            if self._hooks.match_rule(rule.condition, request):
                return rule
            if time.perf_counter() - since > SLICE_S / 2:
                # An operator's pattern may take its time; several of them must not take it in one go.
                await asyncio.sleep(0)
                since = time.perf_counter()
        return None


def _refused(message: str) -> RequestError:
    return RequestError(Fault(400, "invalid_request_error", message, should_retry=False))


def _words(names: Sequence[Any]) -> str:
    return ", ".join(str(name) for name in names) or "none"
