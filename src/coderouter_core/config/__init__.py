"""Configuration: ``providers.yaml`` and the environment in, a `Config` or all that is wrong with it out."""

from coderouter_core.config.find import find, unnamed
from coderouter_core.config.load import disabled_plugins, load, parse
from coderouter_core.config.places import placed

__all__ = ["disabled_plugins", "find", "load", "parse", "placed", "unnamed"]
