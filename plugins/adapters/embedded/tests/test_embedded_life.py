"""How the child process comes and goes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import attrs
import httpx
import pytest
from coderouter_adapter_embedded.adapter import EmbeddedAdapter
from coderouter_adapter_embedded.model import choose_model
from coderouter_adapter_embedded.server import CHILD, LaunchError, Server, Settings
from coderouter_adapter_embedded.weights import find_model

from coderouter_core.api import Call, Dialect, Limits, Operation, Provider, UpstreamError

T = TypeVar("T")

QUESTION = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}


class Notes(list[str]):
    """What an adapter noted; the last word of a start is the child's process id."""

    @property
    def pids(self) -> list[int]:
        return [int(note.split()[-1]) for note in self if "is loaded" in note]


def with_adapter(use: Callable[[EmbeddedAdapter, Notes], Awaitable[T]], file: Path | None = None) -> T:
    async def run() -> T:
        notes = Notes()
        model = choose_model("tiny", str(file) if file else None, None)
        adapter = EmbeddedAdapter("tiny", httpx.AsyncHTTPTransport(), model, 1, notes.append)
        try:
            return await use(adapter, notes)
        finally:
            await adapter.aclose()

    return asyncio.run(run())


async def ask(adapter: EmbeddedAdapter, limits: Limits = Limits(), **body: Any) -> int:  # noqa: B008 (frozen)
    raw = json.dumps({**QUESTION, **body}).encode()
    answer = await adapter.open(
        Call(Provider("tiny"), "r", Dialect.CHAT, Operation.GENERATE, raw, "stream" in body, limits)
    )
    try:
        async for _ in answer.chunks:
            pass
    finally:
        await answer.aclose()
    return answer.status


def settings() -> Settings:
    return Settings(str(find_model()), "m", 256, 1, 1)


def is_gone(pid: int, within_s: float = 10.0) -> bool:
    """Whether the process ends, give or take its parent's notice of it."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").exists() and ") Z " in Path(f"/proc/{pid}/stat").read_text():
            return True
        time.sleep(0.02)
    return False


def test_nothing_runs_before_the_first_call() -> None:
    async def use(adapter: EmbeddedAdapter, notes: Notes) -> list[Any]:
        await adapter.start()
        return [await adapter.vitals(), list(notes)]

    assert with_adapter(use) == [{}, []]


def test_the_model_is_told_before_it_runs() -> None:
    async def use(adapter: EmbeddedAdapter, notes: Notes) -> Any:
        return await adapter.models()

    assert with_adapter(use) == [
        {
            "id": "smollm2-135m-instruct",
            "context_window": 4096,
            "display_name": "SmolLM2 135M Instruct (Q4_1)",
        }
    ]


def test_first_calls_that_come_together_share_one_child() -> None:
    async def use(adapter: EmbeddedAdapter, notes: Notes) -> list[int]:
        await asyncio.gather(*(ask(adapter) for _ in range(4)))
        return notes.pids

    assert len(with_adapter(use)) == 1


def test_the_next_call_finds_the_child_running() -> None:
    async def use(adapter: EmbeddedAdapter, notes: Notes) -> list[int]:
        await ask(adapter)
        await ask(adapter)
        return notes.pids

    assert len(with_adapter(use)) == 1


def test_a_client_that_leaves_during_the_start_does_not_end_it_for_another() -> None:
    async def use(adapter: EmbeddedAdapter, notes: Notes) -> int:
        leaving, staying = asyncio.create_task(ask(adapter)), asyncio.create_task(ask(adapter))
        await asyncio.sleep(0.05)
        leaving.cancel()
        return await staying

    assert with_adapter(use) == 200


def test_a_call_waits_for_the_start_no_longer_than_for_a_first_byte() -> None:
    async def use(adapter: EmbeddedAdapter, notes: Notes) -> str:
        with pytest.raises(UpstreamError) as raised:
            await ask(adapter, Limits(first_byte_s=0.05))
        return raised.value.kind

    assert with_adapter(use) == "timeout"


def test_a_killed_child_is_replaced_by_the_next_call() -> None:
    async def use(adapter: EmbeddedAdapter, notes: Notes) -> tuple[int, int]:
        await ask(adapter)
        os.kill(notes.pids[0], signal.SIGKILL)
        return await ask(adapter), len(notes.pids)

    assert with_adapter(use) == (200, 2)


def test_calls_that_find_the_child_dead_together_share_the_new_one() -> None:
    async def use(adapter: EmbeddedAdapter, notes: Notes) -> int:
        await ask(adapter)
        os.kill(notes.pids[0], signal.SIGKILL)
        await asyncio.gather(*(ask(adapter) for _ in range(4)))
        return len(notes.pids)

    assert with_adapter(use) == 2


@pytest.mark.parametrize("body", [{"stream": True}, {}], ids=["streamed", "whole"])
def test_a_call_in_flight_when_the_child_dies_fails_as_transport(body: dict[str, Any]) -> None:
    async def use(adapter: EmbeddedAdapter, notes: Notes) -> tuple[str, int]:
        await ask(adapter)
        asking = asyncio.create_task(ask(adapter, max_tokens=3000, **body))
        for _ in range(500):
            if (await adapter.vitals())["processing"]:
                break
            await asyncio.sleep(0.01)
        os.kill(notes.pids[0], signal.SIGKILL)
        with pytest.raises(UpstreamError) as raised:
            await asking
        return raised.value.kind, len(notes.pids)

    assert with_adapter(use) == ("transport", 1)


def test_closing_ends_the_child() -> None:
    async def use(adapter: EmbeddedAdapter, notes: Notes) -> int:
        await ask(adapter)
        return notes.pids[0]

    pid = with_adapter(use)

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A model that is never read to its end, so that its start never ends either."""
    path = tmp_path / "endless.gguf"
    os.mkfifo(path)
    return path


def test_a_start_that_is_given_up_leaves_no_process(endless: Path) -> None:
    script = f"""
import asyncio, os
from coderouter_adapter_embedded.server import Server, Settings
async def main():
    launching = asyncio.create_task(Server.launch(Settings({str(endless)!r}, "m", 256, 1, 1)))
    await asyncio.sleep(0.2)
    launching.cancel()
    await asyncio.gather(launching, return_exceptions=True)
    try:
        for _ in range(100):
            left = os.waitpid(-1, os.WNOHANG)
            await asyncio.sleep(0.05)
        print("left:", left)
    except ChildProcessError:
        print("none")
asyncio.run(main())
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "none"


def test_closing_ends_the_start() -> None:
    async def run() -> list[Any]:
        model = choose_model("tiny", None, None)
        adapter = EmbeddedAdapter("tiny", httpx.AsyncHTTPTransport(), model, 1)
        asking = asyncio.create_task(ask(adapter))
        # Far fewer turns of the loop than a process needs to load a model.
        for _ in range(5):
            await asyncio.sleep(0)
        await adapter.aclose()
        return list(await asyncio.gather(asking, return_exceptions=True))

    [ended] = asyncio.run(run())
    assert isinstance(ended, asyncio.CancelledError)


def test_a_call_after_closing_starts_nothing() -> None:
    async def use(adapter: EmbeddedAdapter, notes: Notes) -> str:
        await adapter.aclose()
        with pytest.raises(UpstreamError) as raised:
            await ask(adapter)
        return str(raised.value)

    assert "the router is stopping" in with_adapter(use)


def test_the_child_dies_with_a_killed_parent() -> None:
    script = f"""
import asyncio
from coderouter_adapter_embedded.server import Server, Settings
async def main():
    server = await Server.launch(Settings(**{attrs.asdict(settings())!r}))
    print(server.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        parent.kill()

    assert is_gone(child)


@contextmanager
def child_process() -> Iterator[tuple[subprocess.Popen[bytes], httpx.URL]]:
    """The child as a plain process, and where it serves."""
    command = [sys.executable, "-P", str(CHILD)]
    told = {**attrs.asdict(settings()), "key": "secret", "parent": os.getpid()}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as child:
        assert child.stdin
        assert child.stdout
        try:
            child.stdin.write(json.dumps(told).encode() + b"\n")
            yield child, httpx.URL(json.loads(child.stdout.readline())["url"])
        finally:
            child.kill()


def test_the_child_ends_when_its_input_ends() -> None:
    with child_process() as (child, _):
        assert child.stdin
        child.stdin.close()

        assert child.wait(10) == 0


def test_only_who_knows_the_key_is_answered() -> None:
    with child_process() as (_, url):
        statuses = [
            httpx.get(url.join("/v1/models"), headers=headers).status_code
            for headers in ({}, {"authorization": "Bearer secret"})
        ]

    assert statuses == [401, 200]


def test_the_child_listens_on_loopback_alone() -> None:
    with child_process() as (_, url):
        pass

    assert url.host == "127.0.0.1"


def test_a_load_that_takes_too_long_is_ended() -> None:
    async def run() -> None:
        with pytest.raises(LaunchError, match=r"not loaded within 0 s"):
            await Server.launch(settings(), limit_s=0.05)

    asyncio.run(run())


def test_a_damaged_model_fails_in_llama_cpps_words(tmp_path: Path) -> None:
    whole = find_model()
    assert whole
    with whole.open("rb") as file:
        (tmp_path / "cut.gguf").write_bytes(file.read(3_000_000))

    async def use(adapter: EmbeddedAdapter, notes: Notes) -> UpstreamError:
        with pytest.raises(UpstreamError) as raised:
            await ask(adapter)
        return raised.value

    error = with_adapter(use, tmp_path / "cut.gguf")
    assert (error.kind, "data is not within the file bounds" in str(error)) == ("transport", True)


def test_a_missing_model_is_fetched_by_the_command_it_names(nothing_fetched: None) -> None:
    async def use(adapter: EmbeddedAdapter, notes: Notes) -> str:
        with pytest.raises(UpstreamError) as raised:
            await ask(adapter)
        return str(raised.value)

    assert "run: coderouter embedded fetch" in with_adapter(use)


def test_no_model_is_told_while_its_weights_are_missing(nothing_fetched: None) -> None:
    async def use(adapter: EmbeddedAdapter, notes: Notes) -> Any:
        return await adapter.models()

    assert with_adapter(use) == []
