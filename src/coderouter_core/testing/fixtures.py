"""Fixtures for pytest: ``pytest_plugins = ["coderouter_core.testing.fixtures"]`` in a ``conftest.py``."""

from __future__ import annotations

import pytest

from coderouter_core.testing.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """Time that stands still until the test turns it."""
    return FakeClock()
