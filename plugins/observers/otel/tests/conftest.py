"""A collector: a real HTTP server on loopback that takes OTLP and keeps what it decodes."""

from __future__ import annotations

import contextlib
import gzip
import os
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

#: Seconds that a collector which holds its answers holds them when nobody lets them go.
MOST_HELD_S = 20
#: In place of a status: the connection ends without an answer.
CUT = 0


class Collector:
    """`status` is what it answers, after those of `first`, and only while `open`, with words that do not end where
    it is `endless`; `spans` and `points` are what came, `paths` where to, `headers` those of the last export."""

    def __init__(self) -> None:
        self.status = 200
        self.first: list[int] = []
        self.endless = False
        self.open = threading.Event()
        self.open.set()
        self.paths: list[str] = []
        self.spans: list[Any] = []
        self.resources: list[Any] = []
        self.points: dict[str, list[Any]] = {}
        self.temporalities: dict[str, int] = {}
        self.headers: dict[str, str] = {}
        self.came = threading.Condition()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                with collector.came:
                    collector.paths.append(self.path)
                    collector.headers = {name.lower(): value for name, value in self.headers.items()}
                    status = collector.first.pop(0) if collector.first else collector.status
                    if status == 200:
                        collector.take(self.path, body)
                    collector.came.notify_all()
                collector.open.wait(MOST_HELD_S)
                if status == CUT:
                    self.close_connection = True
                    return
                self.send_response(status)
                if collector.endless:
                    self.endless()
                    return
                self.send_header("content-length", "0")
                self.end_headers()

            def endless(self) -> None:
                self.end_headers()
                with contextlib.suppress(OSError):
                    while True:
                        self.wfile.write(b"x" * 100_000)
                self.close_connection = True

            def log_message(self, *_: Any) -> None:
                """Nothing on standard error."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def secure(self, certificate: Path, *, mutual: bool = False) -> None:
        """Speak TLS from now on, if `mutual` only to who has the same `certificate`, key and certificate in one file."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificate))
        context.load_cert_chain(certificate)
        context.verify_mode = ssl.CERT_REQUIRED if mutual else ssl.CERT_NONE
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_address[1]}"

    def wait_exports(self, number: int) -> bool:
        """Wait until so many exports have come; False when they have not in time."""
        with self.came:
            return self.came.wait_for(lambda: len(self.paths) >= number, 10)

    def take(self, path: str, body: bytes) -> None:
        if path.endswith("/traces"):
            for traced in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resources.append(traced.resource)
                self.spans += [span for scope in traced.scope_spans for span in scope.spans]
        else:
            for measured in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.resources.append(measured.resource)
                for scope in measured.scope_metrics:
                    for metric in scope.metrics:
                        data = getattr(metric, metric.WhichOneof("data"))
                        self.points[metric.name] = list(data.data_points)
                        self.temporalities[metric.name] = data.aggregation_temporality

    def span(self, name: str) -> Any:
        """The only span of this name."""
        [found] = [span for span in self.spans if span.name == name]
        return found

    def close(self) -> None:
        self.open.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    # Nothing of the developer's own telemetry may be read.
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    found = Collector()
    yield found
    found.close()
