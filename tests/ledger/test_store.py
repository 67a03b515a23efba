"""Transactions of the store, and what several processes see of each other."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from coderouter_core.ledger.batch import Batch, Mark
from coderouter_core.ledger.owners import Owners
from coderouter_core.ledger.rows import COLUMNS
from coderouter_core.ledger.store import Store
from coderouter_core.testing import FakeClock

Open = Callable[[], Store]

#: Bytes of a page; the table of attempts begins on the second.
PAGE = 4096


@pytest.fixture
def opened(tmp_path: Path, clock: FakeClock) -> Iterator[Open]:
    """Stores of one file, each with an owner of its own."""
    made: list[tuple[Store, Owners]] = []

    def opened() -> Store:
        owners = Owners(tmp_path / "l.db.journals")
        store = Store(tmp_path / "l.db", owners, clock, print)
        made.append((store, owners))
        owners.folder.mkdir(exist_ok=True)
        owners.claim()
        store.open({})
        return store

    yield opened
    for store, owners in made:
        store.close()
        owners.leave(remove_file=True)


def value(path: Path) -> object:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT value FROM counters WHERE name = 'spent'").fetchone()[0]


def test_a_batch_that_comes_twice_counts_once(opened: Open, tmp_path: Path) -> None:
    store, batch = opened(), Batch(deltas={"spent": 2.0}, seq=7)
    store.carry(batch, [])
    store.carry(batch, [])

    assert value(tmp_path / "l.db") == 2.0


def test_a_batch_that_comes_again_on_a_new_connection_counts_once(opened: Open, tmp_path: Path) -> None:
    store, batch = opened(), Batch(deltas={"spent": 2.0}, seq=7)
    store.carry(batch, [])
    store.open({})
    store.carry(batch, [])

    assert value(tmp_path / "l.db") == 2.0


def test_a_batch_whose_end_was_not_seen_counts_once(opened: Open, tmp_path: Path, clock: FakeClock) -> None:
    store, batch = opened(), Batch(deltas={"spent": 2.0}, seq=7)
    store.carry(batch, [])
    unaware = Store(tmp_path / "l.db", store.owners, clock, print)
    with closing(unaware):
        unaware.open({})
        unaware.carry(batch, [])

    assert value(tmp_path / "l.db") == 2.0


def test_a_store_that_met_damage_is_moved_aside_when_it_is_opened_again(opened: Open, tmp_path: Path) -> None:
    store = opened()
    store.close()
    with (tmp_path / "l.db").open("r+b") as file:
        file.seek(PAGE)
        file.write(b"\xa5" * PAGE)
    store.open({})
    with pytest.raises(sqlite3.DatabaseError, match="malformed") as raised:
        store.carry(Batch(rows={"a": ("a",) * len(COLUMNS)}, seq=1), [])

    store.close(raised.value)
    store.open({})

    assert len(list(tmp_path.glob("l.db.corrupt-*"))) == 1


def test_damage_that_this_process_has_not_met_is_met_by_a_sweep(opened: Open, tmp_path: Path) -> None:
    store = opened()
    store.carry(Batch(deltas={"spent": 2.0}, seq=1), [])
    for name in ("l.db", "l.db-wal"):
        with (tmp_path / name).open("r+b") as file:
            file.write(b"\xa5" * (tmp_path / name).stat().st_size)
    store.carry(Batch(deltas={"spent": 2.0}, seq=2), [])

    with pytest.raises(sqlite3.DatabaseError):
        store.sweep()


def test_what_others_added_is_seen(opened: Open) -> None:
    one, other = opened(), opened()
    one.carry(Batch(deltas={"spent": 2.0}, seq=1), [])
    other.carry(Batch(deltas={"spent": 3.0}, seq=1), [])

    assert one.look().counters == {"spent": 5.0}


def test_what_was_seen_is_not_read_again(opened: Open) -> None:
    one, other = opened(), opened()
    other.carry(Batch(deltas={"spent": 3.0}, seq=1), [])
    one.look()
    other.carry(Batch(deltas={"lent": 1.0}, seq=2), [])

    assert one.look().counters == {"lent": 1.0}


def test_marks_of_others_are_seen_with_what_is_left_of_them(opened: Open, clock: FakeClock) -> None:
    one, other = opened(), opened()
    until = clock.utc().timestamp() + 60
    other.carry(Batch(marks={"resting": Mark(until, 60.0)}, seq=1), [])
    clock.advance(20)

    assert one.look().marks == [("resting", 40.0)]


def test_a_mark_in_the_store_is_never_shortened(opened: Open, clock: FakeClock) -> None:
    one, other = opened(), opened()
    now = clock.utc().timestamp()
    one.carry(Batch(marks={"resting": Mark(now + 60, 60.0)}, seq=1), [])
    other.carry(Batch(marks={"resting": Mark(now + 10, 10.0)}, seq=1), [])

    assert opened().look().marks == [("resting", 60.0)]


def test_a_store_that_was_begun_anew_is_given_the_totals_that_were_known(
    opened: Open, tmp_path: Path
) -> None:
    store = opened()
    store.close()
    (tmp_path / "l.db").unlink()
    store.open({"spent": 9.5})

    assert value(tmp_path / "l.db") == 9.5


def test_a_store_that_has_a_total_keeps_it(opened: Open, tmp_path: Path) -> None:
    store = opened()
    store.carry(Batch(deltas={"spent": 2.0}, seq=1), [])
    store.open({"spent": 9.5})

    assert value(tmp_path / "l.db") == 2.0


def test_a_store_whose_file_was_replaced_is_lost(opened: Open, tmp_path: Path) -> None:
    store = opened()
    (tmp_path / "l.db").rename(tmp_path / "other.db")
    (tmp_path / "l.db").touch()

    assert store.is_lost()


def test_marks_that_ran_out_are_swept(opened: Open, tmp_path: Path, clock: FakeClock) -> None:
    store = opened()
    store.carry(Batch(marks={"resting": Mark(clock.utc().timestamp() + 60, 60.0)}, seq=1), [])
    clock.advance(61)
    store.sweep()

    with closing(sqlite3.connect(tmp_path / "l.db")) as db:
        assert db.execute("SELECT count(*) FROM marks").fetchone() == (0,)


def dead(folder: Path) -> None:
    """A process that died with a journal."""
    (folder / "77-dead.lock").touch()
    (folder / "77-dead.00000001.journal").write_bytes(
        b'{"seq":1,"kind":"add","counter":"spent","amount":2.5}\n'
    )


def test_a_journal_that_outlived_its_recovery_counts_once(opened: Open, tmp_path: Path) -> None:
    store = opened()
    for _ in range(2):
        dead(tmp_path / "l.db.journals")
        store.sweep()

    assert value(tmp_path / "l.db") == 2.5


def test_a_dead_process_is_forgotten_in_the_end(opened: Open, tmp_path: Path) -> None:
    store = opened()
    dead(tmp_path / "l.db.journals")
    store.sweep()
    store.sweep()

    with closing(sqlite3.connect(tmp_path / "l.db")) as db:
        assert db.execute("SELECT count(*) FROM owners WHERE owner = '77-dead'").fetchone() == (0,)


@pytest.mark.parametrize(
    ("question", "index"),
    [
        pytest.param("SELECT * FROM attempts WHERE request_id = 'r'", "attempts_by_request", id="request"),
        pytest.param("SELECT * FROM attempts WHERE started_at >= 1", "attempts_by_time", id="time"),
        pytest.param(
            "SELECT * FROM attempts WHERE provider = 'p' AND started_at >= 1", "attempts_by_provider", id="provider"
        ),
        pytest.param(
            "UPDATE attempts SET outcome = 'x' WHERE owner = 'o' AND outcome = 'started'",
            "attempts_in_flight",
            id="recovery",
        ),
    ],
)  # fmt: skip
def test_questions_of_reports_use_an_index(question: str, index: str, opened: Open, tmp_path: Path) -> None:
    opened()
    with closing(sqlite3.connect(tmp_path / "l.db")) as db:
        plan = db.execute(f"EXPLAIN QUERY PLAN {question}").fetchall()

    assert index in str(plan)
