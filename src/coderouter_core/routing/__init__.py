"""Request to profile: by name, by rules, by what a conversation was given before."""

from coderouter_core.routing.choosing import AUTO, Routing

__all__ = ["AUTO", "Routing"]
