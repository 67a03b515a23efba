"""The journal: what is on disk at once, and when it may go."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from coderouter_core.ledger.journal import SEGMENT_BYTES, SEGMENTS_MAX, Journal, records, segments_of


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path, "me")
    following(journal)
    yield journal
    journal.close(keep=True)


def following(journal: Journal) -> None:
    journal.prepare()
    journal.turn()


def fill(journal: Journal, seq: int) -> None:
    """A record that is as long as a segment may be, and the segment after it."""
    journal.append(b'{"seq":%d,"text":"%s"}\n' % (seq, b"x" * SEGMENT_BYTES), seq)
    following(journal)


def seqs(folder: Path) -> list[object]:
    return [record["seq"] for record in records(segments_of(folder, "me"))]


def test_a_record_is_in_the_file_when_append_returns(journal: Journal, tmp_path: Path) -> None:
    journal.append(b'{"seq":1}\n', 1)

    assert seqs(tmp_path) == [1]


def test_segments_are_read_in_the_order_they_were_written(journal: Journal, tmp_path: Path) -> None:
    for seq in range(1, 13):
        fill(journal, seq)

    assert seqs(tmp_path) == list(range(1, 13))


@pytest.mark.parametrize(
    "torn",
    [
        pytest.param(b'{"seq":2,"kind":"att', id="cut"),
        pytest.param(b"\x00" * 64, id="zeros"),
        pytest.param(b"[2]\n", id="no-record"),
        pytest.param(b"\n\n", id="empty"),
    ],
)
def test_a_torn_line_is_passed_over(torn: bytes, journal: Journal, tmp_path: Path) -> None:
    journal.append(b'{"seq":1}\n', 1)
    with segments_of(tmp_path, "me")[0].open("ab") as file:
        file.write(torn)

    assert seqs(tmp_path) == [1]


def test_a_segment_stays_while_it_holds_what_was_not_carried(journal: Journal, tmp_path: Path) -> None:
    fill(journal, 1)
    fill(journal, 2)

    journal.carried(1)

    assert seqs(tmp_path) == [2]


def test_a_small_segment_is_written_on(journal: Journal, tmp_path: Path) -> None:
    journal.append(b'{"seq":1}\n', 1)
    following(journal)

    assert len(segments_of(tmp_path, "me")) == 1


def test_segments_do_not_fill_the_disk_while_nothing_is_carried(journal: Journal, tmp_path: Path) -> None:
    for seq in range(SEGMENTS_MAX + 3):
        fill(journal, seq)
    journal.carried(-1)

    assert len(segments_of(tmp_path, "me")) == SEGMENTS_MAX + 1


def test_a_journal_whose_file_was_removed_is_not_whole(journal: Journal, tmp_path: Path) -> None:
    segments_of(tmp_path, "me")[0].unlink()

    assert not journal.is_whole()


def test_a_journal_goes_on_in_a_new_file_when_its_file_was_removed(journal: Journal, tmp_path: Path) -> None:
    segments_of(tmp_path, "me")[0].unlink()
    journal.restart()
    journal.turn()
    journal.append(b'{"seq":2}\n', 2)

    assert seqs(tmp_path) == [2]


def test_a_closed_journal_says_that_it_takes_nothing(journal: Journal) -> None:
    journal.close(keep=False)

    with pytest.raises(OSError, match="the journal is closed"):
        journal.append(b"{}\n", 1)


def test_a_closed_journal_leaves_no_file(journal: Journal, tmp_path: Path) -> None:
    fill(journal, 1)
    journal.close(keep=False)

    assert os.listdir(tmp_path) == []
