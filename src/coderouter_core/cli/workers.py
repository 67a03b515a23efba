"""Several processes on one socket: start them, start those again that die, end them together."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from asyncio.subprocess import Process
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from coderouter_core.web.serve import ending_signals

#: A worker that dies more often than this within that many seconds is not started again.
MOST_DEATHS, WITHIN_S = 5, 60.0
#: Seconds before the first new start; they double with each death that is remembered.
PAUSE_S = 0.1


class Workers:
    """`count` children that run `command` with the descriptors `fds`. `tell` takes lines for people."""

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        fds: Sequence[int],
        environ: Mapping[str, str],
        tell: Callable[[str], None],
        pause_s: float = PAUSE_S,
    ) -> None:
        self._command = command
        self._count = count
        self._fds = fds
        self._environ = environ
        self._tell = tell
        self._pause_s = pause_s
        self._running: set[Process] = set()
        self._gave_up = False

    async def run(self) -> bool:
        """Keep them until a signal asks for an end, then have them end too. False when one died too often."""
        self._stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in ending_signals():
            loop.add_signal_handler(number, self._stop)
        await asyncio.gather(*(self._keep(number + 1) for number in range(self._count)))
        return not self._gave_up

    def _stop(self) -> None:
        # SIGTERM for either: a worker that is not ready yet ends of it without a word.
        self._stopping.set()
        for process in self._running:
            with suppress(ProcessLookupError):
                process.terminate()

    async def _keep(self, number: int) -> None:
        deaths: deque[float] = deque()
        while not self._stopping.is_set():
            process, code = await self._live()
            if self._stopping.is_set():
                return
            now = time.monotonic()
            deaths.append(now)
            while deaths[0] < now - WITHIN_S:
                deaths.popleft()
            if len(deaths) > MOST_DEATHS:
                self._tell(f"worker {number}: died {len(deaths)} times within {WITHIN_S:.0f} s; giving up")
                self._gave_up = True
                self._stop()
                return
            self._tell(f"worker {number} (process {process}) {_end(code)}; starting another")
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s * 2 ** len(deaths)):
                    await self._stopping.wait()

    async def _live(self) -> tuple[int, int]:
        """One child's life: its process id, and how it ended."""
        # A process group of its own: Ctrl-C at the terminal is this process's to pass on, once.
        process = await asyncio.create_subprocess_exec(
            *self._command, pass_fds=self._fds, env=self._environ, process_group=0
        )
        self._running.add(process)
        try:
            if self._stopping.is_set():
                process.terminate()
            return process.pid, await process.wait()
        finally:
            self._running.discard(process)


def _end(code: int) -> str:
    return f"was ended: {signal.strsignal(-code)}" if code < 0 else f"ended with {code}"


def end_with_parent(descriptor: int, patience_s: float) -> None:
    """Stop this process as SIGTERM would when the other end of a pipe closes, and at the latest `patience_s` later.

    The parent holds that end and never writes: it closes when the parent ends, in whatever way.
    """

    def watch() -> None:
        os.read(descriptor, 1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(patience_s)
        os._exit(1)

    threading.Thread(target=watch, name="coderouter-parent", daemon=True).start()
