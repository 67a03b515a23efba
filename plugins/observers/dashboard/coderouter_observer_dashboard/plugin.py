"""Show what the router does: a page, its data, and a stream of its news."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from coderouter_core.api import Attempt, Config, Event, Peers, Router, hookimpl, shared_folder
from coderouter_observer_dashboard.own import Own
from coderouter_observer_dashboard.record import Record
from coderouter_observer_dashboard.secrets import Secrets
from coderouter_observer_dashboard.shell import PAGE, shell_routes
from coderouter_observer_dashboard.snapshot import folder_of
from coderouter_observer_dashboard.stream import Stream
from coderouter_observer_dashboard.view import View

#: Seconds between the times at which a process leaves what it saw for the others.
LEAVE_S = 1.0


class Dashboard:
    """Remembers what was observed; everything else is done when somebody looks.

    `shared` is the folder of several processes that serve together; without one there is only this one.
    """

    def __init__(self, shared: Path | None = None, leave_s: float = LEAVE_S) -> None:
        self._shared = shared or shared_folder()
        self._leave_s = leave_s
        self.record = Record()
        self.stream: Stream | None = None
        self._shell = shell_routes()

    @hookimpl
    def configure(self, config: Config, router: Router) -> None:
        self._secrets = Secrets(config)
        own = Own(config, router, self.record)
        folder = folder_of(self._shared, self._secrets.encode) if self._shared else None
        self._peers = Peers(own.take, folder, self._leave_s)
        self._view = View(config, router, own, self._peers)
        self.stream = Stream(router, self._view, self._secrets)

    @hookimpl
    def service(self) -> AbstractAsyncContextManager[None] | None:
        return self._peers.sharing() if self._shared is not None else None

    @hookimpl
    def observe_attempt(self, attempt: Attempt) -> None:
        self.record.attempt(attempt)

    @hookimpl
    def observe_event(self, event: Event) -> None:
        self.record.event(event)
        # The ledger may have something to say before anything is configured.
        if self.stream is not None and self.stream.viewers:
            self.stream.tell(event)

    @hookimpl
    def routes(self) -> Iterable[BaseRoute]:
        assert self.stream is not None, "configure comes first"
        return [
            *self._shell,
            Route(f"{PAGE}/data", self._data, methods=["GET"]),
            Route(f"{PAGE}/stream", self.stream, methods=["GET"]),
        ]

    @hookimpl
    def open_paths(self) -> Iterable[str]:
        return [route.path for route in self._shell]

    async def _data(self, _: Request) -> Response:
        """The snapshot that a stream begins with."""
        view = self._view
        await view.refresh()
        lists = {"requests": view.requests(), "events": view.events(), "now": view.now()}
        return Response(
            self._secrets.encode({**view.sections(), **lists}),
            headers={"cache-control": "no-store", "x-content-type-options": "nosniff"},
            media_type="application/json",
        )
