"""Serve a request from a chain of providers."""

from coderouter_core.engine.chain import Chains
from coderouter_core.engine.client import Client, Connection
from coderouter_core.engine.limits import limits
from coderouter_core.engine.live import Served
from coderouter_core.engine.loop import Engine
from coderouter_core.engine.report import Report
from coderouter_core.engine.trace import facts_of, outcome_of

__all__ = ["Chains", "Client", "Connection", "Engine", "Report", "Served", "facts_of", "limits", "outcome_of"]
