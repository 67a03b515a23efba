"""Several processes on one socket: whoever is asked tells of all."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from coderouter_observer_metrics import Metrics
from coderouter_observer_metrics.counts import Counts
from coderouter_observer_metrics.families import BOUNDS
from coderouter_observer_metrics.sharing import Folder
from coderouter_observer_metrics.snapshot import Snapshot, add_up

from coderouter_core.testing import CutAfter, Script, ServedRouter, make_router

if TYPE_CHECKING:
    from pathlib import Path


def snapshot(requests: int = 0, pid: int | None = None, **fields: Any) -> Snapshot:
    counts = Counts(BOUNDS)
    counts.add(("requests_total",), requests)
    given: dict[str, Any] = {
        "pid": os.getpid() if pid is None else pid,
        "started_at": 1000.0,
        "counts": counts.plain(),
        "recent": [],
        "errors": {},
        "startup": {},
        "live": 1,
        "standings": [],
        "budgets": [],
        "ledger": {"ok": True},
    }
    return Snapshot(**{**given, **fields})


def requests(router: ServedRouter) -> Any:
    return router.client.get("/metrics.json").json()["counters"]["requests_total"]


@pytest.fixture(scope="module")
def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def test_each_of_two_routers_tells_of_both(tmp_path: Path) -> None:
    with ExitStack() as stack:
        # They leave their figures when they are asked, and not meanwhile.
        one, other = (
            stack.enter_context(make_router(Metrics(tmp_path, leave_s=3600), Script(box=["x", CutAfter(3)])))
            for _ in range(2)
        )
        one.ask("hi")
        other.ask("hi")
        other.ask("hi")
        requests(one)

        assert (requests(other), requests(one)) == (3, 3)


def test_what_was_told_once_never_goes_down(tmp_path: Path) -> None:
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(make_router(Metrics(tmp_path, leave_s=3600), Script(box="x")))
            for _ in range(2)
        )
        told = []
        for asked in (one, other, one, one, other):
            asked.ask("hi")
            told += [requests(asked), requests(other), requests(one)]

    assert told == sorted(told)


def test_figures_are_left_when_a_router_ends(tmp_path: Path) -> None:
    with make_router(Metrics(tmp_path, leave_s=3600), Script(box="x")) as router:
        router.ask("hi")
    with make_router(Metrics(tmp_path, leave_s=3600), Script(box="x")) as after:
        assert requests(after) == 1


def test_the_dead_count_and_are_not_under_way(tmp_path: Path, dead: int) -> None:
    Folder(tmp_path).write(snapshot(7, pid=dead))
    living, gone = Folder(tmp_path).read()

    seen = add_up(snapshot(2), living, gone)

    assert (seen.counts.one("requests_total"), seen.live, len(seen.pids)) == (9, 1, 1)


def test_the_dead_are_added_up_when_another_begins(tmp_path: Path, dead: int) -> None:
    for number in (1, 2, 3):
        Folder(tmp_path).write(snapshot(number, pid=dead))
        Folder(tmp_path).enter()
    folder = Folder(tmp_path)
    _, gone = folder.read()

    assert add_up(snapshot(), gone=gone).counts.one("requests_total") == 6
    assert [path.name for path in tmp_path.glob("*.json")] == ["metrics-gone.json"]


def test_the_dead_are_counted_once_when_adding_up_is_cut_short(tmp_path: Path, dead: int) -> None:
    for number in (1, 2):
        Folder(tmp_path).write(snapshot(number, pid=dead))
    left = {path: path.read_bytes() for path in tmp_path.glob("metrics-*.json")}
    Folder(tmp_path).enter()
    for path, raw in left.items():
        path.write_bytes(raw)

    found = [Folder(tmp_path).read()[1]]
    Folder(tmp_path).enter()
    found.append(Folder(tmp_path).read()[1])

    assert [add_up(snapshot(), gone=gone).counts.one("requests_total") for gone in found] == [3, 3]
    assert [path.name for path in tmp_path.glob("*.json")] == ["metrics-gone.json"]


def test_older_figures_do_not_replace_newer_ones(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write(snapshot(2), 2)
    folder.write(snapshot(1), 1)

    ((other,), _) = Folder(tmp_path).read()
    assert add_up(snapshot(), [other]).counts.one("requests_total") == 2


def test_a_file_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "metrics-1-x.json").write_text('{"half')

    assert Folder(tmp_path).read() == ([], [])


def test_a_folder_that_is_gone_costs_nothing_but_the_others(tmp_path: Path) -> None:
    with make_router(Metrics(tmp_path / "shared", leave_s=3600), Script(box="x")) as router:
        router.ask("hi")
        for path in (tmp_path / "shared").iterdir():
            path.unlink()
        (tmp_path / "shared").rmdir()

        assert requests(router) == 1


def test_what_is_recent_is_in_the_order_of_time() -> None:
    steps = [{"ts": f"2026-01-01T00:00:0{second}.000Z", "event": "try-provider"} for second in range(4)]

    seen = add_up(snapshot(recent=steps[1::2]), [snapshot(recent=steps[::2])])

    assert seen.recent == steps


def test_of_what_is_recent_the_newest_are_kept() -> None:
    steps = [{"ts": f"2026-01-01T00:00:00.{number:03}Z"} for number in range(400)]

    seen = add_up(snapshot(recent=steps[:200]), [snapshot(recent=steps[200:])])

    assert seen.recent == steps[-256:]


def test_the_newest_error_is_the_last() -> None:
    older, newer = ({"ts": f"2026-01-0{day}", "error": str(day)} for day in (1, 2))

    seen = add_up(snapshot(errors={"box": newer}), [snapshot(errors={"box": older})])

    assert seen.errors == {"box": newer}


def test_budgets_are_spent_once_and_held_by_each() -> None:
    budget = {"scope": "provider", "name": "box", "cap_usd": 5.0, "spent_usd": 2.0, "held_usd": 0.5}
    one = snapshot(budgets=[budget])

    seen = add_up(one, [evolve(one)])

    assert seen.budgets == [{**budget, "held_usd": 1.0}]


def test_the_ledger_is_well_when_it_is_for_all() -> None:
    seen = add_up(snapshot(ledger={"ok": True, "waiting": 1}), [snapshot(ledger={"ok": False, "waiting": 2})])

    assert seen.ledger == {"ok": False, "waiting": 3}
