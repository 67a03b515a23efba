"""Who writes to a ledger, and who of them lives."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from coderouter_core.ledger.owners import Owners


@pytest.fixture
def me(tmp_path: Path) -> Iterator[Owners]:
    me = Owners(tmp_path)
    me.claim()
    yield me
    me.leave(remove_file=True)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Owners]:
    other = Owners(tmp_path)
    other.claim()
    yield other
    other.leave(remove_file=True)


def test_one_that_lives_is_not_seized(me: Owners, other: Owners) -> None:
    assert me.seize(other.name) is None


def test_one_that_died_is_seized_with_its_segments(me: Owners, other: Owners, tmp_path: Path) -> None:
    (tmp_path / f"{other.name}.00000001.journal").touch()
    other.leave(remove_file=False)
    seized = me.seize(other.name)

    assert seized is not None
    assert [path.name for path in seized.segments] == [f"{other.name}.00000001.journal"]
    seized.leave()


def test_two_do_not_seize_the_same(me: Owners, other: Owners, tmp_path: Path) -> None:
    third = Owners(tmp_path)
    other.leave(remove_file=False)
    seized = me.seize(other.name)

    assert third.seize(other.name) is None
    assert seized is not None
    seized.leave()


def test_what_one_left_to_others_can_be_seized_again(me: Owners, other: Owners) -> None:
    other.leave(remove_file=False)
    first = me.seize(other.name)
    assert first is not None
    first.leave()
    second = me.seize(other.name)

    assert second is not None
    second.leave()


def test_nothing_is_left_of_one_that_was_taken_over(me: Owners, other: Owners, tmp_path: Path) -> None:
    (tmp_path / f"{other.name}.00000001.journal").touch()
    other.leave(remove_file=False)
    seized = me.seize(other.name)
    assert seized is not None
    seized.remove()

    assert os.listdir(tmp_path) == [f"{me.name}.lock"]


def test_others_are_listed_by_their_locks_and_journals(me: Owners, other: Owners, tmp_path: Path) -> None:
    (tmp_path / "77-gone.00000001.journal").touch()
    (tmp_path / "open.gate").touch()

    assert me.listed() == {other.name, "77-gone"}


def test_a_lock_that_was_removed_is_not_held(me: Owners, tmp_path: Path) -> None:
    (tmp_path / f"{me.name}.lock").unlink()

    assert not me.is_held()


def test_a_lock_that_was_removed_can_be_claimed_again(me: Owners, other: Owners, tmp_path: Path) -> None:
    (tmp_path / f"{me.name}.lock").unlink()
    me.claim()

    assert me.is_held()
    assert other.seize(me.name) is None
