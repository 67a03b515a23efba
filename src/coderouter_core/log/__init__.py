"""Events as lines, off the event loop."""

from coderouter_core.log.libraries import libraries_told
from coderouter_core.log.opening import open_sinks
from coderouter_core.log.writer import LogWriter

__all__ = ["LogWriter", "libraries_told", "open_sinks"]
