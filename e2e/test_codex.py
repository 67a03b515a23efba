"""Codex, the real command line, through the router to scripted upstreams. ``nox -s e2e`` installs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from e2e.agents import CHAT, EDITED, NEW, WIRES, calling, command, desk, routed, run, text_of
from e2e.wiretap import Wiretap

from coderouter_core.testing import CutAfter, ErrorAfter, ProviderError, Step, ToolCall

CODEX = command("codex")
#: A model that Codex does not know: it gets functions alone. One that it knows gets the free-form ``apply_patch``.
UNKNOWN, KNOWN = "some-local-model", "gpt-5.5"
#: One that is given its tools within the conversation, in groups.
GROUPED = "gpt-5.6-sol"
ADD = "*** Begin Patch\n*** Add File: new.txt\n+The word is Ibex.\n*** End Patch\n"
CHANGE = (
    f"*** Begin Patch\n*** Update File: new.txt\n@@\n-The word is Ibex.\n+The word is {NEW}.\n*** End Patch\n"
)


def codex(url: str, work: Path, prompt: str = "hi", model: str = UNKNOWN) -> str:
    """The last thing it says when it is asked once; its errors where it says nothing."""
    provider = f'{{name="router", base_url="{url}/v1", wire_api="responses", env_key="ROUTER_KEY"}}'
    options = [
        'model_provider="router"',
        f"model_providers.router={provider}",
        "model_providers.router.request_max_retries=1",
        "model_providers.router.stream_max_retries=1",
    ]
    executing = [CODEX, "exec", "--json", "--skip-git-repo-check", "--model", model]
    allowed = "--dangerously-bypass-approvals-and-sandbox"
    ran = run(
        [*executing, allowed, *(word for option in options for word in ("-c", option)), prompt],
        work,
        CODEX_HOME=str(work.parent),
        ROUTER_KEY="anything",
    )
    told = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    said = [event["item"]["text"] for event in told if event.get("item", {}).get("type") == "agent_message"]
    failed = [event["error"]["message"] for event in told if event["type"] == "turn.failed"]
    return str((failed or said or [ran.stderr])[-1])


@WIRES
@pytest.mark.parametrize("model", [UNKNOWN, KNOWN, GROUPED])
def test_it_chats(tmp_path: Path, wire: Any, kind: str, model: str) -> None:
    with Wiretap(routed(wire, kind, "Hello from here.")) as tap:
        said = codex(tap.url, desk(tmp_path), model=model)

    assert (said, tap.complaints) == ("Hello from here.", [])


@WIRES
def test_it_runs_commands_and_reads_what_came_out(tmp_path: Path, wire: Any, kind: str) -> None:
    commands = [ToolCall("exec_command", {"cmd": f"cat hello.txt; echo {word}"}) for word in ("Gnu", "Ibex")]
    router = routed(wire, kind, calling(*commands, text="Looking."), "Seen.", "Seen.")

    with Wiretap(router) as tap:
        said = codex(tap.url, desk(tmp_path))

    sent = router.upstreams["local"].calls[1].raw.decode()
    assert (said, sent.count("word is Zebra"), tap.complaints) == ("Seen.", 2, [])


@WIRES
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(lambda patch: {"input": patch}, id="as-asked"),
        pytest.param(lambda patch: {"patch": f"```\n{patch}```"}, id="fenced-under-another-name"),
    ],
)
def test_it_creates_a_file_and_edits_it(tmp_path: Path, wire: Any, kind: str, arguments: Any) -> None:
    work = desk(tmp_path)
    router = routed(
        wire,
        kind,
        calling(ToolCall("apply_patch", arguments(ADD)), text="Writing."),
        calling(ToolCall("apply_patch", arguments(CHANGE)), thinking="Hm."),
        "Done.",
    )

    with Wiretap(router) as tap:
        said = codex(tap.url, work, "Write it, then change it.", model=KNOWN)

    assert (said, text_of(work / "new.txt"), tap.complaints) == ("Done.", EDITED, [])


@WIRES
def test_it_runs_a_script_by_a_tool_of_a_group(tmp_path: Path, wire: Any, kind: str) -> None:
    script = 'const r = await tools.exec_command({cmd: "cat hello.txt"}); text(r.output);'
    router = routed(wire, kind, calling(ToolCall("exec", {"input": script})), "Read.")

    with Wiretap(router) as tap:
        said = codex(tap.url, desk(tmp_path), model=GROUPED)

    sent = router.upstreams["local"].calls[1].raw.decode()
    assert (said, "word is Zebra" in sent, tap.complaints) == ("Read.", True, [])


def test_a_call_that_the_model_wrote_as_text_is_made(tmp_path: Path) -> None:
    work = desk(tmp_path)
    written = '<tool_call>{"name": "exec_command", "arguments": {"cmd": "echo Gnu > new.txt"}}</tool_call>'

    with Wiretap(routed(*CHAT, written, "Done.")) as tap:
        said = codex(tap.url, work)

    assert (said, text_of(work / "new.txt"), tap.complaints) == ("Done.", "Gnu\n", [])


@WIRES
@pytest.mark.parametrize(
    "failure", [ProviderError("overloaded", status=529), ProviderError("no", status=401)]
)
def test_it_never_notices_a_fallback(tmp_path: Path, wire: Any, kind: str, failure: Step) -> None:
    router = routed(wire, kind, failure)

    with Wiretap(router) as tap:
        said = codex(tap.url, desk(tmp_path))

    tried = len(router.upstreams["local"].calls)
    assert (said, tried, tap.complaints) == ("from the cloud", 1, [])


@WIRES
@pytest.mark.parametrize(
    "failure", [CutAfter(6), CutAfter(6, rst=True), ErrorAfter(6)], ids=["cut", "reset", "error"]
)
def test_it_recovers_from_a_stream_that_breaks(tmp_path: Path, wire: Any, kind: str, failure: Step) -> None:
    with Wiretap(routed(wire, kind, [failure, "Recovered."])) as tap:
        said = codex(tap.url, desk(tmp_path))

    assert (said, tap.complaints) == ("Recovered.", [])


@WIRES
def test_thoughts_come_back_to_the_provider_that_signed_them(tmp_path: Path, wire: Any, kind: str) -> None:
    router = routed(wire, kind, calling(ToolCall("exec_command", {"cmd": "true"}), thinking="HM."), "Done.")

    said = codex(router.url, desk(tmp_path))

    thought = b"HM." in router.upstreams["local"].calls[1].raw
    assert (said, thought) == ("Done.", kind == "anthropic")


def test_it_knows_a_prompt_that_is_too_long_by_any_servers_words(tmp_path: Path) -> None:
    words = "request (9010 tokens) exceeds the available context size (4096 tokens), try increasing it"
    router = routed(*CHAT, ProviderError(words, status=400))

    assert "ran out of room in the model's context window" in codex(router.url, desk(tmp_path))
