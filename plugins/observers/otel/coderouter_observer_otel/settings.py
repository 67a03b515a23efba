"""What an operator says: in ``providers.yaml``, and in the variables that every OpenTelemetry program reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from attrs import field, frozen, validators

from coderouter_core.api import ConfigError, Problem

#: The word of ``OTEL_SEMCONV_STABILITY_OPT_IN`` for the newest names.
OPT_IN = "gen_ai_latest_experimental"


@frozen
class OtelSettings:
    """Below ``otel:``. Nothing is exported without an endpoint. `headers_env` names a variable that holds
    ``NAME=VALUE,NAME=VALUE`` for the collector; `interval_s` is the time between two exports of metrics."""

    endpoint: str | None = None
    headers_env: str | None = None
    service_name: str = "coderouter"
    semconv: Literal["current", "latest"] = "current"
    interval_s: float = field(default=60.0, validator=[validators.ge(1), validators.le(3600)])


@frozen
class Otel:
    """Key at the top level."""

    otel: OtelSettings = OtelSettings()


@frozen
class Target:
    """Where one signal goes: the whole URL, and headers. None: as the SDK reads it from the environment."""

    url: str | None
    headers: Mapping[str, str] | None


def target(settings: OtelSettings, signal: Literal["traces", "metrics"]) -> Target | None:
    """Where `signal` goes; the environment wins over the file. None: nowhere."""
    own = f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"
    if _says("OTEL_SDK_DISABLED").lower() == "true" or _says(f"OTEL_{signal.upper()}_EXPORTER") == "none":
        return None
    if _says(own) or _says("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return Target(None, None)
    if settings.endpoint is None:
        return None
    return Target(f"{settings.endpoint.rstrip('/')}/v1/{signal}", _headers(settings))


def service_name(settings: OtelSettings) -> str | None:
    """The name of this service; None where the environment gives it."""
    given = _says("OTEL_SERVICE_NAME") or "service.name=" in _says("OTEL_RESOURCE_ATTRIBUTES")
    return None if given else settings.service_name


def interval_ms(settings: OtelSettings) -> float | None:
    """Milliseconds between two exports of metrics; None where the environment gives them."""
    return None if _says("OTEL_METRIC_EXPORT_INTERVAL") else settings.interval_s * 1000


def wants_latest(settings: OtelSettings) -> bool:
    """Whether the newest names are asked for."""
    words = [word.strip() for word in _says("OTEL_SEMCONV_STABILITY_OPT_IN").split(",")]
    return settings.semconv == "latest" or OPT_IN in words


def check(settings: OtelSettings) -> None:
    """Raise `ConfigError` for an endpoint that is none."""
    if settings.endpoint is None:
        return
    parts = urlsplit(settings.endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        wrong = f"must be http://HOST:PORT or https://HOST of an OTLP/HTTP collector, not {parts.path!r}"
        raise ConfigError(Problem(wrong, "otel.endpoint"))
    if parts.username or parts.password:
        wrong = "must hold no credentials; put them into a variable and name it in otel.headers_env"
        raise ConfigError(Problem(wrong, "otel.endpoint"))


def _says(variable: str) -> str:
    return os.environ.get(variable, "").strip()


def _headers(settings: OtelSettings) -> dict[str, str] | None:
    """The pairs of the variable that `headers_env` names."""
    if settings.headers_env is None:
        return None
    pairs = (pair.partition("=") for pair in _says(settings.headers_env).split(","))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}
