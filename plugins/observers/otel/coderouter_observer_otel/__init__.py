"""Tell OpenTelemetry of every request: a trace, and metrics, with the names of its GenAI conventions."""

from coderouter_observer_otel.plugin import OtelObserver
from coderouter_observer_otel.settings import Otel, OtelSettings

__all__ = ["Otel", "OtelObserver", "OtelSettings"]
