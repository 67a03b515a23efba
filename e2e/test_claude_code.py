"""Claude Code, the real command line, through the router to scripted upstreams. ``nox -s agents`` installs it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from coderouter_adapter_anthropic import Anthropic
from coderouter_adapter_openai_compat import OpenAICompat

from coderouter_core.testing import (
    CutAfter,
    ErrorAfter,
    ProviderError,
    Reply,
    Script,
    ServedRouter,
    ToolCall,
    make_router,
)

CLAUDE = os.environ["CLAUDE"]
PATIENCE_S = 90


def routed(local: Any, cloud: Any = "from the cloud") -> ServedRouter:
    """A local chat backend first, a native one behind it, both spoken to by the real adapters."""
    return make_router(
        OpenAICompat(),
        Anthropic(),
        Script(local=Script.chat(*local) if isinstance(local, list) else local, cloud=Script.messages(cloud)),
        providers={"local": {"kind": "openai-compat"}, "cloud": {"kind": "anthropic"}},
    )


def claude(router: ServedRouter, folder: Path, prompt: str = "hi") -> subprocess.CompletedProcess[str]:
    """Ask once, in print mode, with a home of its own."""
    work = folder / "work"
    work.mkdir()
    (work / "hello.txt").write_text("The word is Zebra.")
    return subprocess.run(
        [CLAUDE, "-p", prompt, "--model", "claude-sonnet-4-6", "--dangerously-skip-permissions"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        cwd=work,
        check=False,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "IS_SANDBOX": "1",
            "ANTHROPIC_BASE_URL": router.url,
            "ANTHROPIC_AUTH_TOKEN": "anything",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        },
    )


def test_it_chats_with_a_local_model(tmp_path: Path) -> None:
    assert claude(routed("Hello from here."), tmp_path).stdout.strip() == "Hello from here."


def test_it_uses_a_tool_and_reads_its_result(tmp_path: Path) -> None:
    path = str(tmp_path / "work" / "hello.txt")
    router = routed([Reply("", calls=[ToolCall("Read", {"file_path": path})]), "It says Zebra."])

    said = claude(router, tmp_path).stdout.strip()

    assert (said, "Zebra" in router.upstreams["local"].calls[1].raw.decode()) == ("It says Zebra.", True)


@pytest.mark.parametrize(
    "failure", [ProviderError("overloaded", status=529), ProviderError("no", status=401)]
)
def test_it_never_notices_a_fallback(tmp_path: Path, failure: ProviderError) -> None:
    router = routed(failure)

    assert (claude(router, tmp_path).stdout.strip(), len(router.upstreams["local"].calls)) == (
        "from the cloud",
        1,
    )


@pytest.mark.parametrize(
    "failure", [CutAfter(6), CutAfter(6, rst=True), ErrorAfter(6)], ids=["cut", "reset", "error"]
)
def test_it_recovers_from_a_stream_that_breaks(tmp_path: Path, failure: Any) -> None:
    assert claude(routed([failure, "Recovered."]), tmp_path).stdout.strip() == "Recovered."


def test_it_knows_a_prompt_that_is_too_long_by_any_servers_words(tmp_path: Path) -> None:
    words = "request (9010 tokens) exceeds the available context size (4096 tokens), try increasing it"
    router = routed(ProviderError(words, status=400))

    said = claude(router, tmp_path)

    assert (said.stdout.startswith("Prompt is too long"), len(router.upstreams["local"].calls)) == (True, 1)
