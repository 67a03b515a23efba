"""Which profile serves a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve

from coderouter_core.errors import RequestError
from coderouter_core.events import Events
from coderouter_core.hooks import Hooks
from coderouter_core.model import AutoRouter, Choice, Config, Fault, Profile, Request

AUTO = "auto"


class Routing:
    """Chooses by, in this order: body ``profile``, profile header, mode header, a model name that names a
    profile or a provider, rules (when the default profile is ``auto``), the default profile."""

    def __init__(self, config: Config, hooks: Hooks, events: Events) -> None:
        self._hooks = hooks
        self._events = events
        self._aliases = config.mode_aliases
        self._default = config.default_profile
        self._rules = config.auto_router or AutoRouter()
        self.profiles: dict[str, Profile] = {profile.name: profile for profile in config.profiles}
        self._alone = self._chains_of_one(config)

    def _chains_of_one(self, config: Config) -> Mapping[str, Profile]:
        """A provider's name as a model asks for that provider alone, under the default profile's options."""
        like = self.profiles.get(self._rules.default_rule_profile if self._default == AUTO else self._default)
        return {
            provider.name: evolve(like or Profile("", ()), name=provider.name, providers=(provider.name,))
            for provider in config.providers
            if provider.name not in self.profiles
        }

    async def choose(self, request: Request) -> Profile:
        """The profile for `request`. Raises `RequestError` (400) when it names one that does not exist."""
        return (await self.choice(request)).profile

    async def choice(self, request: Request) -> Choice:
        """As `choose`, and what chose it."""
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
        if not self._rules.disabled:
            for rule in self._rules.rules:
                if rule.facts:
                    await request.prepare(rule.facts)
                if self._hooks.match_rule(rule.condition, request):
                    signals = request.signals()
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


def _refused(message: str) -> RequestError:
    return RequestError(Fault(400, "invalid_request_error", message, should_retry=False))


def _words(names: Sequence[Any]) -> str:
    return ", ".join(str(name) for name in names) or "none"
