"""Keep llama.cpp's server in a child process."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import attrs
import httpx
import orjson
from attrs import field, frozen

from coderouter_core.api import Endpoint

CHILD = Path(__file__).with_name("child.py")

#: Seconds that loading a model may take, and those that a child may take to stop.
START_S = 120.0
STOP_S = 3.0

_LAST_WORDS_BYTES = 16 * 1024
_LOG_PREFIX = re.compile(r"^[\d.]+ [A-Z] +\S+: ")


class LaunchError(Exception):
    """The child did not come up; says why, in its own words where it had any."""


@frozen
class Settings:
    """`context` is in tokens a request, of which `slots` are answered at a time. `template` is Jinja,
    empty for the model's own. `sampling` is what a request gets that does not say."""

    model: str
    alias: str
    context: int
    slots: int
    threads: int
    template: str = ""
    sampling: Mapping[str, float] = field(factory=dict)


class Server:
    """A running child. It listens on 127.0.0.1 alone and answers to those who know its key alone."""

    def __init__(self, process: Process, key: str) -> None:
        self._process = process
        self._key = key
        self._url = ""
        self._said = b""
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def launch(cls, settings: Settings, limit_s: float = START_S) -> Server:
        """Start a child and wait until it takes requests. Raises `LaunchError`, and then leaves none behind."""
        # A session of its own: Ctrl+C at a terminal is the router's to answer, which drains first.
        making = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                sys.executable, "-P", str(CHILD), stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
            )
        )
        try:
            # Who gives up while the process is being made would not know which one to end.
            process = await asyncio.shield(making)
        except asyncio.CancelledError:
            await cls(await making, "").aclose()
            raise
        except OSError as error:
            raise LaunchError(f"no process could be made ({error.strerror})") from error
        server = cls(process, secrets.token_urlsafe(32))
        try:
            async with asyncio.timeout(limit_s):
                await server._shake_hands(settings)
        except TimeoutError as error:
            await server.aclose()
            raise LaunchError(f"the model was not loaded within {limit_s:.0f} s") from error
        except BaseException:
            await server.aclose()
            raise
        return server

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        assert self._process.stdout
        return self._process.returncode is None and not self._process.stdout.at_eof()

    def endpoint(self, transport: httpx.AsyncBaseTransport, path: str) -> Endpoint:
        """Where `path` is served, with what it takes to be let in."""
        # One connection a call: an idle one is closed by the child without notice, and a new one costs nothing here.
        headers = {"authorization": f"Bearer {self._key}", "connection": "close"}
        return Endpoint(transport, self._url + path, headers)

    async def aclose(self) -> None:
        """End the child, gently and then not. Twice is once."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            if self._process.returncode is None:
                with suppress(ProcessLookupError):
                    self._process.terminate()
                with suppress(TimeoutError):
                    async with asyncio.timeout(STOP_S):
                        await self._process.wait()
        finally:
            if self._process.returncode is None:
                with suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()
        await self._listening

    async def _shake_hands(self, settings: Settings) -> None:
        """Tell the child its settings: over the pipe, since a command line can be read by others."""
        assert self._process.stdin
        assert self._process.stdout
        told = {**attrs.asdict(settings), "key": self._key, "parent": os.getpid()}
        with suppress(ConnectionError):
            self._process.stdin.write(orjson.dumps(told) + b"\n")
            await self._process.stdin.drain()
        line = await self._process.stdout.readline()
        if not line:
            await self._process.wait()
            await self._listening
            raise LaunchError(self._last_words())
        self._url = orjson.loads(line)["url"]

    async def _listen(self) -> None:
        """Keep the end of what the child says, and off the terminal."""
        assert self._process.stderr
        while said := await self._process.stderr.read(4096):
            self._said = (self._said + said)[-_LAST_WORDS_BYTES:]

    def _last_words(self) -> str:
        """The first line that tells of an error; later ones tell what followed from it."""
        lines = [line for line in self._said.decode("utf-8", "replace").splitlines() if line.strip()]
        telling = [line for line in lines if "error" in line.lower()]
        words = _LOG_PREFIX.sub("", (telling or lines[-1:] or [""])[0]).strip()
        return words[:300] or f"the process ended with code {self._process.returncode}"
