"""The page's news: one snapshot, then what changed, over server-sent events."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from attrs import define, field

from coderouter_core.api import Event, Router
from coderouter_observer_dashboard.secrets import Secrets
from coderouter_observer_dashboard.snapshot import event_of
from coderouter_observer_dashboard.view import Known, View

#: Who comes when so many look is asked to come later.
MOST_VIEWERS = 32
#: Events that wait for one viewer; whoever has not taken them by then gets a snapshot in their place.
MOST_WAITING = 256
#: Seconds between updates, and the least between two batches of events.
TICK_S = 1.0
GAP_S = 0.1
#: A viewer that takes nothing for so long is let go; its page comes back by itself.
STUCK_S = 30.0

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]

_HEAD = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-accel-buffering", b"no"),
]


@define(eq=False)
class Viewer:
    """Somebody who looks: what waits for them, and what they were sent."""

    waiting: deque[Event] = field(factory=deque)
    news: asyncio.Event = field(factory=asyncio.Event)
    behind: bool = True
    gone: bool = False
    known: Known = field(factory=dict)
    sent: Mapping[str, bytes] = field(factory=dict)

    def tell(self, event: Event) -> None:
        if len(self.waiting) >= MOST_WAITING:
            self.waiting.clear()
            self.behind = True
        if not self.behind:
            self.waiting.append(event)
            self.news.set()


class Stream:
    """ASGI endpoint of ``/dashboard/stream``, and where events are handed in."""

    def __init__(self, router: Router, view: View, secrets: Secrets) -> None:
        self._router = router
        self._view = view
        self._secrets = secrets
        self.viewers: set[Viewer] = set()
        self._sections: Mapping[str, bytes] = {}
        self._refreshed_at = -TICK_S
        self._refreshing: asyncio.Task[None] | None = None

    def tell(self, event: Event) -> None:
        """Hand an event to everybody who looks."""
        for viewer in self.viewers:
            viewer.tell(event)

    async def __call__(self, _: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if len(self.viewers) >= MOST_VIEWERS:
            await _refuse(send)
            return
        viewer = Viewer()
        self.viewers.add(viewer)
        watch = asyncio.create_task(_watch(viewer, receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEAD})
            await self._serve(viewer, send)
        except TimeoutError:
            return
        finally:
            self.viewers.discard(viewer)
            watch.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _serve(self, viewer: Viewer, send: Send) -> None:
        loop = asyncio.get_running_loop()
        while not (viewer.gone or self._router.draining):
            await self._refresh()
            due = loop.time() + TICK_S
            await self._send(send, self._tick(viewer))
            while not viewer.gone and (left := due - loop.time()) > 0:
                if not await _come(viewer.news, left):
                    break
                viewer.news.clear()
                if viewer.waiting:
                    await self._send(send, self._events(viewer))
                    await asyncio.sleep(GAP_S)

    async def _send(self, send: Send, frame: bytes) -> None:
        async with asyncio.timeout(STUCK_S):
            await send({"type": "http.response.body", "body": frame, "more_body": True})

    def _tick(self, viewer: Viewer) -> bytes:
        """A snapshot for who is behind, else the sections that are not as they were sent."""
        view, sections, more = self._view, self._sections, b""
        told = {} if viewer.behind else viewer.sent
        changed = {name: text for name, text in sections.items() if told.get(name) != text}
        if viewer.behind:
            kind = "snapshot"
            viewer.waiting.clear()
            changed["requests"] = self._encode(view.requests())
            changed["events"] = self._encode(view.events())
        else:
            kind = "update"
            if requests := view.requests(viewer.known):
                changed["requests"] = self._encode(requests)
            if events := view.events_of_others(viewer.known):
                more = _frame("events", self._encode(events))
        viewer.behind, viewer.known, viewer.sent = False, view.known(), sections
        changed["now"] = self._encode(view.now())
        body = b",".join(b'"%s":%s' % (name.encode(), text) for name, text in changed.items())
        return _frame(kind, b"{%s}" % body) + more

    async def _refresh(self) -> None:
        """Once for all who look at about the same time; who comes meanwhile waits for the same."""
        now = asyncio.get_running_loop().time()
        if self._refreshing is None and now - self._refreshed_at < TICK_S / 2:
            return
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._compute(now))
        await asyncio.shield(self._refreshing)

    async def _compute(self, now: float) -> None:
        try:
            await self._view.refresh()
            self._sections = {name: self._encode(section) for name, section in self._view.sections().items()}
            self._refreshed_at = now
        finally:
            self._refreshing = None

    def _events(self, viewer: Viewer) -> bytes:
        waiting = [event_of(event) for event in viewer.waiting]
        viewer.waiting.clear()
        return _frame("events", self._encode(waiting))

    def _encode(self, value: Any) -> bytes:
        return self._secrets.encode(value)


def _frame(kind: str, data: bytes) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), data)


async def _come(news: asyncio.Event, within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            await news.wait()
    except TimeoutError:
        return False
    return True


async def _watch(viewer: Viewer, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    viewer.gone = True
    viewer.news.set()


async def _refuse(send: Send) -> None:
    body = orjson.dumps({"error": f"{MOST_VIEWERS} pages look already: close one, or come back later"})
    head = [(b"content-type", b"application/json"), (b"retry-after", b"10")]
    await send({"type": "http.response.start", "status": 503, "headers": head})
    await send({"type": "http.response.body", "body": body, "more_body": False})
