"""A ledger with a file counts, marks and holds as one without."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from coderouter_core.ledger import MemoryLedger, SqliteLedger
from coderouter_core.testing import FakeClock

#: Quarters are exact in floating point, however they are grouped.
amounts = st.integers(0, 40).map(lambda quarters: quarters / 4)
names = st.sampled_from(["a", "b", "é"])


class Ledgers(RuleBasedStateMachine):
    """Both are told the same; at any time the file may be carried to, or closed and opened again."""

    tokens = Bundle("tokens")

    @initialize()
    def begin(self) -> None:
        self.clock = FakeClock()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.memory = MemoryLedger(self.clock)
        self.sqlite = self.opened()
        self.held: list[str] = []

    def opened(self) -> SqliteLedger:
        ledger = SqliteLedger(Path(self.folder.name, "ledger.db"), self.clock, print)
        self.runner.run(ledger.open())
        return ledger

    @rule(counter=names, amount=amounts)
    def add(self, counter: str, amount: float) -> None:
        self.memory.add(counter, amount)
        self.sqlite.add(counter, amount)

    @rule(key=names, ttl_s=amounts)
    def mark(self, key: str, ttl_s: float) -> None:
        self.memory.mark(key, ttl_s)
        self.sqlite.mark(key, ttl_s)

    @rule(seconds=amounts)
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(counter=names, amount=amounts, cap=amounts, target=tokens)
    def reserve(self, counter: str, amount: float, cap: float) -> tuple[str, str]:
        one = self.runner.run(self.memory.reserve(counter, amount, cap))
        other = self.runner.run(self.sqlite.reserve(counter, amount, cap))
        assert (one is None) == (other is None)
        if one:
            self.held.append(one)
        return one or "", other or ""

    @rule(pair=consumes(tokens))
    def release(self, pair: tuple[str, str]) -> None:
        self.memory.release(pair[0])
        self.sqlite.release(pair[1])

    @rule()
    def carry(self) -> None:
        self.runner.run(self.sqlite.reserve("nobody's", 0, 1))

    @rule()
    def reopen(self) -> None:
        self.runner.run(self.sqlite.aclose())
        self.sqlite = self.opened()
        for token in self.held:
            self.memory.release(token)

    @invariant()
    def totals_agree(self) -> None:
        for name in ("a", "b", "é"):
            assert self.sqlite.total(name) == self.memory.total(name)

    @invariant()
    def marks_agree(self) -> None:
        for name in ("a", "b", "é"):
            assert self.sqlite.marked(name) == pytest.approx(self.memory.marked(name), abs=1e-5)

    def teardown(self) -> None:
        self.runner.run(self.sqlite.aclose())
        self.runner.close()
        self.folder.cleanup()


Ledgers.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
test_a_file_changes_nothing = Ledgers.TestCase
