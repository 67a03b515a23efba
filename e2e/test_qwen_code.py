"""qwen-code, the real command line, through the router to scripted upstreams. ``nox -s e2e`` installs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from e2e.agents import CHAT, EDITED, NEW, OLD, WIRES, WRITTEN, calling, command, desk, routed, run, text_of
from e2e.wiretap import Wiretap

from coderouter_core.testing import CutAfter, ErrorAfter, ProviderError, Step, ToolCall

QWEN = command("qwen")
#: Nothing but the model is asked for anything.
QUIET = {
    "privacy": {"usageStatisticsEnabled": False},
    "telemetry": {"enabled": False},
    "general": {"enableAutoUpdate": False, "disableAutoUpdate": True},
}


def qwen(url: str, work: Path, prompt: str = "hi") -> str:
    """What it prints when it is asked once, or its error."""
    settings = work / ".qwen" / "settings.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps(QUIET))
    ran = run(
        [QWEN, "-p", prompt, "--auth-type", "openai", "--yolo"],
        work,
        OPENAI_BASE_URL=f"{url}/v1",
        OPENAI_API_KEY="anything",
        OPENAI_MODEL="some-model",
        # It would ask a proxy for this machine, too.
        HTTP_PROXY="",
        HTTPS_PROXY="",
    )
    return (ran.stdout or ran.stderr).strip()


@WIRES
def test_it_creates_a_file_and_edits_it(tmp_path: Path, wire: Any, kind: str) -> None:
    work = desk(tmp_path)
    path = str(work / "new.txt")
    router = routed(
        wire,
        kind,
        calling(ToolCall("write_file", {"file_path": path, "content": WRITTEN}), thinking="Hm."),
        calling(ToolCall("edit", {"file_path": path, "old_string": OLD, "new_string": NEW})),
        "Done.",
    )

    with Wiretap(router) as tap:
        said = qwen(tap.url, work, "Write it, then change it.")

    assert (said, text_of(work / "new.txt"), tap.complaints) == ("Done.", EDITED, [])


@WIRES
def test_it_reads_two_files_at_once(tmp_path: Path, wire: Any, kind: str) -> None:
    work = desk(tmp_path)
    (work / "other.txt").write_text("The other word is Gnu.\n")
    calls = [ToolCall("read_file", {"file_path": str(work / name)}) for name in ("hello.txt", "other.txt")]
    router = routed(wire, kind, calling(*calls), "Read.", "Read.")

    with Wiretap(router) as tap:
        said = qwen(tap.url, work)

    sent = router.upstreams["local"].calls[1].raw
    assert (said, b"is Zebra" in sent, b"is Gnu" in sent, tap.complaints) == ("Read.", True, True, [])


def test_a_call_that_the_model_wrote_as_text_is_made(tmp_path: Path) -> None:
    work = desk(tmp_path)
    written = f'<tool_call>{{"name": "write_file", "arguments": {{"file_path": "{work}/new.txt", "content": "x"}}}}</tool_call>'
    router = routed(*CHAT, written, "Done.")

    with Wiretap(router) as tap:
        said = qwen(tap.url, work)

    assert (said, text_of(work / "new.txt"), tap.complaints) == ("Done.", "x", [])


@pytest.mark.parametrize(
    "failure", [ProviderError("overloaded", status=529), ProviderError("no", status=401)]
)
def test_it_never_notices_a_fallback(tmp_path: Path, failure: Step) -> None:
    with Wiretap(routed(*CHAT, failure)) as tap:
        said = qwen(tap.url, desk(tmp_path))

    assert (said, tap.complaints) == ("from the cloud", [])


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        pytest.param(CutAfter(6), "ended its answer before it was complete", id="cut"),
        pytest.param(CutAfter(6, rst=True), "reset the connection in the middle of its answer", id="reset"),
        pytest.param(ErrorAfter(6), "overloaded", id="error"),
    ],
)
def test_it_tells_of_a_stream_that_breaks(tmp_path: Path, failure: Step, words: str) -> None:
    with Wiretap(routed(*CHAT, [failure, "Recovered."])) as tap:
        said = qwen(tap.url, desk(tmp_path))

    assert (said.startswith("[API Error: "), words in said, tap.complaints) == (True, True, [])
