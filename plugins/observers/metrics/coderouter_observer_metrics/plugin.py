"""Count what happens; tell it when somebody asks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from coderouter_core.api import Attempt, Config, Event, Router, hookimpl
from coderouter_observer_metrics.document import document
from coderouter_observer_metrics.exposition import Exposition, write
from coderouter_observer_metrics.learning import Learning
from coderouter_observer_metrics.snapshot import Snapshot, Sum, add_up, take

if TYPE_CHECKING:
    from coderouter_observer_metrics.sharing import Folder

#: Names the folder that ``serve --workers`` makes for its processes.
SHARED = "CODEROUTER_SHARED_DIR"
#: Seconds between the times at which a process leaves its figures for the others.
LEAVE_S = 1.0


class Metrics:
    """`shared` is the folder of several processes that serve together; without one there is only this one."""

    def __init__(self, shared: Path | None = None, leave_s: float = LEAVE_S) -> None:
        named = os.environ.get(SHARED)
        self._shared = Path(named) if shared is None and named else shared
        self._leave_s = leave_s
        self._folder: Folder | None = None

    @hookimpl
    def configure(self, config: Config, router: Router) -> None:
        self._config = config
        self._router = router
        self._learning = Learning(config)
        self._started_at = router.clock.utc().timestamp()
        self._snapshots = 0

    @hookimpl
    def observe_attempt(self, attempt: Attempt) -> None:
        self._learning.attempt(attempt)

    @hookimpl
    def observe_event(self, event: Event) -> None:
        self._learning.event(event)

    # ---- several processes

    @hookimpl
    def service(self) -> AbstractAsyncContextManager[None] | None:
        return self._sharing(self._shared) if self._shared is not None else None

    @asynccontextmanager
    async def _sharing(self, path: Path) -> AsyncIterator[None]:
        # Imported here: it needs locks of files, which not every platform has, nor several processes on one socket.
        from coderouter_observer_metrics.sharing import Folder

        self._folder = Folder(path)
        await asyncio.to_thread(self._folder.enter)
        task = asyncio.create_task(self._leave())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self._write(self._folder)

    async def _leave(self) -> None:
        while True:
            await self._write(self._folder)
            await asyncio.sleep(self._leave_s)

    async def _write(self, folder: Folder | None) -> Snapshot:
        """Leave this process's figures."""
        snapshot = take(self._learning, self._router, self._started_at)
        self._snapshots += 1
        if folder is not None:
            # A full or lost disk costs the others their view of this process, and no request.
            with suppress(OSError):
                await asyncio.to_thread(folder.write, snapshot, self._snapshots)
        return snapshot

    async def _seen(self) -> Sum:
        own = await self._write(self._folder)
        living: list[Snapshot] = []
        gone: list[Snapshot] = []
        if self._folder is not None:
            with suppress(OSError):
                living, gone = await asyncio.to_thread(self._folder.read)
        return await asyncio.to_thread(add_up, own, living, gone)

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
        exposition = Exposition(
            seen,
            tuple(provider.name for provider in self._config.providers),
            tuple(profile.name for profile in self._config.profiles),
            max(0.0, now - seen.started_at),
            str(self._learning.startup.get("version", "")),
        )
        body, content_type = await asyncio.to_thread(write, exposition, request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})
