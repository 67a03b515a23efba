"""Several processes with one ledger, and what is left when one of them is killed."""

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from coderouter_core.ledger import SqliteLedger, attempts_of
from coderouter_core.testing import FakeClock

pytestmark = pytest.mark.skipif("sys.platform == 'win32'", reason="there is no SIGKILL there")

#: Seconds after which what should have happened within one did not.
PATIENCE_S = 20.0


class Worker:
    """A process of its own; calling it gives it something to do."""

    def __init__(self, path: Path) -> None:
        script = Path(__file__).with_name("worker.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self("total", "ready")

    def __call__(self, name: str, *arguments: object) -> Any:
        self.tell(name, *arguments)
        return json.loads(self.hear())

    def tell(self, name: str, *arguments: object) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps([name, *arguments]).encode() + b"\n")
        self._process.stdin.flush()

    def hear(self) -> bytes:
        assert self._process.stdout
        return self._process.stdout.readline()

    def kill(self) -> list[bytes]:
        """SIGKILL; the lines that it had written before."""
        self._process.kill()
        assert self._process.stdout
        return self._process.stdout.readlines()

    def end(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._process.stdout.close()
        self._process.wait()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def worker(path: Path) -> Iterator[Callable[[], Worker]]:
    """Makes workers with one ledger."""
    workers: list[Worker] = []

    def made() -> Worker:
        workers.append(Worker(path))
        return workers[-1]

    yield made
    for one in workers:
        one.end()


def until(condition: Callable[[], object]) -> None:
    """Wait for what happens beside the test."""
    last = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < last:
        time.sleep(0.02)


def reopened(path: Path, clock: FakeClock, *counters: str) -> list[float]:
    """Totals, as a new process finds them."""

    async def story() -> list[float]:
        async with aclosing(SqliteLedger(path, clock, print)) as ledger:
            await ledger.open()
            return [ledger.total(counter) for counter in counters]

    return asyncio.run(story())


def outcomes(path: Path) -> Counter[object]:
    return Counter(row["outcome"] for row in attempts_of(path, limit=1_000_000))


def test_every_started_attempt_of_a_killed_process_is_there(
    worker: Callable[[], Worker], path: Path, clock: FakeClock
) -> None:
    one = worker()
    one("start", *map(str, range(500)))
    one("settle", *map(str, range(200)))
    one.kill()

    reopened(path, clock)

    assert outcomes(path) == {"ok": 200, "unsettled": 300}


def test_what_was_started_before_a_kill_amid_traffic_is_there(
    worker: Callable[[], Worker], path: Path, clock: FakeClock
) -> None:
    one = worker()
    one.tell("traffic")
    told = {one.hear().strip() for _ in range(2000)}
    told |= {line.strip() for line in one.kill() if line.endswith(b"\n")}

    reopened(path, clock)

    assert told <= {row["id"].encode() for row in attempts_of(path, limit=1_000_000)}


def test_a_killed_process_has_nothing_in_flight(
    worker: Callable[[], Worker], path: Path, clock: FakeClock
) -> None:
    one = worker()
    one("start", "a")
    until(lambda: outcomes(path) == {"started": 1})
    one.kill()

    reopened(path, clock)

    assert outcomes(path) == {"unsettled": 1}


def test_nothing_is_left_of_a_killed_process(
    worker: Callable[[], Worker], path: Path, clock: FakeClock
) -> None:
    one = worker()
    one("start", "a")
    one.kill()

    reopened(path, clock)

    assert [left.name for left in path.with_name("ledger.db.journals").iterdir()] == ["open.gate"]


def test_what_a_killed_process_added_counts_once(
    worker: Callable[[], Worker], path: Path, clock: FakeClock
) -> None:
    one, other = worker(), worker()
    one("add", "spent", 1)
    until(lambda: other("total", "spent") == 1.0)
    one("add", "spent", 2)
    one.kill()

    assert [reopened(path, clock, "spent"), reopened(path, clock, "spent")] == [[3.0], [3.0]]


def test_a_torn_last_line_costs_only_itself(
    worker: Callable[[], Worker], path: Path, clock: FakeClock
) -> None:
    one = worker()
    one("start", "a", "b")
    one.kill()
    (segment,) = path.with_name("ledger.db.journals").glob("*.journal")
    segment.write_bytes(segment.read_bytes()[:-20])

    reopened(path, clock)

    assert [row["id"] for row in attempts_of(path)] == ["a"]


def test_what_follows_a_line_that_a_full_disk_tore_is_there(
    worker: Callable[[], Worker], path: Path, clock: FakeClock
) -> None:
    one = worker()
    one("limit", 300)
    one("start", "a")
    one("limit", -1)
    one("start", "b")
    one.kill()

    reopened(path, clock)

    assert "b" in {row["id"] for row in attempts_of(path)}


def test_a_journal_that_was_removed_is_begun_anew(
    worker: Callable[[], Worker], path: Path, clock: FakeClock
) -> None:
    one, journals = worker(), path.with_name("ledger.db.journals")
    shutil.rmtree(journals)
    until(lambda: list(journals.glob("*.journal")))
    one("add", "spent", 2)
    one("start", "a")
    one.kill()

    assert (reopened(path, clock, "spent"), outcomes(path)) == ([2.0], {"unsettled": 1})


def test_attempts_of_a_process_that_lives_are_left_alone(
    worker: Callable[[], Worker], path: Path, clock: FakeClock
) -> None:
    one = worker()
    one("start", "a")
    until(lambda: outcomes(path) == {"started": 1})

    reopened(path, clock)

    assert outcomes(path) == {"started": 1}


def test_a_process_that_lives_goes_on_after_another_opened(
    worker: Callable[[], Worker], path: Path, clock: FakeClock
) -> None:
    one = worker()
    one("start", "a")
    reopened(path, clock)
    one("settle", "a")
    one.end()

    assert outcomes(path) == {"ok": 1}


def test_what_one_process_adds_another_sees(worker: Callable[[], Worker]) -> None:
    one, other = worker(), worker()
    one("add", "spent", 1.5)
    other("add", "spent", 2)
    until(lambda: one("total", "spent") == other("total", "spent") == 3.5)

    assert (one("total", "spent"), other("total", "spent")) == (3.5, 3.5)


def test_what_one_process_marks_another_sees(worker: Callable[[], Worker]) -> None:
    one, other = worker(), worker()
    one("mark", "resting", 1000)
    until(lambda: other("marked", "resting"))

    assert other("marked", "resting") == pytest.approx(1000, abs=PATIENCE_S + 1)


def test_all_processes_together_pass_the_cap_by_one_reservation_at_most(
    worker: Callable[[], Worker],
) -> None:
    workers = [worker() for _ in range(3)]
    workers[0]("add", "spent", 95)
    workers[0]("reserve", "nobody's", 0, 1, 1)
    for one in workers:
        one.tell("reserve", "spent", 0.75, 100, 70)

    assert sum(json.loads(one.hear()) for one in workers) == 7


def test_what_is_spent_is_never_neither_held_nor_counted(worker: Callable[[], Worker]) -> None:
    workers = [worker() for _ in range(3)]
    for one in workers:
        one.tell("spend", "spent", 0.25, 50, 10)

    assert sum(json.loads(one.hear()) for one in workers) == 50.0


def test_a_killed_process_holds_nothing(worker: Callable[[], Worker]) -> None:
    one, other = worker(), worker()
    one("reserve", "spent", 10, 10, 1)
    before = other("reserve", "spent", 10, 10, 1)
    one.kill()

    assert (before, other("reserve", "spent", 10, 10, 1)) == (0, 1)


def test_what_a_killed_process_spent_last_counts_for_the_next_reservation(
    worker: Callable[[], Worker],
) -> None:
    one, other = worker(), worker()
    one("add", "spent", 10)
    one.kill()

    assert other("reserve", "spent", 1, 10, 1) == 0


def test_a_full_disk_costs_no_attempt(worker: Callable[[], Worker], path: Path) -> None:
    one = worker()
    one("limit", 0)
    one("start", *map(str, range(50)))
    until(lambda: "last known" in str(one("health")["error"]))
    during = one("attempts"), one("reserve", "spent", 1, 2, 5)
    one("limit", -1)
    until(lambda: one("health")["ok"])
    healed = one("health")["ok"]
    one.end()

    assert (during, healed, outcomes(path)) == ((50, 2), True, {"unsettled": 50})


def test_a_full_disk_is_told_of_and_seen(worker: Callable[[], Worker], path: Path) -> None:
    one = worker()
    one("limit", 0)
    one("start", "a", "b", "c")
    until(lambda: len(one("health")["told"]) == 2)
    health = one("health")

    assert not health["ok"]
    assert sorted(text.split(":")[1].strip() for text in health["told"]) == [str(path), "the journal"]
