"""What is shown while somebody waits."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys

SLOW = """
import threading
from coderouter_core.cli.progress import working
with working("counting the stars", about_s=7):
    threading.Event().wait({seconds})
print("done")
"""


def on_terminal(seconds: float) -> str:
    """What a slow piece of work says on a terminal."""
    master, slave = pty.openpty()
    command = [sys.executable, "-c", SLOW.format(seconds=seconds)]
    process = subprocess.Popen(command, stdout=slave, stderr=slave, env={**os.environ, "TERM": "xterm"})
    os.close(slave)
    said = b""
    while select.select([master], [], [], 20)[0]:
        try:
            said += os.read(master, 65536)
        except OSError:
            break
    process.wait()
    os.close(master)
    return said.decode()


def test_who_waits_is_shown_what_for_and_how_long_it_takes() -> None:
    said = on_terminal(1.5)

    assert ("counting the stars" in said, "of about 7 s" in said) == (True, True)


def test_what_is_short_is_not_mentioned() -> None:
    assert on_terminal(0).split() == ["done"]


def test_a_pipe_gets_nothing() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SLOW.format(seconds=1)], capture_output=True, text=True, check=True
    )

    assert (ran.stdout, ran.stderr) == ("done\n", "")
