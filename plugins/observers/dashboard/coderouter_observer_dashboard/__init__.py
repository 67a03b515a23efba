"""A page that shows what the router does, as it does it."""

from coderouter_observer_dashboard.plugin import Dashboard

__all__ = ["Dashboard"]
