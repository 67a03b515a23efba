"""What waits for the collector, and the tasks that bring it there."""

from __future__ import annotations

import asyncio
import collections
import logging
import time
from collections.abc import Callable

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as EncodedResource
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import SpanKind, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from coderouter_observer_otel.encoding import key_values
from coderouter_observer_otel.metrics import Meters
from coderouter_observer_otel.names import CURRENT, LATEST
from coderouter_observer_otel.record import Begun, Pending, new_trace_id
from coderouter_observer_otel.sending import Sender
from coderouter_observer_otel.settings import (
    SIGNALS,
    Batching,
    OtelSettings,
    batching,
    interval_s,
    resource,
    target,
    wants_delta,
    wants_latest,
)
from coderouter_observer_otel.spans import write

SCOPE = InstrumentationScope(name="coderouter")

#: Told of each export: which signal, whether all of it came through, and how many spans were lost so far.
Tell = Callable[[str, bool, int], None]


class Traces:
    """Spans on their way, as the bytes of whole exports and of one that still grows."""

    def __init__(self, resource: EncodedResource, limits: Batching) -> None:
        self._resource = resource
        self._limits = limits
        self._full: collections.deque[tuple[int, bytes]] = collections.deque()
        self._waiting = 0
        self._begin()
        #: Spans that were lost, and how many of them were told of.
        self.dropped = self.told = 0
        self.wake = asyncio.Event()

    def _begin(self) -> None:
        self._growing = ExportTraceServiceRequest()
        traced = self._growing.resource_spans.add(resource=self._resource)
        self._spans = traced.scope_spans.add(scope=SCOPE).spans

    def put(self, pending: Pending) -> None:
        """Take the spans of a request that ended; drop them where too many wait."""
        if self._waiting + len(self._spans) >= self._limits.most:
            self.lose(pending)
            return
        before = len(self._spans)
        try:
            write(self._spans, pending)
        except (TypeError, ValueError):
            # Something that OTLP has no form for, such as a number beyond 64 bits.
            del self._spans[before:]
            self.lose(pending)
        if len(self._spans) >= self._limits.size:
            self._turn()
            self.wake.set()

    def lose(self, pending: Pending) -> None:
        """Count the spans of a request that will not be told."""
        self.dropped += 1 + len(pending.tried)

    def take(self, *, growing: bool) -> tuple[int, bytes] | None:
        """The number of spans of the next export, and its bytes; None when none waits. One that still grows is taken
        only where `growing` says so: under load there would always be one, and exports without end of a few spans."""
        if growing and not self._full and self._spans:
            self._turn()
        if not self._full:
            return None
        number, body = self._full.popleft()
        self._waiting -= number
        return number, body

    def _turn(self) -> None:
        """A whole export is kept as bytes, which are a fraction of the message's size."""
        self._full.append((len(self._spans), self._growing.SerializeToString()))
        self._waiting += len(self._spans)
        self._begin()


class Export:
    """Takes what ended and brings it to the collector, in tasks of the event loop. Raises nothing while traffic runs."""

    def __init__(self, settings: OtelSettings, tell: Tell) -> None:
        # It warns of each header that a client wrote wrongly, as often as the client likes.
        quiet = logging.getLogger("opentelemetry.trace")
        quiet.propagate = False
        if not quiet.handlers:
            quiet.addHandler(logging.NullHandler())
        self._tell = tell
        self._w3c = TraceContextTextMapPropagator()
        self._sampler = TracerProvider(shutdown_on_exit=False).sampler
        found = Resource.create(resource(settings))
        self._resource = EncodedResource(attributes=key_values(found.attributes.items()))
        self._closing = asyncio.Event()
        self._limits = batching()
        self._interval_s = interval_s(settings)
        senders = {
            signal: Sender(to, self._closing)
            for signal in SIGNALS
            if (to := target(settings, signal)) is not None
        }
        self.traces = Traces(self._resource, self._limits) if "traces" in senders else None
        table = LATEST if wants_latest(settings) else CURRENT
        self.meters = Meters(table, time.time_ns(), delta=wants_delta()) if "metrics" in senders else None
        self._tasks: list[asyncio.Task[None]] = []
        if self.traces is not None:
            self._tasks.append(asyncio.create_task(self._export_traces(self.traces, senders["traces"])))
        if self.meters is not None:
            self._tasks.append(asyncio.create_task(self._export_metrics(self.meters, senders["metrics"])))

    def begin(self, traceparent: str | None, tracestate: str | None) -> Begun:
        """The trace that a client's headers ask for, else a new one; kept or not by the SDK's sampler
        (``OTEL_TRACES_SAMPLER``)."""
        trace_id, parent_id, context = 0, 0, None
        if traceparent:
            context = self._w3c.extract({"traceparent": traceparent, "tracestate": tracestate or ""})
            above = get_current_span(context).get_span_context()
            if above.is_valid:
                trace_id, parent_id = above.trace_id, above.span_id
        trace_id = trace_id or new_trace_id()
        said = self._sampler.should_sample(context, trace_id, "POST", SpanKind.SERVER)
        sampled = self.traces is not None and said.decision is Decision.RECORD_AND_SAMPLE
        return Begun(trace_id, parent_id, sampled, said.trace_state.to_header() if said.trace_state else "")

    async def aclose(self, limit_s: float) -> None:
        """Export what waits and end, within `limit_s`; what the collector has not taken by then is lost."""
        self._closing.set()
        if self.traces is not None:
            self.traces.wake.set()
        _, late = await asyncio.wait(self._tasks, timeout=limit_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if late and self.traces is not None:
            self._lose(self.traces)

    def _lose(self, traces: Traces) -> None:
        while (taken := traces.take(growing=True)) is not None:
            traces.dropped += taken[0]
        self._told(traces)

    def _told(self, traces: Traces) -> None:
        self._tell("traces", traces.dropped == traces.told, traces.dropped)
        traces.told = traces.dropped

    async def _export_traces(self, traces: Traces, sender: Sender) -> None:
        async with sender:
            while not self._closing.is_set():
                is_full = await _until(traces.wake, self._limits.delay_s)
                traces.wake.clear()
                await self._send(traces, sender, growing=not is_full)
            await self._send(traces, sender, growing=True)

    async def _send(self, traces: Traces, sender: Sender, *, growing: bool) -> None:
        while (taken := traces.take(growing=growing)) is not None:
            number, body = taken
            taken_well = False
            try:
                taken_well = await sender.send(body)
            finally:
                if not taken_well:
                    traces.dropped += number
            self._told(traces)

    async def _export_metrics(self, meters: Meters, sender: Sender) -> None:
        async with sender:
            while not self._closing.is_set():
                await _until(self._closing, self._interval_s)
                request = ExportMetricsServiceRequest()
                measured = request.resource_metrics.add(resource=self._resource)
                counted = measured.scope_metrics.add(scope=SCOPE).metrics
                for metric in meters.told(time.time_ns()):
                    counted.append(metric)
                    # Hundreds of providers make thousands of points, and traffic is not to wait for all of them.
                    await asyncio.sleep(0)
                if counted:
                    worked = await sender.send(request.SerializeToString())
                    self._tell("metrics", worked, self.traces.dropped if self.traces else 0)


async def _until(event: asyncio.Event, limit_s: float) -> bool:
    """Whether `event` came before the end of its time."""
    try:
        async with asyncio.timeout(limit_s):
            return await event.wait()
    except TimeoutError:
        return False
