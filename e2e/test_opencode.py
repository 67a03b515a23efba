"""opencode, the real command line, through the router to scripted upstreams. ``nox -s e2e`` installs it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from e2e.agents import EDITED, NEW, OLD, WIRES, WRITTEN, calling, desk, routed, run
from e2e.wiretap import Wiretap

from coderouter_core.testing import ToolCall

OPENCODE = os.environ["OPENCODE"]

#: By which of the packages that it brings along it speaks to the router.
DIALECTS = pytest.mark.parametrize("package", ["@ai-sdk/openai-compatible", "@ai-sdk/anthropic"])


def opencode(url: str, work: Path, prompt: str = "hi", package: str = "@ai-sdk/openai-compatible") -> str:
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
    ran = run([OPENCODE, "run", "--format", "json", "-m", "router/some-model", prompt], work, **SETTINGS)
    told = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    said = [event["part"]["text"] for event in told if event["type"] == "text"]
    failed = [event["error"]["data"]["message"] for event in told if event["type"] == "error"]
    return str((failed or said or [ran.stderr])[-1])


SETTINGS = {"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"}


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

    assert (said, (work / "new.txt").read_text(), tap.complaints) == ("Done.", EDITED, [])
