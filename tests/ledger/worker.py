"""A process with a ledger, told on its standard input what to do: one JSON list a line, answered by one value a line."""

import asyncio
import datetime as dt
import itertools
import json
import os
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any

from coderouter_core.ledger import SqliteLedger
from coderouter_core.model import Attempt, Dialect, Outcome, Profile, Provider

#: Seconds after which a worker that was forgotten ends.
LIFE_S = 60.0


class SystemClock:
    def monotonic(self) -> float:
        return time.monotonic()

    def utc(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)


def attempt(name: str, outcome: Outcome) -> Attempt:
    profile, provider = Profile("main", ("local",)), Provider("local")
    return Attempt(
        name, f"req_{name}", profile, provider, 1, Dialect.CHAT, True, time.time(), outcome=outcome
    )


class Worker:
    def __init__(self, path: Path) -> None:
        self.told: list[str] = []
        self.ledger = SqliteLedger(path, SystemClock(), self.told.append)

    async def start(self, *names: str) -> None:
        for name in names:
            self.ledger.start(attempt(name, Outcome.STARTED))

    async def settle(self, *names: str) -> None:
        for name in names:
            self.ledger.settle(attempt(name, Outcome.OK))

    async def traffic(self) -> None:
        """Start and settle without end; the name of each is written when it is started."""
        for number in itertools.count():
            self.ledger.start(attempt(f"{number}", Outcome.STARTED))
            os.write(1, b"%d\n" % number)
            await asyncio.sleep(0)
            self.ledger.settle(attempt(f"{number}", Outcome.OK))

    async def reserve(self, counter: str, amount: float, cap: float, times: int) -> int:
        asked = (self.ledger.reserve(counter, amount, cap) for _ in range(times))
        return sum(token is not None for token in await asyncio.gather(*asked))

    async def spend(self, counter: str, amount: float, cap: float, at_once: int) -> float:
        """Reserve and spend as long as it is admitted, many at once; what was spent."""

        async def one() -> float:
            spent = 0.0
            while token := await self.ledger.reserve(counter, amount, cap):
                self.ledger.add(counter, amount)
                self.ledger.release(token)
                spent += amount
            return spent

        return sum(await asyncio.gather(*(one() for _ in range(at_once))))

    async def limit(self, size: int) -> None:
        """No file of this process may grow beyond `size` bytes, as if the disk were full; -1 for no limit."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    async def add(self, counter: str, amount: float) -> None:
        self.ledger.add(counter, amount)

    async def mark(self, key: str, ttl_s: float) -> None:
        self.ledger.mark(key, ttl_s)

    async def total(self, counter: str) -> float:
        return self.ledger.total(counter)

    async def marked(self, key: str) -> float:
        return self.ledger.marked(key)

    async def attempts(self) -> int:
        return len(self.ledger.attempts(limit=1_000_000))

    async def health(self) -> dict[str, Any]:
        return {**self.ledger.health(), "told": self.told}


async def main(path: Path) -> None:
    worker = Worker(path)
    await worker.ledger.open()
    while line := await asyncio.to_thread(sys.stdin.readline):
        name, *arguments = json.loads(line)
        print(json.dumps(await getattr(worker, name)(*arguments)), flush=True)
    await worker.ledger.aclose()


if __name__ == "__main__":
    life = threading.Timer(LIFE_S, os._exit, [3])
    life.daemon = True
    life.start()
    asyncio.run(main(Path(sys.argv[1])))
