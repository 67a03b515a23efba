"""Figures of the router: ``/metrics`` for Prometheus, ``/metrics.json`` for everybody else."""

from coderouter_observer_metrics.plugin import Metrics

__all__ = ["Metrics"]
