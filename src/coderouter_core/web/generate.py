"""The ingresses that models answer: one class for every dialect."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from traceback import extract_tb

from coderouter_core.engine import Client, Report, facts_of
from coderouter_core.errors import PluginError, RequestError
from coderouter_core.events import current_request
from coderouter_core.ids import new_id
from coderouter_core.model import Dialect, Fault, Operation, Request
from coderouter_core.model.attempt import VIA
from coderouter_core.router import CodeRouter
from coderouter_core.web.exchange import (
    ClientGone,
    HttpConnection,
    Receive,
    Scope,
    Send,
    decode,
    read_body,
    until_gone,
)
from coderouter_core.wire import client_side

CREDENTIALS = frozenset({"authorization", "x-api-key", "cookie", "proxy-authorization", "api-key"})

#: Routers that may stand in a row.
MOST_HOPS = 4


def request_id() -> str:
    return f"req_{new_id()}"


def id_headers(identity: str) -> dict[str, str]:
    """Our id of the request, under our name and under the one that the Anthropic SDKs read."""
    return {"x-request-id": identity, "request-id": identity}


class Generate:
    """ASGI endpoint: decode, choose a profile, let the engine answer.

    A plain ASGI callable, not a Starlette handler: status and headers wait for the upstream's first
    content, which no response object can do.
    """

    def __init__(
        self, router: CodeRouter, dialect: Dialect, operation: Operation = Operation.GENERATE
    ) -> None:
        self._router = router
        self._dialect = dialect
        self._operation = operation
        self._codec = client_side(dialect, operation)
        self._most_body = router.config.settings.max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        identity = request_id()
        current_request.set(identity)
        connection = HttpConnection(send)
        try:
            request = self._request(identity, scope, await read_body(receive, self._most_body))
        except ClientGone:
            return
        except RequestError as error:
            await answer_fault(connection, self._dialect, error.fault, identity)
            return
        await self._serve(request, connection, receive, began)

    def _request(self, identity: str, scope: Scope, raw: bytes) -> Request:
        body = decode(raw)
        self._codec.check(body)
        _refuse_a_loop(scope["coderouter.headers"])
        headers = {
            name: value for name, value in scope["coderouter.headers"].items() if name not in CREDENTIALS
        }
        return Request(
            id=identity,
            dialect=self._dialect,
            body=body,
            raw=raw,
            headers=headers,
            operation=self._operation,
            client_key=scope.get("coderouter.key"),
        )

    async def _serve(
        self, request: Request, connection: HttpConnection, receive: Receive, began: float
    ) -> None:
        report = Report(request, began, self._router.clock.utc().timestamp())
        self._router.events.emit(
            "request-received",
            dialect=str(request.dialect),
            model=request.model[:200],
            stream=request.stream,
            bytes=len(request.raw),
        )
        client = Client(
            connection,
            request,
            self._codec,
            lambda known: head(report, known),
            self._router.config.settings.ping_after_s,
        )
        work = asyncio.current_task()
        assert work is not None
        watch = asyncio.create_task(until_gone(receive, work))
        self._router.in_flight.add(work)
        try:
            await self._answer(request, client, report)
        except asyncio.CancelledError:
            if not watch.done():
                # Not the client: the router is told to stop, and this answer had its time.
                report.fault = Fault(503, "overloaded_error", "the router is shutting down", retry_after_s=5)
                await client.fail(report.fault)
                return
            self._left(client, report)
        finally:
            self._router.in_flight.discard(work)
            watch.cancel()
            client.close()
            self._finished(client, report)

    async def _answer(self, request: Request, client: Client, report: Report) -> None:
        try:
            report.choice = choice = await self._router.routing.choice(request)
            await self._router.engine.serve(request, choice.profile, client, report)
        except RequestError as error:
            report.fault = error.fault
        except PluginError as error:
            self._router.events.emit(
                "plugin-failed",
                plugin=error.plugin,
                hook=error.hook,
                error=f"{type(error.cause).__name__}: {error.cause}"[:200],
                switched_off=False,
            )
            message = f"plugin {error.plugin!r} failed in {error.hook}; its judgement cannot be done without"
            report.fault = Fault(500, "api_error", message, code="plugin_failed")
        except Exception as error:
            # Nobody thought of this one. The client gets an answer all the same, in its dialect, and the log the place.
            self._router.events.emit("internal-error", error=where(error))
            report.fault = Fault(
                500, "api_error", "the router failed on this request; its log has the reason"
            )
        if report.fault is not None:
            await client.fail(report.fault)

    def _left(self, client: Client, report: Report) -> None:
        report.left = True
        self._router.events.emit(
            "client-disconnected",
            profile=report.profile.name if report.profile else None,
            provider=report.provider.name if report.provider else None,
            phase="stream" if client.opened else "waiting",
        )

    def _trace(self, client: Client, report: Report, seconds: float) -> None:
        how = self._router.config.settings.log_upstream_errors
        status = client.status if client.opened else None
        self._router.ledger.trace(report.request.id, facts_of(report, how, status=status, seconds=seconds))

    def _finished(self, client: Client, report: Report) -> None:
        cost = report.cost
        total_s = time.perf_counter() - report.began
        self._trace(client, report, total_s)
        last = report.last
        first = last.first_token_s if last else None
        self._router.events.emit(
            "request-finished",
            profile=report.profile.name if report.profile else None,
            provider=report.provider.name if report.provider else None,
            attempts=report.attempts,
            status=client.status if client.finished else 499,
            input_tokens=report.usage.prompt,
            output_tokens=report.usage.output,
            cost_usd=round(cost.usd, 8) if cost and cost.usd is not None else 0.0,
            priced=bool(cost and cost.usd is not None),
            ttft_ms=round(first * 1000, 1) if first is not None else None,
            duration_ms=round(total_s * 1000, 1),
            overhead_ms=round((total_s - report.waited_s) * 1000, 2),
        )


def _refuse_a_loop(headers: Mapping[str, str]) -> None:
    """A router whose provider is, in the end, itself would ask itself for ever."""
    if headers.get("via", "").count(VIA) >= MOST_HOPS:
        message = (
            f"this request came through {MOST_HOPS} routers already: do their providers point in a circle?"
        )
        raise RequestError(Fault(508, "api_error", message, code="loop_detected", should_retry=False))


def where(error: Exception) -> str:
    """The error and the places it came through: never values, which may be a request's text."""
    places = [
        f"{frame.name} {frame.filename.rpartition('/')[2]}:{frame.lineno}"
        for frame in extract_tb(error.__traceback__)
    ]
    return f"{type(error).__name__} in {' > '.join(places[-6:])}"


def head(report: Report, known: bool) -> Mapping[str, str]:
    """The response headers of every answer. `known`: who answers is decided."""
    headers = id_headers(report.request.id)
    if report.profile is not None:
        headers["x-coderouter-profile"] = report.profile.name
    if known:
        if report.provider is not None:
            headers["x-coderouter-provider"] = report.provider.name
        headers["x-coderouter-attempts"] = str(report.attempts)
        if report.fallback_reason:
            headers["x-coderouter-fallback-reason"] = report.fallback_reason[:200]
        own = report.overhead_s
        if own is None:
            own = time.perf_counter() - report.began - report.waited_s
        headers["x-coderouter-overhead-ms"] = f"{own * 1000:.2f}"
    return headers


async def answer_fault(connection: HttpConnection, dialect: Dialect, fault: Fault, identity: str) -> None:
    """Answer a request that never became one."""
    body = client_side(dialect).error_body(fault, identity)
    headers = {"content-type": "application/json", "content-length": str(len(body)), **id_headers(identity)}
    if fault.should_retry is not None:
        headers["x-should-retry"] = "true" if fault.should_retry else "false"
    await connection.open(fault.status, headers)
    await connection.finish(body)
