"""llm, the command line from PyPI, through the router to scripted upstreams. ``nox -s e2e`` installs it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from e2e.agents import CHAT, EDITED, PNG, WIRES, calling, desk, routed, run, text_of
from e2e.wiretap import Wiretap

from coderouter_core.testing import CutAfter, ErrorAfter, ProviderError, Step, ToolCall

LLM = os.environ["E2E_LLM"]
#: A tool that the model may call, as llm takes one.
WRITE = """
import pathlib
def write(path: str, text: str) -> str:
    "Write a file."
    pathlib.Path(path).write_text(text)
    return "written"
"""


def llm(url: str, work: Path, *options: str) -> str:
    """What it prints when it is asked once, its error last."""
    model = {"model_id": "router", "model_name": "some-model", "api_base": f"{url}/v1"}
    able = {"supports_tools": True, "vision": True}
    # JSON is YAML.
    (work / "extra-openai-models.yaml").write_text(json.dumps([{**model, **able}]))
    ran = run(
        [LLM, "-m", "router", "--no-log", "hi", *options],
        work,
        LLM_USER_PATH=str(work),
        OPENAI_API_KEY="anything",
    )
    return (ran.stdout + ran.stderr).strip()


@WIRES
def test_it_chats(tmp_path: Path, wire: Any, kind: str) -> None:
    with Wiretap(routed(wire, kind, "Hello from here.")) as tap:
        said = llm(tap.url, desk(tmp_path))

    assert (said, tap.complaints) == ("Hello from here.", [])


@WIRES
@pytest.mark.parametrize("options", [[], ["--no-stream"]], ids=["streamed", "whole"])
def test_it_writes_a_file_by_a_tool(tmp_path: Path, wire: Any, kind: str, options: list[str]) -> None:
    work = desk(tmp_path)
    call = ToolCall("write", {"path": "new.txt", "text": EDITED})

    with Wiretap(routed(wire, kind, calling(call), "Done.")) as tap:
        said = llm(tap.url, work, "--functions", WRITE, *options)

    assert (said, text_of(work / "new.txt"), tap.complaints) == ("Done.", EDITED, [])


@WIRES
def test_a_picture_reaches_the_model(tmp_path: Path, wire: Any, kind: str) -> None:
    work = desk(tmp_path)
    (work / "dot.png").write_bytes(PNG)
    router = routed(wire, kind, "A dot.")

    with Wiretap(router) as tap:
        llm(tap.url, work, "-a", "dot.png")

    seen = b"image/png;base64," if kind == "openai-compat" else b'"media_type":"image/png"'
    assert (seen in router.upstreams["local"].calls[0].raw, tap.complaints) == (True, [])


def test_it_never_notices_a_fallback(tmp_path: Path) -> None:
    with Wiretap(routed(*CHAT, ProviderError("overloaded", status=529))) as tap:
        said = llm(tap.url, desk(tmp_path), "--functions", WRITE)

    assert (said, tap.complaints) == ("from the cloud", [])


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        pytest.param(CutAfter(6), "Error: the upstream ended its answer before it was complete", id="cut"),
        pytest.param(ErrorAfter(6), "Error: overloaded", id="error"),
    ],
)
def test_it_tells_of_a_stream_that_breaks(tmp_path: Path, failure: Step, words: str) -> None:
    with Wiretap(routed(*CHAT, failure)) as tap:
        said = llm(tap.url, desk(tmp_path), "--functions", WRITE)

    assert (said.endswith(words), tap.complaints) == (True, [])
