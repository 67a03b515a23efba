"""Serve a request from a chain of providers."""

from coderouter_core.engine.chain import Chains
from coderouter_core.engine.client import Client, Connection
from coderouter_core.engine.loop import Engine, Report, limits

__all__ = ["Chains", "Client", "Connection", "Engine", "Report", "limits"]
