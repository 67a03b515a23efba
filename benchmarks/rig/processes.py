"""Start processes on a core of their own, see what they use, and stop them."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
START_LIMIT_S = 20.0
STOP_LIMIT_S = 10.0


class NotRun(Exception):  # noqa: N818  (a measure that could not be made is said, it is not a fault in the code)
    """Why something that was asked for was not measured."""


@frozen
class Cores:
    """`proxy` is for the proxy under test and nothing else; client and upstream share `load`."""

    proxy: int
    load: int

    @classmethod
    def of_this_machine(cls) -> Cores:
        """The first two cores this process may use. Raises `NotRun` where there is only one."""
        usable = sorted(os.sched_getaffinity(0))
        if len(usable) < 2:
            raise NotRun("two cores are needed, one for the proxy alone; this machine offers one")
        return cls(usable[0], usable[1])


def command(name: str) -> str:
    """The path of a program. Raises `NotRun` naming the Debian package that has it."""
    packages = {"taskset": "util-linux", "setpriv": "util-linux"}
    places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    found = shutil.which(name, path=places)
    if found is None:
        raise NotRun(f"{name} is not installed; Debian has it in the package {packages.get(name, name)}")
    return found


def free_port() -> int:
    """A port of loopback that nobody uses, chosen by the system."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@frozen(eq=False)
class Running:
    """A started process. `started_s` is the time from its start until it was ready."""

    name: str
    popen: subprocess.Popen[bytes]
    output: Path
    started_s: float = field(default=0.0)

    @property
    def pid(self) -> int:
        return self.popen.pid

    def cpu_s(self) -> float:
        """User and system time used so far, all threads."""
        # The name of the process stands in brackets and may hold blanks; the figures follow it.
        after = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(after[11]) + int(after[12])) / TICKS_PER_S

    def memory_mb(self, line: str = "VmHWM") -> float:
        """Memory in MB: ``VmHWM`` the most it ever held, ``VmRSS`` what it holds."""
        for each in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if each.startswith(f"{line}:"):
                return int(each.split()[1]) / 1024
        raise LookupError(f"/proc/{self.pid}/status has no {line}")

    def last_words(self) -> str:
        """The end of what it wrote, for people who look for the reason."""
        return self.output.read_text(errors="replace")[-2000:].strip()


@contextlib.contextmanager
def running(
    name: str,
    words: Sequence[str],
    *,
    core: int,
    output: Path,
    ready: Callable[[], object],
    environ: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """`words` as a process on `core`, from the moment `ready` no longer raises until the block is left.

    What it writes goes to `output`. Should this process die, the kernel ends the child as well.
    Raises `NotRun` when it is not ready within `START_LIMIT_S`.
    """
    pinned = [command("setpriv"), "--pdeathsig", "KILL", command("taskset"), "--cpu-list", str(core), *words]
    began = time.perf_counter()
    with output.open("wb") as written:
        popen = subprocess.Popen(
            pinned,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            env=None if environ is None else dict(environ),
            start_new_session=True,
        )
    try:
        child = Running(name, popen, output)
        _wait_until(ready, child)
        yield Running(name, popen, output, time.perf_counter() - began)
    finally:
        _stop(popen)


def _wait_until(ready: Callable[[], object], child: Running) -> None:
    give_up = time.monotonic() + START_LIMIT_S
    while True:
        try:
            ready()
            return
        except OSError as error:
            ended = child.popen.poll()
            if ended is not None or time.monotonic() > give_up:
                state = f"ended with {ended}" if ended is not None else f"not ready in {START_LIMIT_S:g} s"
                raise NotRun(f"{child.name}: {state} ({error}); it wrote:\n{child.last_words()}") from None
            time.sleep(0.01)


def _stop(popen: subprocess.Popen[bytes]) -> None:
    for end in (popen.terminate, popen.kill):
        if popen.poll() is None:
            end()
            with contextlib.suppress(subprocess.TimeoutExpired):
                popen.wait(STOP_LIMIT_S)
