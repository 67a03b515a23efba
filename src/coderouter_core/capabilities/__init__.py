"""What models can do, as far as somebody wrote it down."""

from coderouter_core.capabilities.gates import Gates, Need
from coderouter_core.capabilities.registry import Flags, Registry, effective
from coderouter_core.capabilities.suitability import unsuited

__all__ = ["Flags", "Gates", "Need", "Registry", "effective", "unsuited"]
