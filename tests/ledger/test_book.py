"""What a process knows of what is on its way to the store."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from coderouter_core.ledger.batch import Hold
from coderouter_core.ledger.book import Book
from coderouter_core.ledger.failures import Failures
from coderouter_core.ledger.journal import Journal, records, segments_of
from coderouter_core.ledger.rows import COLUMNS, Row
from coderouter_core.ledger.store import News
from coderouter_core.testing import FakeClock


@pytest.fixture
def book(tmp_path: Path, clock: FakeClock) -> Iterator[Book]:
    journal = Journal(tmp_path, "me")
    journal.prepare()
    journal.turn()
    book = Book(journal, Failures(clock, print))
    yield book
    book.close()


def row(name: str, outcome: str) -> Row:
    values = {"id": name, "outcome": outcome}
    return tuple(values.get(column) for column in COLUMNS)


def test_a_total_counts_what_is_being_carried(book: Book) -> None:
    book.add("spent", 2)
    book.take()
    book.add("spent", 1)

    assert book.total("spent") == 3.0


def test_what_was_carried_counts_as_the_store_says(book: Book) -> None:
    book.add("spent", 2)
    batch = book.take()
    book.add("spent", 1)
    book.learn(News(1, {"spent": 7.0}, ()), 0.0, batch)

    assert book.total("spent") == 8.0


def test_a_batch_is_taken_again_until_it_was_carried(book: Book) -> None:
    book.add("spent", 2)
    first = book.take()
    book.add("spent", 1)

    assert book.take() is first


def test_a_settled_attempt_is_shown_while_its_start_is_being_carried(book: Book) -> None:
    book.attempt(row("a", "started"))
    book.take()
    book.attempt(row("a", "ok"))

    assert book.waiting()[0] == {"a": row("a", "ok")}


def test_a_hold_that_the_store_does_not_know_is_carried(book: Book) -> None:
    hold = Hold("t", "spent", 1.0)
    book.hold(hold, stored=False)
    batch = book.take()

    assert batch is not None
    assert batch.holds == {"t": hold}


def test_every_record_has_a_number_of_its_own(book: Book, tmp_path: Path) -> None:
    book.add("spent", 2)
    book.release("t")
    book.attempt(row("a", "started"))

    assert [record["seq"] for record in records(segments_of(tmp_path, "me"))] == [1, 3]


def test_a_journal_stays_when_something_was_not_carried(book: Book, tmp_path: Path) -> None:
    book.add("spent", 2)
    book.close()

    assert len(segments_of(tmp_path, "me")) == 1


def test_a_journal_goes_when_everything_was_carried(book: Book, tmp_path: Path) -> None:
    book.add("spent", 2)
    book.learn(News(1, {}, ()), 0.0, book.take())
    book.close()

    assert os.listdir(tmp_path) == []
