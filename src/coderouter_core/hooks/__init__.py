"""The hooks of all plugins, as the core calls them."""

from coderouter_core.hooks.facade import Hooks
from coderouter_core.hooks.implementations import PATIENCE
from coderouter_core.model import Said

__all__ = ["PATIENCE", "Hooks", "Said"]
