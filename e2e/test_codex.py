"""Codex, the real command line, through the router to scripted upstreams. ``nox -s agents`` installs it."""

from __future__ import annotations

import json
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

CODEX = os.environ["CODEX"]
PATIENCE_S = 90
#: A model that Codex does not know: it gets functions alone. One that it knows gets the free-form ``apply_patch``.
UNKNOWN, KNOWN = "some-local-model", "gpt-5.5"
#: One that is given its tools within the conversation, in groups.
GROUPED = "gpt-5.6-sol"
PATCH = '*** Begin Patch\n*** Update File: hello.txt\n@@\n-The word is Zebra.\n+The word is "Yak".\n*** End Patch\n'

WIRES = pytest.mark.parametrize(
    ("wire", "kind"),
    [
        pytest.param(Script.chat, "openai-compat", id="chat-upstream"),
        pytest.param(Script.messages, "anthropic", id="messages-upstream"),
    ],
)


def routed(wire: Any, kind: str, *local: Any) -> ServedRouter:
    """A first provider that speaks one dialect, and one behind it that speaks chat, by the real adapters."""
    return make_router(
        OpenAICompat(),
        Anthropic(),
        Script(local=wire(*local), cloud=Script.chat("from the cloud")),
        providers={"local": {"kind": kind}, "cloud": {"kind": "openai-compat"}},
    )


def codex(router: ServedRouter, folder: Path, prompt: str = "hi", model: str = UNKNOWN) -> str:
    """The last thing it says when it is asked once, with a home of its own; its errors where it says nothing."""
    home, work = folder / "home", folder / "work"
    home.mkdir()
    work.mkdir()
    (work / "hello.txt").write_text("The word is Zebra.\n")
    provider = f'{{name="router", base_url="{router.url}/v1", wire_api="responses", env_key="ROUTER_KEY"}}'
    options = [
        'model_provider="router"',
        f"model_providers.router={provider}",
        "model_providers.router.request_max_retries=1",
        "model_providers.router.stream_max_retries=1",
    ]
    ran = subprocess.run(
        [
            *(CODEX, "exec", "--json", "--skip-git-repo-check", "--model", model),
            "--dangerously-bypass-approvals-and-sandbox",
            *(word for option in options for word in ("-c", option)),
            prompt,
        ],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE_S,
        cwd=work,
        check=False,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "CODEX_HOME": str(home),
            "ROUTER_KEY": "anything",
        },
    )
    told = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    said = [event["item"]["text"] for event in told if event.get("item", {}).get("type") == "agent_message"]
    failed = [event["error"]["message"] for event in told if event["type"] == "turn.failed"]
    return str((failed or said or [ran.stderr])[-1])


@WIRES
@pytest.mark.parametrize("model", [UNKNOWN, KNOWN, GROUPED])
def test_it_chats(tmp_path: Path, wire: Any, kind: str, model: str) -> None:
    assert codex(routed(wire, kind, "Hello from here."), tmp_path, model=model) == "Hello from here."


@WIRES
def test_it_runs_a_command_and_reads_what_came_out(tmp_path: Path, wire: Any, kind: str) -> None:
    call = Reply("Looking.", calls=[ToolCall("exec_command", {"cmd": "cat hello.txt"})])
    router = routed(wire, kind, call, "It says Zebra.")

    said = codex(router, tmp_path)

    assert (said, "word is Zebra" in router.upstreams["local"].calls[1].raw.decode()) == (
        "It says Zebra.",
        True,
    )


@WIRES
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"input": PATCH}, id="as-asked"),
        pytest.param({"patch": f"```\n{PATCH}```"}, id="fenced-under-another-name"),
    ],
)
def test_it_edits_a_file_with_apply_patch(
    tmp_path: Path, wire: Any, kind: str, arguments: dict[str, str]
) -> None:
    router = routed(wire, kind, Reply("", calls=[ToolCall("apply_patch", arguments)]), "Edited.")

    said = codex(router, tmp_path, model=KNOWN)

    assert (said, (tmp_path / "work" / "hello.txt").read_text()) == ("Edited.", 'The word is "Yak".\n')


@WIRES
def test_it_runs_a_script_by_a_tool_of_a_group(tmp_path: Path, wire: Any, kind: str) -> None:
    script = 'const r = await tools.exec_command({cmd: "cat hello.txt"}); text(r.output);'
    router = routed(wire, kind, Reply("", calls=[ToolCall("exec", {"input": script})]), "Read.")

    said = codex(router, tmp_path, model=GROUPED)

    assert (said, "word is Zebra" in router.upstreams["local"].calls[1].raw.decode()) == ("Read.", True)


@WIRES
@pytest.mark.parametrize(
    "failure", [ProviderError("overloaded", status=529), ProviderError("no", status=401)]
)
def test_it_never_notices_a_fallback(tmp_path: Path, wire: Any, kind: str, failure: ProviderError) -> None:
    router = routed(wire, kind, failure)

    assert (codex(router, tmp_path), len(router.upstreams["local"].calls)) == ("from the cloud", 1)


@WIRES
@pytest.mark.parametrize(
    "failure", [CutAfter(6), CutAfter(6, rst=True), ErrorAfter(6)], ids=["cut", "reset", "error"]
)
def test_it_recovers_from_a_stream_that_breaks(tmp_path: Path, wire: Any, kind: str, failure: Any) -> None:
    assert codex(routed(wire, kind, failure, "Recovered."), tmp_path) == "Recovered."


@WIRES
def test_thoughts_come_back_to_the_provider_that_signed_them(tmp_path: Path, wire: Any, kind: str) -> None:
    call = Reply("", thinking="HM.", calls=[ToolCall("exec_command", {"cmd": "true"})])
    router = routed(wire, kind, call, "Done.")

    said = codex(router, tmp_path)

    thought = b"HM." in router.upstreams["local"].calls[1].raw
    assert (said, thought) == ("Done.", kind == "anthropic")


def test_it_knows_a_prompt_that_is_too_long_by_any_servers_words(tmp_path: Path) -> None:
    words = "request (9010 tokens) exceeds the available context size (4096 tokens), try increasing it"
    router = routed(Script.chat, "openai-compat", ProviderError(words, status=400))

    assert "ran out of room in the model's context window" in codex(router, tmp_path)
