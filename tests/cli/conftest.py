"""The real command line in processes of its own, none of which outlives its test."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

import httpx
import pytest

#: Seconds that nothing here takes unless it hangs.
PATIENCE_S = 30
#: What of the developer's own environment would change what the command does.
OURS = re.compile(r"CODEROUTER_\w+|\w+_API_KEY|ALLOW_PAID|OLLAMA_HOST|XDG_\w+|HOME|\w+_proxy", re.IGNORECASE)


class Serving:
    """A `coderouter` that serves. `said` is where it speaks."""

    def __init__(self, process: subprocess.Popen[str], said: IO[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._came = threading.Condition()
        self._reader = threading.Thread(target=self._read, args=(said,), daemon=True)
        self._reader.start()

    def _read(self, said: IO[str]) -> None:
        # A terminal that its program has left is an error to read from; so is a pipe that the test has closed.
        with suppress(OSError, ValueError):
            for line in said:
                with self._came:
                    self.lines.append(line.rstrip("\r\n"))
                    self._came.notify_all()

    def line(self, words: str) -> str:
        """The first line that holds `words`, waited for."""

        def said() -> str | None:
            return next((line for line in self.lines if words in line), None)

        with self._came:
            if not self._came.wait_for(lambda: said() is not None, PATIENCE_S):
                raise AssertionError(f"{words!r} was not said, but {self.lines}")
        return said() or ""

    @property
    def url(self) -> str:
        return self.line(" listens on http").rpartition(" ")[2]

    def ask(self, headers: Mapping[str, str] | None = None, **body: object) -> httpx.Response:
        """Ask once, on a connection of its own."""
        asked = {"model": "any", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **body}
        return httpx.post(f"{self.url}/v1/messages", json=asked, headers=headers, timeout=PATIENCE_S)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and wait: the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


class CommandLine:
    """`coderouter` for a user whose home is empty. `cache` is the developer's own, for what is large."""

    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")

    def __init__(self, home: Path) -> None:
        self.home = home
        self._started: list[subprocess.Popen[str]] = []
        self._heard: list[IO[str]] = []

    def environ(self, given: Mapping[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not OURS.fullmatch(name)}
        return {**kept, "HOME": str(self.home), "PYTHONUTF8": "1", **given}

    def run(self, *words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, in the home directory."""
        command = [sys.executable, "-m", "coderouter_core", *map(str, words)]
        return subprocess.run(
            command,
            env=self.environ(environ),
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S * 4,
            check=False,
        )

    def serve(self, *words: str | Path, **environ: str) -> Serving:
        """Start `coderouter serve` on a free port."""
        process = self.start("serve", "--port", "0", *words, stdout=None, **environ)
        assert process.stderr
        return self.listen_to(process, process.stderr)

    def listen_to(self, process: subprocess.Popen[str], said: IO[str]) -> Serving:
        """A started process that serves, and says where on `said`."""
        self._heard.append(said)
        return Serving(process, said)

    def start(self, *words: str | Path, stdout: int | None = None, **environ: str) -> subprocess.Popen[str]:
        """Start a command, which does not outlive the test. `stdout` is a descriptor; a pipe where there is none."""
        process = subprocess.Popen(
            [sys.executable, "-m", "coderouter_core", *map(str, words)],
            env=self.environ(environ),
            cwd=self.home,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def write(self, name: str, text: str) -> Path:
        """A file in the home directory."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def close(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.wait()
            self._heard += [pipe for pipe in (process.stdout, process.stderr) if pipe]
        for pipe in self._heard:
            with suppress(OSError):
                pipe.close()


@pytest.fixture
def coderouter(tmp_path: Path) -> Iterator[CommandLine]:
    command = CommandLine(tmp_path)
    yield command
    command.close()


@pytest.fixture(scope="session")
def show(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """One run of the demo, with what would change the answers, or stop them, were it not kept out."""
    command = CommandLine(tmp_path_factory.mktemp("home"))
    return command.run("demo", XDG_CACHE_HOME=command.cache, CODEROUTER_MODE="nowhere", ALLOW_PAID="1")
