"""Count what happens; tell it when somebody asks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import orjson
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from coderouter_core.api import Attempt, Config, Event, Peers, Router, hookimpl, shared_folder
from coderouter_observer_metrics.document import document
from coderouter_observer_metrics.learning import Learning
from coderouter_observer_metrics.sharing import Folder
from coderouter_observer_metrics.snapshot import Snapshot, Sum, add_up, take

#: Seconds between the times at which a process leaves its figures for the others.
LEAVE_S = 1.0


class Metrics:
    """`shared` is the folder of several processes that serve together; without one there is only this one."""

    def __init__(self, shared: Path | None = None, leave_s: float = LEAVE_S) -> None:
        self._shared = shared or shared_folder()
        self._leave_s = leave_s

    @hookimpl
    def configure(self, config: Config, router: Router) -> None:
        self._config = config
        self._router = router
        self._learning = Learning(config)
        self._started_at = router.clock.utc().timestamp()
        self._peers = Peers(self._take, Folder(self._shared) if self._shared else None, self._leave_s)

    @hookimpl
    def observe_attempt(self, attempt: Attempt) -> None:
        self._learning.attempt(attempt)

    @hookimpl
    def observe_event(self, event: Event) -> None:
        self._learning.event(event)

    @hookimpl
    def service(self) -> AbstractAsyncContextManager[None] | None:
        return self._peers.sharing() if self._shared is not None else None

    async def _take(self) -> Snapshot:
        return take(self._learning, self._router, self._started_at)

    async def _seen(self) -> Sum:
        return await asyncio.to_thread(add_up, *(await self._peers.seen()))

    # ---- telling

    @hookimpl
    def routes(self) -> Iterable[BaseRoute]:
        return [
            Route("/metrics", self._metrics, methods=["GET"]),
            Route("/metrics.json", self._document, methods=["GET"]),
        ]

    async def _document(self, _: HttpRequest) -> Response:
        seen, now = await self._seen(), self._router.clock.utc().timestamp()
        chains = self._router.chains()
        said = await asyncio.to_thread(document, seen, self._config, chains, now)
        return Response(orjson.dumps(said, default=str), media_type="application/json")

    async def _metrics(self, request: HttpRequest) -> Response:
        seen, now = await self._seen(), self._router.clock.utc().timestamp()
        accepted = request.headers.get("accept", "")
        body, content_type = await asyncio.to_thread(self._exposed, seen, now, accepted)
        return Response(body, headers={"content-type": content_type})

    def _exposed(self, seen: Sum, now: float, accepted: str) -> tuple[bytes, str]:
        # In the thread of the first scrape: the client library is a tenth of the router's start, and many are
        # never scraped.
        from coderouter_observer_metrics.exposition import Exposition, write

        exposition = Exposition(
            seen,
            tuple(provider.name for provider in self._config.providers),
            tuple(profile.name for profile in self._config.profiles),
            max(0.0, now - seen.started_at),
            str(self._learning.startup.get("version", "")),
        )
        return write(exposition, accepted)
