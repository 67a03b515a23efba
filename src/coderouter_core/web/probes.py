"""Routes that say how the router is, and those that only answer what clients ask of any server."""

from __future__ import annotations

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from coderouter_core import __version__
from coderouter_core.router import CodeRouter


def probes(router: CodeRouter) -> list[BaseRoute]:
    """For whoever watches over the process. Where keys are set, only their holders are told more than "ok"."""

    async def health(request: HttpRequest) -> Response:
        if router.config.auth_keys and not request.scope.get("coderouter.key"):
            return JSONResponse({"status": "ok"})
        return JSONResponse(
            {
                "status": "ok",
                "version": __version__,
                "providers": list(router.providers),
                "allow_paid": router.config.settings.allow_paid,
            }
        )

    async def alive(_: HttpRequest) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: HttpRequest) -> Response:
        fit = router.ready and not router.draining
        status = "ok" if fit else "draining" if router.draining else "starting"
        return JSONResponse({"status": status}, status_code=200 if fit else 503)

    return [
        Route("/healthz", health, methods=["GET"]),
        Route("/livez", alive, methods=["GET"]),
        Route("/readyz", ready, methods=["GET"]),
    ]


def courtesies() -> list[BaseRoute]:
    """What clients ask of whoever they are pointed at."""

    async def service(_: HttpRequest) -> Response:
        return JSONResponse({"service": "coderouter", "version": __version__})

    async def hello(_: HttpRequest) -> Response:
        return Response(status_code=200)

    async def telemetry(_: HttpRequest) -> Response:
        # Clients post their own telemetry; it is taken and forgotten.
        return Response(status_code=204)

    return [
        Route("/", service, methods=["GET"]),
        Route("/api/hello", hello, methods=["GET"]),
        Route("/api/event_logging/batch", telemetry, methods=["POST"]),
    ]
