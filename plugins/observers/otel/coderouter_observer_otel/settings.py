"""What an operator says: in ``providers.yaml``, and in the variables that every OpenTelemetry program reads."""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from attrs import field, frozen, validators

from coderouter_core.api import ConfigError, Problem

Signal = Literal["traces", "metrics"]

SIGNALS: tuple[Signal, ...] = ("traces", "metrics")
#: The word of ``OTEL_SEMCONV_STABILITY_OPT_IN`` for the newest names.
OPT_IN = "gen_ai_latest_experimental"
#: Words of ``OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`` for what came since the last export, not since the start.
DELTA = ("delta", "lowmemory")
#: Files that TLS needs, by the end of their variable.
FILES = ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")
#: Seconds for one export, tries together.
TIMEOUT_S = 10.0


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
    """Where one signal goes, and how. `certificate` is the collector's authority, `client_certificate` and
    `client_key` are ours: paths."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    timeout_s: float = TIMEOUT_S
    gzip: bool = False
    certificate: str = ""
    client_certificate: str = ""
    client_key: str = ""


@frozen
class Batching:
    """How spans are collected: at most `most` wait, `size` go together, and none waits longer than `delay_s`."""

    most: int
    size: int
    delay_s: float


def target(settings: OtelSettings, signal: Signal) -> Target | None:
    """Where `signal` goes; the environment wins over the file. None: nowhere."""
    exporters = [word.strip() for word in _says(f"OTEL_{signal.upper()}_EXPORTER").lower().split(",")]
    if is_disabled() or (any(exporters) and not any(word.startswith("otlp") for word in exporters)):
        return None
    url, headers = _endpoint(settings, signal)
    if url is None:
        return None
    certificate, client_certificate, client_key = (_otlp(signal, file) for file in FILES)
    return Target(
        url=url,
        headers={**headers, **_decoded(_pairs(_otlp(signal, "HEADERS")))},
        timeout_s=_number(_otlp(signal, "TIMEOUT"), TIMEOUT_S),
        gzip=_otlp(signal, "COMPRESSION").lower() == "gzip",
        certificate=certificate,
        client_certificate=client_certificate,
        client_key=client_key,
    )


def is_disabled() -> bool:
    return _says("OTEL_SDK_DISABLED").lower() == "true"


def propagates() -> bool:
    """Whether W3C Trace Context is read and written; ``OTEL_PROPAGATORS`` may name others only."""
    words = [word.strip() for word in _says("OTEL_PROPAGATORS").lower().split(",")]
    return not any(words) or "tracecontext" in words


def resource(settings: OtelSettings) -> dict[str, str]:
    """Who exports, as far as the environment does not say. Each router is an instance, since each counts for itself."""
    ours = {"service.name": settings.service_name, "service.instance.id": str(uuid.uuid4())}
    given = set(_pairs(_says("OTEL_RESOURCE_ATTRIBUTES")))
    if _says("OTEL_SERVICE_NAME"):
        given.add("service.name")
    return {name: value for name, value in ours.items() if name not in given}


def interval_s(settings: OtelSettings) -> float:
    """Seconds between two exports of metrics."""
    return _number(_says("OTEL_METRIC_EXPORT_INTERVAL"), settings.interval_s * 1000) / 1000


def batching() -> Batching:
    """As the variables of the SDK's batches say; `most` is larger than theirs, since a span is small here."""
    most = int(_number(_says("OTEL_BSP_MAX_QUEUE_SIZE"), 20_000))
    size = int(_number(_says("OTEL_BSP_MAX_EXPORT_BATCH_SIZE"), 512))
    return Batching(most, max(1, min(size, most)), _number(_says("OTEL_BSP_SCHEDULE_DELAY"), 5000) / 1000)


def wants_delta() -> bool:
    """Whether metrics tell of the time since their last export."""
    return _says("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE").lower() in DELTA


def wants_latest(settings: OtelSettings) -> bool:
    """Whether the newest names are asked for."""
    words = [word.strip() for word in _says("OTEL_SEMCONV_STABILITY_OPT_IN").split(",")]
    return settings.semconv == "latest" or OPT_IN in words


def check(settings: OtelSettings) -> None:
    """Raise `ConfigError` for an endpoint that is none, and for files that are not there."""
    problems = []
    if settings.endpoint is not None:
        problems += _wrong_endpoint(settings.endpoint, "otel.endpoint")
        parts = urlsplit(settings.endpoint)
        if parts.username or parts.password:
            wrong = "must hold no credentials; put them into a variable and name it in otel.headers_env"
            problems.append(Problem(wrong, "otel.endpoint"))
    if not is_disabled():
        for end in ("ENDPOINT", "TRACES_ENDPOINT", "METRICS_ENDPOINT"):
            if url := _says(f"OTEL_EXPORTER_OTLP_{end}"):
                problems += _wrong_endpoint(url, f"OTEL_EXPORTER_OTLP_{end}")
        problems += _missing_files(settings)
    if problems:
        raise ConfigError(*problems)


def _wrong_endpoint(url: str, where: str) -> list[Problem]:
    parts = urlsplit(url)
    if parts.scheme in ("http", "https") and parts.hostname:
        return []
    wrong = f"must be http://HOST:PORT or https://HOST of an OTLP/HTTP collector, not {parts.path!r}"
    return [Problem(wrong, where)]


def _missing_files(settings: OtelSettings) -> list[Problem]:
    named = {
        f"OTEL_EXPORTER_OTLP_{file}": path
        for signal in SIGNALS
        for file in FILES
        if target(settings, signal) and (path := _otlp(signal, file))
    }
    return [
        Problem(f"must name a file; there is none at {path!r}", variable)
        for variable, path in named.items()
        if not Path(path).is_file()
    ]


def _endpoint(settings: OtelSettings, signal: Signal) -> tuple[str | None, dict[str, str]]:
    """The whole URL, and the headers that belong to it: those of the file are for the file's collector alone."""
    if own := _says(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"):
        return own, {}
    if base := _says("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return f"{base.rstrip('/')}/v1/{signal}", {}
    if settings.endpoint is None:
        return None, {}
    named = _pairs(_says(settings.headers_env)) if settings.headers_env else {}
    return f"{settings.endpoint.rstrip('/')}/v1/{signal}", {name.lower(): named[name] for name in named}


def _otlp(signal: Signal, end: str) -> str:
    """What the variable of this signal says, else that of all signals."""
    return _says(f"OTEL_EXPORTER_OTLP_{signal.upper()}_{end}") or _says(f"OTEL_EXPORTER_OTLP_{end}")


def _says(variable: str) -> str:
    return os.environ.get(variable, "").strip()


def _pairs(text: str) -> dict[str, str]:
    """``NAME=VALUE,NAME=VALUE``; what is none is left out."""
    pairs = (pair.partition("=") for pair in text.split(","))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals and name.strip()}


def _decoded(pairs: Mapping[str, str]) -> dict[str, str]:
    return {unquote(name).lower(): unquote(value) for name, value in pairs.items()}


def _number(text: str, otherwise: float) -> float:
    """A positive number, else `otherwise`, as the SDK takes what is none."""
    try:
        number = float(text)
    except ValueError:
        return otherwise
    return number if math.isfinite(number) and number > 0 else otherwise
