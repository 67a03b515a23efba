import datetime as dt

import pytest

from coderouter_core.model import Clock
from coderouter_core.testing import FakeClock


def test_the_clock_stands_still() -> None:
    clock: Clock = FakeClock()

    assert clock.monotonic() == clock.monotonic()


def test_both_faces_go_on_together() -> None:
    clock = FakeClock()
    before = clock.monotonic(), clock.utc()

    clock.advance(90.5)

    assert (clock.monotonic() - before[0], clock.utc() - before[1]) == (90.5, dt.timedelta(seconds=90.5))


def test_utc_is_aware() -> None:
    assert FakeClock().utc().utcoffset() == dt.timedelta(0)


def test_the_clock_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="time does not go back"):
        FakeClock().advance(-1)
