"""What waits for the store, and what is made again from a journal."""

import pytest

from coderouter_core.ledger.batch import WAITING_MAX, Batch, Hold, Mark, replay

ROW = {"kind": "attempt", "id": "a", "request_id": "req_a"}


def test_what_was_carried_already_is_not_made_again() -> None:
    journal = [{"seq": seq, "kind": "add", "counter": "spent", "amount": 2.0**seq} for seq in range(1, 5)]

    assert replay(journal, after=2).deltas == {"spent": 8.0 + 16.0}


def test_the_later_record_of_an_attempt_counts() -> None:
    journal = [{**ROW, "seq": 1, "outcome": "started"}, {**ROW, "seq": 2, "outcome": "ok"}]

    assert "ok" in replay(journal, after=0).rows["a"]


def test_a_column_that_an_older_version_did_not_write_is_empty() -> None:
    assert replay([{**ROW, "seq": 1}], after=0).rows["a"][2:] == (None,) * 27


@pytest.mark.parametrize(
    "record",
    [
        pytest.param({"kind": "add", "counter": "spent", "amount": 1}, id="no-number"),
        pytest.param({"seq": "2", "kind": "add", "counter": "spent", "amount": 1}, id="number-is-text"),
        pytest.param({"seq": 2, "kind": "sub", "counter": "spent", "amount": 1}, id="unknown-kind"),
        pytest.param({"seq": 2, "kind": "add", "amount": 1}, id="no-counter"),
        pytest.param({"seq": 2, "kind": "add", "counter": "spent", "amount": "much"}, id="no-amount"),
        pytest.param({"seq": 2, "kind": "attempt", "id": "a", "model": ["x"]}, id="no-plain-value"),
        pytest.param({"seq": 2, "kind": "attempt", "model": "x"}, id="no-id"),
    ],
)
def test_a_record_that_is_none_is_passed_over(record: dict[str, object]) -> None:
    batch = replay([record, {"seq": 3, "kind": "add", "counter": "other", "amount": 1}], after=0)

    assert (batch.deltas, batch.rows) == ({"other": 1.0}, {})


def test_the_longer_mark_counts() -> None:
    batch = Batch()
    for expires_at in (10.0, 30.0, 20.0):
        batch.mark("resting", Mark(expires_at, 5.0))

    assert batch.marks == {"resting": Mark(30.0, 5.0)}


def test_a_hold_that_was_not_carried_yet_is_just_forgotten() -> None:
    batch = Batch(holds={"t": Hold("t", "spent", 1.0)})
    batch.release("t")

    assert (batch.holds, batch.released) == ({}, [])


def test_the_oldest_are_dropped_beyond_the_bound() -> None:
    batch = Batch(rows={str(number): (str(number),) for number in range(WAITING_MAX + 1)})
    dropped = batch.trim()

    assert dropped == WAITING_MAX // 4
    assert next(iter(batch.rows)) == str(dropped)


def test_traces_are_dropped_beyond_the_bound() -> None:
    batch = Batch(traces=[(str(number), 0.0, "{}") for number in range(WAITING_MAX + 1)])
    dropped = batch.trim()

    assert dropped == WAITING_MAX // 4
    assert batch.traces[0][0] == str(dropped)


def test_what_is_within_the_bound_stays() -> None:
    batch = Batch(rows={str(number): (str(number),) for number in range(WAITING_MAX)})

    assert batch.trim() == 0
