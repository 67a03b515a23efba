"""Claude Code, the real command line, through the router to scripted upstreams. ``nox -s e2e`` installs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from e2e.agents import (
    CHAT,
    EDITED,
    NEW,
    OLD,
    PNG,
    WIRES,
    WRITTEN,
    calling,
    command,
    desk,
    routed,
    run,
    text_of,
)
from e2e.wiretap import Wiretap

from coderouter_core.testing import CutAfter, ErrorAfter, ProviderError, Step, ToolCall

CLAUDE = command("claude")


def claude(
    url: str,
    work: Path,
    prompt: str = "hi",
    *options: str,
    model: str = "claude-sonnet-4-6",
    most_tokens: int = 4_000,
) -> str:
    """What it prints when it is asked once, in print mode."""
    ran = run(
        [CLAUDE, "-p", prompt, "--model", model, "--dangerously-skip-permissions", *options],
        work,
        IS_SANDBOX="1",
        ANTHROPIC_BASE_URL=url,
        ANTHROPIC_AUTH_TOKEN="anything",
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
        CLAUDE_CODE_MAX_OUTPUT_TOKENS=str(most_tokens),
    )
    return (ran.stdout or ran.stderr).strip()


@WIRES
@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "qwen3-coder:30b"])
def test_it_creates_a_file_and_edits_it(tmp_path: Path, wire: Any, kind: str, model: str) -> None:
    work = desk(tmp_path)
    path = str(work / "new.txt")
    router = routed(
        wire,
        kind,
        calling(ToolCall("Write", {"file_path": path, "content": WRITTEN}), text="Writing.", thinking="Hm."),
        calling(ToolCall("Edit", {"file_path": path, "old_string": OLD, "new_string": NEW})),
        "Done.",
    )

    with Wiretap(router) as tap:
        said = claude(tap.url, work, "Write it, then change it.", model=model)

    assert (said, text_of(work / "new.txt"), tap.complaints) == ("Done.", EDITED, [])


@WIRES
def test_it_reads_two_files_at_once(tmp_path: Path, wire: Any, kind: str) -> None:
    work = desk(tmp_path)
    (work / "other.txt").write_text("The other word is Gnu.\n")
    calls = [ToolCall("Read", {"file_path": str(work / name)}) for name in ("hello.txt", "other.txt")]
    router = routed(wire, kind, calling(*calls), "Read.", "Read.")

    with Wiretap(router) as tap:
        said = claude(tap.url, work)

    sent = router.upstreams["local"].calls[1].raw
    assert (said, b"is Zebra" in sent, b"is Gnu" in sent, tap.complaints) == ("Read.", True, True, [])


def test_a_call_that_the_model_wrote_as_text_is_made(tmp_path: Path) -> None:
    work = desk(tmp_path)
    arguments = {"file_path": str(work / "new.txt"), "content": WRITTEN}
    written = f"<tool_call>{json.dumps({'name': 'Write', 'arguments': arguments})}</tool_call>"

    with Wiretap(routed(*CHAT, written, "Done.")) as tap:
        said = claude(tap.url, work)

    assert (said, text_of(work / "new.txt"), tap.complaints) == ("Done.", WRITTEN, [])


@WIRES
def test_a_picture_that_it_reads_reaches_the_model(tmp_path: Path, wire: Any, kind: str) -> None:
    work = desk(tmp_path)
    (work / "dot.png").write_bytes(PNG)
    router = routed(wire, kind, calling(ToolCall("Read", {"file_path": str(work / "dot.png")})), "A dot.")

    with Wiretap(router) as tap:
        said = claude(tap.url, work)

    seen = b"image/png;base64," if kind == "openai-compat" else b'"media_type":"image/png"'
    assert (said, seen in router.upstreams["local"].calls[1].raw, tap.complaints) == ("A dot.", True, [])


@pytest.mark.parametrize(
    "failure", [ProviderError("overloaded", status=529), ProviderError("no", status=401)]
)
def test_it_never_notices_a_fallback(tmp_path: Path, failure: Step) -> None:
    router = routed(*CHAT, failure)

    with Wiretap(router) as tap:
        said = claude(tap.url, desk(tmp_path))

    tried = len(router.upstreams["local"].calls)
    assert (said, tried, tap.complaints) == ("from the cloud", 1, [])


@pytest.mark.parametrize(
    "failure", [CutAfter(6), CutAfter(6, rst=True), ErrorAfter(6)], ids=["cut", "reset", "error"]
)
def test_it_recovers_from_a_stream_that_breaks(tmp_path: Path, failure: Step) -> None:
    with Wiretap(routed(*CHAT, [failure, "Recovered."])) as tap:
        said = claude(tap.url, desk(tmp_path))

    assert (said, tap.complaints) == ("Recovered.", [])


def test_it_knows_a_prompt_that_is_too_long_by_any_servers_words(tmp_path: Path) -> None:
    words = "request (9010 tokens) exceeds the available context size (4096 tokens), try increasing it"
    router = routed(*CHAT, ProviderError(words, status=400))

    said = claude(router.url, desk(tmp_path))

    assert (said.startswith("Prompt is too long"), len(router.upstreams["local"].calls)) == (True, 1)
