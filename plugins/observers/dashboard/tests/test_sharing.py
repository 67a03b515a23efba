"""Several processes on one socket: a page at any of them shows what all of them do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from coderouter_observer_dashboard import Dashboard
from coderouter_observer_dashboard.figures import MOST_TOLD, Figures, Sample, joint_percentile, percentile
from coderouter_observer_dashboard.secrets import Secrets
from coderouter_observer_dashboard.snapshot import Snapshot, folder_of

from coderouter_core.api import BudgetStanding, Config, Standing, hookimpl
from coderouter_core.testing import ProviderError, Script, ServedRouter, StallAfter, make_router

if TYPE_CHECKING:
    from pathlib import Path

Started = Callable[..., ServedRouter]


class Thinks:
    """A plugin with something to say of providers."""

    def __init__(self, *said: Standing | BudgetStanding) -> None:
        self._said = said

    @hookimpl
    def report_standing(self) -> tuple[Standing | BudgetStanding, ...]:
        return self._said


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Started]:
    """Starts one more router on the same folder; it leaves what it saw when it is asked, and not meanwhile."""
    with ExitStack() as stack:

        def started(*parts: Any, **config: Any) -> ServedRouter:
            script = [] if any(isinstance(part, Script) for part in parts) else [Script(box="hello")]
            router = make_router(Dashboard(tmp_path, leave_s=3600), *parts, *script, **config)
            return stack.enter_context(router)

        yield started


def data(router: ServedRouter) -> dict[str, Any]:
    found: dict[str, Any] = router.client.get("/dashboard/data").raise_for_status().json()
    return found


def ids(seen: dict[str, Any]) -> set[str]:
    return {each["request_id"] for each in seen["requests"]}


@pytest.fixture(scope="module")
def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def test_each_of_two_routers_shows_the_requests_of_both(start: Started) -> None:
    one, other = start(), start()
    asked = {router.ask("hi").headers["x-request-id"] for router in (one, other, other)}
    data(one)

    seen = [data(other), data(one)]

    assert [ids(each) for each in seen] == [asked, asked]
    assert [each["router"]["requests_total"] for each in seen] == [3, 3]
    assert [each["router"]["workers"] for each in seen] == [2, 2]


def test_figures_of_a_provider_are_those_of_both(start: Started) -> None:
    one, other = start(Script(box=["x", ProviderError("no", status=500)])), start()
    one.ask("hi")
    one.ask("fails")
    other.ask("hi")
    data(one)

    (row,) = data(other)["providers"]

    assert (row["attempts"], row["ok"], row["failed"], row["share"]) == (3, 2, 1, 1.0)
    assert row["last_error"]["status"] == 500


def test_minutes_are_those_of_both(start: Started) -> None:
    one, other = start(), start()
    for router in (one, other, other):
        router.ask("hi")
    data(one)

    minutes = data(other)["minutes"]

    assert sum(each[1] for each in minutes) == 3


def test_requests_in_flight_are_those_of_both(start: Started) -> None:
    one, other = start(Script(box=StallAfter(3))), start()
    body = {"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    with one.client.stream("POST", "/v1/messages", json=body) as answer:
        # Held: when it goes, the answer is closed.
        pieces = answer.iter_bytes()
        next(pieces)
        data(one)
        seen = data(other)

    assert [each["request_id"] for each in seen["live"]] == [answer.headers["x-request-id"]]
    assert seen["router"]["live"] == 1


def test_events_are_those_of_both_in_the_order_of_time(start: Started) -> None:
    one, other = start(), start()
    for router in (one, other, one):
        router.ask("hi")
    data(one)

    events = data(other)["events"]

    assert sum(each["name"] == "request-finished" for each in events) == 3
    assert [each["at"] for each in events] == sorted(each["at"] for each in events)


def test_the_worst_that_a_process_thinks_of_a_provider_is_shown(start: Started) -> None:
    one, other = (
        start(Thinks(Standing("box", "resting", "429", 99.0))),
        start(Thinks(Standing("box", "slow"))),
    )
    data(one)

    (row,) = data(other)["providers"]

    assert (row["state"], row["reason"], row["until"]) == ("resting", "429", 99.0)


def test_a_budget_is_spent_once_and_held_by_each(start: Started) -> None:
    said = Thinks(BudgetStanding("provider", "box", 5.0, 2.0, 0.5, "2026-01"))
    one, other = start(said), start(said)
    data(one)

    (budget,) = data(other)["budgets"]

    assert (budget["spent_usd"], budget["held_usd"]) == (2.0, 1.0)


def test_what_guards_did_is_added_up(start: Started) -> None:
    config: dict[str, Any] = {"providers": {"cloud": {"paid": True}}}
    one, other = (start(Script(box="x", cloud="y"), **config) for _ in range(2))
    for router in (one, other, other):
        router.ask("hi")
    data(one)

    actions = data(other)["actions"]

    assert [(each["event"], each["count"]) for each in actions] == [("skip-paid-provider", 3)]


def test_who_looks_is_told_what_another_process_serves(start: Started) -> None:
    one, other = start(), start()
    with other.client.stream("GET", "/dashboard/stream") as answer:
        lines = answer.iter_lines()
        kind = next(line for line in lines if line.startswith("event: "))
        asked = one.ask("hi").headers["x-request-id"]
        data(one)
        told: dict[str, list[Any]] = {}
        for line in islice(lines, 200):
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: ") and kind == "events":
                told["events"] = json.loads(line.removeprefix("data: "))
            elif line.startswith("data: ") and kind == "update" and '"requests"' in line:
                told["requests"] = json.loads(line.removeprefix("data: "))["requests"]
            if len(told) == 2:
                break

    assert [each["request_id"] for each in told["requests"]] == [asked]
    assert {each["request_id"] for each in told["events"]} == {asked}


def test_what_was_told_is_not_told_again(start: Started) -> None:
    one, other = start(), start()
    one.ask("hi")
    data(one)
    with other.client.stream("GET", "/dashboard/stream") as answer:
        frames = (json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: "))
        first = next(frames)

        assert (len(first["requests"]), next(frames).keys()) == (1, {"now"})


def test_the_dead_count_and_are_not_in_flight(start: Started, tmp_path: Path, dead: int) -> None:
    left = Snapshot(
        "x",
        dead,
        began_at=1.0,
        at=2.0,
        requests_seen=7,
        live=[{"request_id": "r", "began_at": 1.0}],
        figures={"box": Figures(ok=7)},
    )
    router = start()
    folder_of(tmp_path, Secrets(Config((), (), "")).encode).write(left)

    seen = data(router)

    assert (seen["router"]["requests_total"], seen["live"], seen["router"]["workers"]) == (7, [], 1)
    # It ended more than an hour ago.
    assert seen["providers"][0]["ok"] == 0


def test_the_dead_are_added_up_when_another_begins(tmp_path: Path, dead: int) -> None:
    def folder() -> Any:
        return folder_of(tmp_path, Secrets(Config((), (), "")).encode)

    one = Snapshot("x", dead, 1.0, 2.0, requests_seen=2, requests=[{"at": 1.5}], figures={"box": Figures(ok=2, firsts=Sample([0.5], 1))})  # fmt: skip
    for each in (one, evolve(one, id="y", requests=[{"at": 0.5}])):
        folder().write(each)
    folder().enter()

    _, (gone,) = folder().read()

    assert (gone.requests_seen, [each["at"] for each in gone.requests]) == (4, [0.5, 1.5])
    assert (gone.figures["box"].ok, gone.figures["box"].firsts) == (4, Sample([0.5, 0.5], 2))
    assert [path.name for path in tmp_path.glob("*.json")] == ["dashboard-gone.json"]


def test_half_a_file_is_left_out(start: Started, tmp_path: Path) -> None:
    router = start()
    (tmp_path / "dashboard-1-x.json").write_text('{"figures": []}')

    assert data(router)["router"]["workers"] == 1


def test_no_key_is_in_what_is_left_for_others(
    start: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOX_KEY", "sk-of-the-upstream")
    router = start(
        Thinks(Standing("box", "slow", "sk-of-the-upstream is slow")),
        Script(box="x"),
        providers={"box": {"api_key_env": "BOX_KEY"}},
    )
    data(router)

    (left,) = tmp_path.glob("dashboard-*.json")
    assert ("sk-of-the-upstream" in left.read_text(), "*** is slow" in left.read_text()) == (False, True)


def test_a_quiet_process_writes_nothing(start: Started, tmp_path: Path) -> None:
    router = start()
    data(router)
    (left,) = tmp_path.glob("dashboard-*.json")
    before = left.stat().st_ino
    data(router)

    assert left.stat().st_ino == before


def test_percentiles_of_several_are_weighed_by_what_they_stand_for() -> None:
    few, many = Sample.of([9.0] * 10), Sample.of(each / 1000 for each in range(1000)).thinned()

    assert len(many.values) == MOST_TOLD
    assert joint_percentile([few, many], 0.5) == pytest.approx(0.5, abs=0.02)
    assert joint_percentile([few, few], 0.95) == 9.0


def test_percentiles_of_small_samples_are_exact() -> None:
    one, other = [1.0, 4.0, 5.0], [2.0, 3.0]

    found = [joint_percentile([Sample.of(one), Sample.of(other)], share) for share in (0.0, 0.2, 0.5, 0.95)]

    assert found == [percentile(one + other, share) for share in (0.0, 0.2, 0.5, 0.95)]
