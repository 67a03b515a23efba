"""Which models of a profile for Claude Code do not cope with its long prompts."""

from __future__ import annotations

from collections.abc import Mapping

from coderouter_core.capabilities.registry import Registry
from coderouter_core.model import Profile, Provider

#: Profiles that say by their name what they are for.
FOR_CLAUDE_CODE = "claude-code"


def unsuited(profile: Profile, providers: Mapping[str, Provider], registry: Registry) -> list[Provider]:
    """The providers of `profile` whose models are known for it; none where the profile is for something else."""
    if not profile.name.startswith(FOR_CLAUDE_CODE):
        return []
    chain = (providers[name] for name in dict.fromkeys(profile.providers))
    return [each for each in chain if _is_degraded(each, registry)]


def _is_degraded(provider: Provider, registry: Registry) -> bool:
    return registry.lookup(provider.kind, provider.model).claude_code_suitability == "degraded"
