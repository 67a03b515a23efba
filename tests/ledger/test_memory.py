"""What a ledger in memory forgets."""

from coderouter_core.ledger import MemoryLedger
from coderouter_core.ledger.memory import KEPT
from coderouter_core.model import Attempt, Dialect, Profile, Provider
from coderouter_core.testing import FakeClock


def test_the_newest_attempts_are_kept(clock: FakeClock) -> None:
    ledger = MemoryLedger(clock)
    profile, provider = Profile("main", ("local",)), Provider("local")
    for number in range(KEPT + 3):
        ledger.start(Attempt(f"{number}", "req", profile, provider, 1, Dialect.CHAT, True, float(number)))

    ids = [row["id"] for row in ledger.attempts(limit=KEPT + 3)]

    assert (ids[0], ids[-1]) == (f"{KEPT + 2}", "3")


def test_the_newest_traces_are_kept(clock: FakeClock) -> None:
    ledger = MemoryLedger(clock)
    for number in range(KEPT + 3):
        ledger.trace(f"{number}", {})

    ids = [trace["request_id"] for trace in ledger.traces(limit=KEPT + 3)]

    assert (ids[0], ids[-1]) == (f"{KEPT + 2}", "3")


def test_marks_that_ran_out_do_not_gather(clock: FakeClock) -> None:
    ledger = MemoryLedger(clock)
    for number in range(5000):
        ledger.mark(f"session {number}", 10)
        clock.advance(1)

    assert ledger.health()["marks"] < 1100
