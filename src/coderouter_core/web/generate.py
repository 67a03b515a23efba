"""The ingresses that models answer: one class for every dialect."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from coderouter_core.engine import Client, Report, Served, facts_of, outcome_of
from coderouter_core.engine.failure import quoted
from coderouter_core.engine.slices import turn
from coderouter_core.errors import PluginError, RequestError, where
from coderouter_core.events import current_request
from coderouter_core.ids import new_id
from coderouter_core.model import Dialect, Fault, Operation, Request
from coderouter_core.model.attempt import VIA
from coderouter_core.router import CodeRouter
from coderouter_core.web.account import CLIENT_GONE, Account
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

STOPPING = Fault(503, "overloaded_error", "the router is shutting down", retry_after_s=5)

FAILED = Fault(500, "api_error", "the router failed on this request; its log has the reason")

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
        headers = scope["coderouter.headers"]
        connection = HttpConnection(send)
        work = asyncio.current_task()
        assert work is not None
        self._router.in_flight.add(work)
        try:
            with Account(self._router, self._dialect, self._operation.value, headers) as account:
                request = await self._read(account, scope, receive, connection)
                if request is not None:
                    await self._serve(request, connection, receive, account, work)
        except Exception as error:
            # Outside of the answer itself, such as a sink or a ledger that raises.
            self._router.events.emit("internal-error", error=where(error))
            if connection.opened:
                raise
            await answer_fault(connection, self._dialect, FAILED, current_request.get() or request_id())
        finally:
            self._router.in_flight.discard(work)

    async def _read(
        self, account: Account, scope: Scope, receive: Receive, connection: HttpConnection
    ) -> Request | None:
        """The request; None for one that ends here, answered or not."""
        raw = b""
        try:
            raw = await read_body(receive, self._most_body)
            await turn(len(raw))
            return await self._request(account.id, scope, raw)
        except ClientGone:
            account.left()
            return None
        except RequestError as error:
            fault, outcome = error.fault, "refused"
        except asyncio.CancelledError:
            fault, outcome = STOPPING, "failed"
        account.came(size=len(raw))
        await answer_fault(connection, self._dialect, fault, account.id)
        account.ended(fault.status, outcome)
        return None

    async def _request(self, identity: str, scope: Scope, raw: bytes) -> Request:
        body, compact = decode(raw)
        await turn(len(raw))
        self._codec.check(body)
        await turn(len(raw))
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
            compact=compact,
        )

    async def _serve(
        self,
        request: Request,
        connection: HttpConnection,
        receive: Receive,
        account: Account,
        work: asyncio.Task[Any],
    ) -> None:
        report = Report(request, account.began, self._router.clock.utc().timestamp())
        account.came(request.model, stream=request.stream, size=len(request.raw))
        self._tell_version(request)
        client = Client(
            connection,
            request,
            self._codec,
            lambda known: head(report, known),
            self._router.config.settings.ping_after_s,
            tag_body=self._router.config.settings.tag_body,
        )
        watch = asyncio.create_task(until_gone(receive, work))
        self._router.serving[request.id] = Served(report, client)
        try:
            await self._answer(request, client, report)
        except asyncio.CancelledError:
            if watch.done():
                self._left(client, report)
            else:
                # Not the client: the router is told to stop, and this answer had its time.
                report.fault = STOPPING
                await self._fail(client, report)
        finally:
            self._router.serving.pop(request.id, None)
            watch.cancel()
            client.close()
            self._finished(client, report, account)

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
                error=where(error.cause),
                switched_off=False,
            )
            report.fault = error.fault
        except Exception as error:
            # Nobody thought of this one. The client gets an answer all the same, in its dialect, and the log the place.
            self._router.events.emit("internal-error", error=where(error))
            report.fault = FAILED
        if report.fault is not None:
            await self._fail(client, report)

    async def _fail(self, client: Client, report: Report) -> None:
        fault = report.fault
        assert fault is not None
        if client.opened and self._dialect is Dialect.MESSAGES:
            self._router.events.emit(
                "sse-midstream-error",
                provider=report.provider.name if report.provider else None,
                original=self._words(fault.message) if report.tried else fault.message[:200],
            )
        await client.fail(fault)

    def _words(self, text: str) -> str:
        return quoted(text, self._router.config.settings.log_upstream_errors)

    def _tell_version(self, request: Request) -> None:
        version = request.headers.get("anthropic-version")
        if version is not None:
            self._router.events.emit("anthropic-version-header", value=version[:100])

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

    def _finished(self, client: Client, report: Report, account: Account) -> None:
        self._trace(client, report, time.perf_counter() - report.began)
        status = client.status if client.finished else CLIENT_GONE
        outcome = outcome_of(report, client.status if client.opened else None)
        account.ended(status, "failed" if outcome == "unfinished" else outcome, report)


def _refuse_a_loop(headers: Mapping[str, str]) -> None:
    """A router whose provider is, in the end, itself would ask itself for ever."""
    if headers.get("via", "").count(VIA) >= MOST_HOPS:
        message = (
            f"this request came through {MOST_HOPS} routers already: do their providers point in a circle?"
        )
        raise RequestError(Fault(508, "api_error", message, code="loop_detected", should_retry=False))


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
