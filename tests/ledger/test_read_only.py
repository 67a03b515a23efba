"""A ledger that its process may read and not write."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif("sys.platform == 'win32'", reason="permissions are others there")

#: Opens the ledger, records, and tells what it knows then. Root may write everything, and stops being root.
SCRIPT = """
import asyncio, concurrent.futures.thread, json, os, sys
from contextlib import aclosing
from pathlib import Path
from coderouter_core.ledger import SqliteLedger
from coderouter_core.router import SystemClock

async def story(told):
    async with aclosing(SqliteLedger(Path(sys.argv[1]), SystemClock(), told.append)) as ledger:
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        await ledger.open()
        ledger.add("spent", 2.0)
        token = await ledger.reserve("spent", 1.0, 3.0)
        await asyncio.sleep(0)
        return [ledger.total("spent"), token is not None, ledger.health()["ok"]]

told = []
print(json.dumps([*asyncio.run(story(told)), told]))
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may look into."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    made.chmod(0o755)
    shutil.rmtree(made)


def run(path: Path) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_ledger_that_cannot_be_written_is_told_of_and_traffic_goes_on(what: str, folder: Path) -> None:
    path = folder / "ledger.db"
    if what == "file":
        run_as_ourselves(path)
        path.chmod(0o444)
    else:
        folder.chmod(0o555)

    total, admitted, ok, told = run(path)

    assert (total, admitted, ok) == (2.0, True, False)
    assert any(str(path) in text and "tried again every second" in text for text in told)


def run_as_ourselves(path: Path) -> None:
    """Make a ledger there, as its owner."""
    made = subprocess.run(
        [sys.executable, "-c", SCRIPT.replace("os.geteuid() == 0", "False"), str(path)],
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert made.stdout
    (path.parent / "ledger.db.journals").chmod(0o755)
    os.chmod(path.parent / "ledger.db.journals" / "open.gate", 0o444)
