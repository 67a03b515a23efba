"""Show what the router does: a page, its data, and a stream of its news."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from coderouter_core.api import Attempt, Config, Event, Router, hookimpl
from coderouter_observer_dashboard.record import Record
from coderouter_observer_dashboard.secrets import Secrets
from coderouter_observer_dashboard.shell import PAGE, shell_routes
from coderouter_observer_dashboard.stream import Stream
from coderouter_observer_dashboard.view import View


class Dashboard:
    """Remembers what was observed; everything else is done when somebody looks."""

    def __init__(self) -> None:
        self.record = Record()
        self.stream: Stream | None = None
        self._shell = shell_routes()

    @hookimpl
    def configure(self, config: Config, router: Router) -> None:
        self._view = View(config, router, self.record)
        self._secrets = Secrets(config)
        self.stream = Stream(router, self._view, lambda: self.record.requests_seen, self._secrets)

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
