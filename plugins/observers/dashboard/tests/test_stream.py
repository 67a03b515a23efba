"""The news of a page: a snapshot, then what changed; bounded for every viewer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Any

import httpx
import pytest
from coderouter_observer_dashboard import Dashboard
from coderouter_observer_dashboard.stream import MOST_VIEWERS, MOST_WAITING, Viewer

from coderouter_core.api import Event, Level
from coderouter_core.testing import Script, ServedRouter, make_router

PATIENCE_S = 30.0

News = Iterator[tuple[str, Any]]


def news(lines: Iterator[str]) -> News:
    """Kind and data of each frame."""
    kind = ""
    for line in lines:
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))


@contextmanager
def looking(router: ServedRouter) -> Iterator[News]:
    with router.client.stream("GET", "/dashboard/stream") as answer:
        yield news(answer.iter_lines())


@pytest.fixture
def dashboard() -> Dashboard:
    return Dashboard()


@pytest.fixture
def router(dashboard: Dashboard) -> Iterator[ServedRouter]:
    with make_router(dashboard, Script(local="hello")) as router:
        yield router


def test_the_first_frame_is_everything(router: ServedRouter) -> None:
    router.ask("hi")

    with looking(router) as frames:
        kind, seen = next(frames)

    assert (kind, seen.keys()) == ("snapshot", router.client.get("/dashboard/data").json().keys())
    assert len(seen["requests"]) == 1


def test_an_update_holds_what_changed_and_no_more(router: ServedRouter) -> None:
    with looking(router) as frames:
        next(frames)

        assert next((kind, set(seen)) for kind, seen in frames if kind == "update") == ("update", {"now"})


def test_a_request_that_ends_is_in_an_update(router: ServedRouter) -> None:
    router.ask("before")
    with looking(router) as frames:
        next(frames)
        asked = router.ask("hi")

        told = next(seen["requests"] for kind, seen in frames if "requests" in seen)

    assert [each["request_id"] for each in told] == [asked.headers["x-request-id"]]


def test_events_come_as_they_happen(router: ServedRouter) -> None:
    with looking(router) as frames:
        next(frames)
        router.ask("hi")

        told = next(seen for kind, seen in frames if kind == "events")

    assert told[0]["name"] == "request-received"


def test_one_viewer_too_many_is_asked_to_come_later(router: ServedRouter) -> None:
    with ExitStack() as pages:
        looked = [pages.enter_context(looking(router)) for _ in range(MOST_VIEWERS)]
        assert {next(frames)[0] for frames in looked} == {"snapshot"}

        with router.client.stream("GET", "/dashboard/stream") as answer:
            assert (answer.status_code, answer.headers.get("retry-after")) == (503, "10")


def test_who_leaves_is_forgotten(router: ServedRouter, dashboard: Dashboard) -> None:
    with ExitStack() as pages:
        looked = [pages.enter_context(looking(router)) for _ in range(MOST_VIEWERS)]
        assert {next(frames)[0] for frames in looked} == {"snapshot"}

    # Their places are free again once the router has noticed.
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with router.client.stream("GET", "/dashboard/stream") as answer:
            if answer.status_code == 200:
                return
    pytest.fail(f"{len(dashboard.stream.viewers)} viewers are still there")


def test_news_end_when_the_router_is_told_to_stop(router: ServedRouter) -> None:
    with looking(router) as frames:
        next(frames)
        router.core.draining = True

        assert len(list(islice(frames, 5))) < 5


def test_a_viewer_that_takes_nothing_falls_back_to_a_snapshot() -> None:
    viewer = Viewer(behind=False)
    for _ in range(MOST_WAITING + 1):
        viewer.tell(Event("try-provider", Level.INFO, 0.0, None))

    assert (len(viewer.waiting), viewer.behind) == (0, True)


def test_what_waits_for_a_viewer_is_bounded() -> None:
    viewer = Viewer(behind=False)
    most = 0
    for _ in range(10 * MOST_WAITING):
        viewer.tell(Event("try-provider", Level.INFO, 0.0, None))
        most = max(most, len(viewer.waiting))

    assert most == MOST_WAITING


def test_nothing_waits_where_nobody_looks(router: ServedRouter, dashboard: Dashboard) -> None:
    router.ask("hi")

    assert dashboard.stream.viewers == set()


def test_the_stream_is_not_stored_or_held_back_on_its_way(router: ServedRouter) -> None:
    with router.client.stream("GET", "/dashboard/stream") as answer:
        said = httpx.Headers(answer.headers)

    assert (said["content-type"], said["cache-control"], said["x-accel-buffering"]) == ("text/event-stream", "no-store", "no")  # fmt: skip
