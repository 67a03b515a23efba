"""Request bodies, from one dialect to another."""

from coderouter_core.wire.bodies.translation import Translated, translate

__all__ = ["Translated", "translate"]
