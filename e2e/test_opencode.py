"""opencode, the real command line, through the router to scripted upstreams. ``nox -s e2e`` installs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from e2e.agents import CHAT, EDITED, NEW, OLD, WIRES, WRITTEN, calling, command, desk, routed, run, text_of
from e2e.wiretap import Wiretap

from coderouter_core.testing import CutAfter, ErrorAfter, ProviderError, Step, ToolCall

OPENCODE = command("opencode")
#: Nothing but the model is asked for anything.
QUIET = {"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"}

#: By which of the packages that it brings along it speaks to the router.
COMPATIBLE, ANTHROPIC = "@ai-sdk/openai-compatible", "@ai-sdk/anthropic"
DIALECTS = pytest.mark.parametrize("package", [COMPATIBLE, ANTHROPIC])


def opencode(url: str, work: Path, prompt: str = "hi", package: str = COMPATIBLE) -> str:
    """The last thing it says when it is asked once, or its error."""
    model = {"name": "Some", "limit": {"context": 128_000, "output": 8_000}}
    provider = {
        "npm": package,
        "name": "Router",
        "options": {"baseURL": f"{url}/v1", "apiKey": "anything"},
        "models": {"some-model": model},
    }
    settings = {"provider": {"router": provider}, "autoupdate": False, "share": "disabled"}
    (work / "opencode.json").write_text(json.dumps(settings))
    ran = run([OPENCODE, "run", "--format", "json", "-m", "router/some-model", prompt], work, **QUIET)
    told = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    said = [event["part"]["text"] for event in told if event["type"] == "text"]
    failed = [event["error"]["data"]["message"] for event in told if event["type"] == "error"]
    return str((failed or said or [ran.stderr])[-1])


@WIRES
@DIALECTS
def test_it_creates_a_file_and_edits_it(tmp_path: Path, wire: Any, kind: str, package: str) -> None:
    work = desk(tmp_path)
    path = str(work / "new.txt")
    router = routed(
        wire,
        kind,
        calling(ToolCall("write", {"filePath": path, "content": WRITTEN}), text="Writing."),
        calling(ToolCall("edit", {"filePath": path, "oldString": OLD, "newString": NEW}), thinking="Hm."),
        "Done.",
    )

    with Wiretap(router) as tap:
        said = opencode(tap.url, work, "Write it, then change it.", package)

    assert (said, text_of(work / "new.txt"), tap.complaints) == ("Done.", EDITED, [])


@WIRES
def test_it_reads_two_files_at_once(tmp_path: Path, wire: Any, kind: str) -> None:
    work = desk(tmp_path)
    (work / "other.txt").write_text("The other word is Gnu.\n")
    calls = [ToolCall("read", {"filePath": str(work / name)}) for name in ("hello.txt", "other.txt")]
    router = routed(wire, kind, calling(*calls), "Read.", "Read.")

    with Wiretap(router) as tap:
        said = opencode(tap.url, work)

    sent = b"".join(call.raw for call in router.upstreams["local"].calls)
    assert (said, b"is Zebra" in sent, b"is Gnu" in sent, tap.complaints) == ("Read.", True, True, [])


def test_a_call_that_the_model_wrote_as_text_is_made(tmp_path: Path) -> None:
    work = desk(tmp_path)
    arguments = {"filePath": str(work / "new.txt"), "content": WRITTEN}
    written = f"<tool_call>{json.dumps({'name': 'write', 'arguments': arguments})}</tool_call>"

    with Wiretap(routed(*CHAT, written, "Done.")) as tap:
        said = opencode(tap.url, work)

    assert (said, text_of(work / "new.txt"), tap.complaints) == ("Done.", WRITTEN, [])


@pytest.mark.parametrize(
    ("failure", "package"),
    [(ProviderError("overloaded", status=529), COMPATIBLE), (ProviderError("no", status=401), ANTHROPIC)],
)
def test_it_never_notices_a_fallback(tmp_path: Path, failure: Step, package: str) -> None:
    with Wiretap(routed(*CHAT, failure)) as tap:
        said = opencode(tap.url, desk(tmp_path), package=package)

    assert (said, tap.complaints) == ("from the cloud", [])


@pytest.mark.parametrize(
    ("failure", "package"),
    [
        pytest.param(CutAfter(6), ANTHROPIC, id="cut"),
        pytest.param(CutAfter(6), COMPATIBLE, id="cut-compatible"),
        pytest.param(CutAfter(6, rst=True), ANTHROPIC, id="reset"),
        pytest.param(ErrorAfter(6), ANTHROPIC, id="error"),
    ],
)
def test_it_recovers_from_a_stream_that_breaks(tmp_path: Path, failure: Step, package: str) -> None:
    with Wiretap(routed(*CHAT, [failure, "Recovered."])) as tap:
        said = opencode(tap.url, desk(tmp_path), package=package)

    assert (said, tap.complaints) == ("Recovered.", [])
