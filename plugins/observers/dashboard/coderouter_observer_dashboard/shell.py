"""The page itself: files that hold nothing, and may be had without a key."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PAGE = "/dashboard"
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}

#: Nothing but this router's own files, and no script or style within the page.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}


def shell_routes() -> list[Route]:
    """A route for each file; the page's own is without a name."""
    found = []
    for file in sorted(files(__package__).joinpath("static").iterdir(), key=lambda each: each.name):
        kind = TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            path = PAGE if file.name == "page.html" else f"{PAGE}/{file.name}"
            found.append(Route(path, _serving(file.read_bytes(), kind), methods=["GET"]))
    return found


def _serving(content: bytes, kind: str) -> Callable[[Request], Awaitable[Response]]:
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**HEADERS, "etag": tag, "content-type": f"{kind}; charset=utf-8"}

    async def serve(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers)

    return serve
