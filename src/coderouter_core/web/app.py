"""The Starlette application of one router."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, Route

from coderouter_core.errors import ConfigError, Problem, where
from coderouter_core.events import current_request
from coderouter_core.hooks import Said
from coderouter_core.model import Dialect, Fault, Operation
from coderouter_core.router import CodeRouter
from coderouter_core.web.account import Account
from coderouter_core.web.count import CountTokens
from coderouter_core.web.exchange import HttpConnection, Receive, Scope, Send
from coderouter_core.web.explain import trace_of, unknown
from coderouter_core.web.generate import Generate, answer_fault, id_headers, request_id
from coderouter_core.web.models import models
from coderouter_core.web.probes import courtesies, probes
from coderouter_core.web.security import Security, read_headers

#: Paths that only OpenAI's clients know, whatever their headers are.
OPENAI = ("/v1/responses", "/v1/chat", "/v1/completions", "/v1/embeddings")


def make_app(router: CodeRouter, bound: Sequence[str] = ("127.0.0.1",)) -> Security:
    """Every route of the core and of the plugins, behind the security middleware.

    `bound` are the addresses it will be served on; they are names it answers to.
    """

    async def our_error(request: HttpRequest, error: Exception) -> Response:
        router.emit("internal-error", error=where(error))
        fault = Fault(500, "api_error", "the router failed on this request; its log has the reason")
        return _as_response(request.scope, fault)

    theirs = router.hooks.routes()
    app = Starlette(
        routes=[*_routes(router), *(said.verdict for said in theirs)],
        exception_handlers={HTTPException: _http_error, Exception: our_error},
    )
    # A redirect would be built from the client's Host, and clients take any for a failure.
    app.router.redirect_slashes = False
    door = Ingresses(app)
    return Security(door, router.config, bound, partial(_answer, router), _open_paths(router, theirs))


class Ingresses:
    """Leads what models are asked straight to its endpoint, and everything else to the routes of `app`.

    Those know the same endpoints, for who asks with another method. A POST needs nothing of the layers in
    between: its endpoint answers whatever goes wrong.
    """

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self._endpoints = {
            route.path: route.endpoint
            for route in app.routes
            if isinstance(route, Route) and isinstance(route.endpoint, Generate)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = scope["type"] == "http" and scope["method"] == "POST"
        if asked and (endpoint := self._endpoints.get(scope["path"])) is not None:
            await endpoint(scope, receive, send)
        else:
            await self._app(scope, receive, send)  # type: ignore[arg-type]


def _open_paths(router: CodeRouter, routes: Sequence[Said[BaseRoute]]) -> frozenset[str]:
    """The paths that plugins serve without a key. Nobody opens what another serves."""
    said_open = router.hooks.open_paths()
    served = [*(Said("", route) for route in _routes(router)), *routes]
    foreign = [said for said in said_open if _server_of(said.verdict, served) != said.plugin]
    if foreign:
        raise ConfigError(
            *(
                Problem(f"plugin {said.plugin!r} opens {said.verdict!r}, which is no route of its own")
                for said in foreign
            )
        )
    return frozenset(said.verdict for said in said_open)


def _server_of(path: str, routes: Sequence[Said[BaseRoute]]) -> str | None:
    """The plugin whose route answers a GET of `path`; empty for the core."""
    scope = {"type": "http", "method": "GET", "path": path}
    return next((said.plugin for said in routes if said.verdict.matches(scope)[0] is Match.FULL), None)


def _routes(router: CodeRouter) -> list[BaseRoute]:
    async def list_models(request: HttpRequest) -> Response:
        return JSONResponse(
            models(router, request.scope["coderouter.headers"], request.path_params.get("id"))
        )

    async def explain(request: HttpRequest) -> Response:
        asked = request.path_params["id"]
        trace = await trace_of(router.ledger, asked)
        return _as_response(request.scope, unknown(asked)) if trace is None else JSONResponse(trace)

    return [
        Route("/v1/messages", Generate(router, Dialect.MESSAGES), methods=["POST"]),
        Route("/v1/chat/completions", Generate(router, Dialect.CHAT), methods=["POST"]),
        Route("/v1/responses", Generate(router, Dialect.RESPONSES), methods=["POST"]),
        Route("/v1/completions", Generate(router, Dialect.CHAT, Operation.COMPLETE), methods=["POST"]),
        Route("/v1/embeddings", Generate(router, Dialect.CHAT, Operation.EMBED), methods=["POST"]),
        Route("/v1/messages/count_tokens", CountTokens(router), methods=["POST"]),
        Route("/v1/models", list_models, methods=["GET"]),
        Route("/v1/models/{id:path}", list_models, methods=["GET"]),
        Route("/explain/{id}", explain, methods=["GET"]),
        *courtesies(),
        *probes(router),
    ]


def dialect_of(path: str, headers: dict[str, str]) -> Dialect:
    """The dialect in which a client that asked for `path` reads an error; where the path does not tell, its headers do."""
    if path.startswith("/v1/messages"):
        return Dialect.MESSAGES
    if path.startswith(OPENAI):
        return Dialect.CHAT
    return Dialect.MESSAGES if "anthropic-version" in headers or "x-api-key" in headers else Dialect.CHAT


async def _answer(router: CodeRouter, scope: Scope, send: Send, fault: Fault) -> None:
    """Refuse at the door. What would have been a request of a model is told as one."""
    headers = scope.get("coderouter.headers") or read_headers(scope)
    dialect = dialect_of(scope["path"], headers)
    if scope["method"] != "POST" or not scope["path"].startswith("/v1/"):
        await answer_fault(HttpConnection(send), dialect, fault, request_id())
        return
    with Account(router, dialect, Operation.GENERATE.value, headers) as account:
        account.came()
        await answer_fault(HttpConnection(send), dialect, fault, account.id)
        account.ended(fault.status, "refused")


def _as_response(scope: Scope, fault: Fault) -> Response:
    from coderouter_core.wire import codec

    identity = current_request.get() or request_id()
    body = codec(dialect_of(scope["path"], scope["coderouter.headers"])).error_body(fault, identity)
    return Response(body, fault.status, id_headers(identity), "application/json")


async def _http_error(request: HttpRequest, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code
    kind = "not_found_error" if status == 404 else "invalid_request_error"
    text = error.detail
    if text == HTTPStatus(status).phrase:
        # The framework's own: it says no more than the status.
        text = {
            404: f"there is no route {request.method} {request.url.path[:200]}",
            405: f"{request.method} is not a method of {request.url.path[:200]}",
        }.get(status, text)
    response = _as_response(request.scope, Fault(status, kind, text))
    if error.headers:
        response.headers.update(error.headers)
    return response
