"""What the tests of agents share: a model that works, the router before it, and a way to run a command line."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from coderouter_adapter_anthropic import Anthropic
from coderouter_adapter_openai_compat import OpenAICompat
from coderouter_filter_tool_repair import ToolRepairPlugin

from coderouter_core.testing import Depends, Reply, Script, ServedRouter, Step, ToolCall, make_router

#: Where npm has put the clients of ``package.json``.
CLIENTS = Path(os.environ["E2E_CLIENTS"])
#: A bound, not a wait: seconds that a command line may take.
PATIENCE_S = 90
#: What is in ``work/hello.txt`` when an agent starts, and what the model writes and makes of it.
FOUND, WRITTEN, EDITED = "The word is Zebra.\n", "The word is Ibex.\n", 'The word is "Yak" 🎉.\n'
OLD, NEW = "Ibex", '"Yak" 🎉'
#: One red dot.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)

WIRES = pytest.mark.parametrize(
    ("wire", "kind"),
    [
        pytest.param(Script.chat, "openai-compat", id="chat-upstream"),
        pytest.param(Script.messages, "anthropic", id="messages-upstream"),
    ],
)

#: A first provider that speaks chat, where the wire makes no difference.
CHAT = (Script.chat, "openai-compat")


class Model:
    """Answers by what the conversation holds: `turns` are taken by the number of tool results in it.

    The last turn repeats. A turn that is a list is for repeated requests: its first step for the first, and so
    on. A request without tools, as for the title of a conversation, takes nothing from it and gets the last answer.
    """

    def __init__(self, *turns: str | Step | list[str | Step]) -> None:
        self._turns = [list(turn) if isinstance(turn, list) else [turn] for turn in turns]

    def __call__(self, asked: Mapping[str, Any]) -> str | Step:
        if not asked.get("tools"):
            return self._turns[-1][-1]
        turn = self._turns[min(results(asked), len(self._turns) - 1)]
        return turn.pop(0) if len(turn) > 1 else turn[0]


def results(asked: Mapping[str, Any]) -> int:
    """How many results of tools a request holds, in either dialect."""
    turns = asked["messages"]
    blocks = [block for turn in turns if isinstance(turn.get("content"), list) for block in turn["content"]]
    return sum(turn["role"] == "tool" for turn in turns) + sum(
        block["type"] == "tool_result" for block in blocks
    )


def command(name: str) -> str:
    """The path of a client's command line."""
    return str(CLIENTS / "node_modules" / ".bin" / name)


def calling(*calls: ToolCall, text: str = "", thinking: str = "") -> Reply:
    """A turn that calls tools, its arguments in pieces."""
    return Reply(text, thinking=thinking, calls=calls, chunk=7)


def routed(wire: Any, kind: str, *turns: str | Step | list[str | Step], **keys: Any) -> ServedRouter:
    """A model behind a provider that speaks one dialect, and another one behind it that speaks chat.

    Both are spoken to by the real adapters; `keys` are the first provider's.
    """
    return make_router(
        OpenAICompat(),
        Anthropic(),
        ToolRepairPlugin(),
        Script(local=wire(Depends(Model(*turns))), cloud=Script.chat("from the cloud")),
        providers={"local": {"kind": kind, **keys}, "cloud": {"kind": "openai-compat"}},
    )


def desk(folder: Path) -> Path:
    """The folder that an agent works in, with one file."""
    work = folder / "work"
    work.mkdir()
    (work / "hello.txt").write_text(FOUND)
    return work


def text_of(path: Path) -> str | None:
    """What is in a file; None where there is none."""
    return path.read_text() if path.exists() else None


def run(command: Sequence[str], work: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command line with a home of its own, from which nothing but this machine can be reached."""
    home = work.parent / f"home of {work.name}"
    home.mkdir(exist_ok=True)
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE_S,
        cwd=work,
        check=False,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "HTTP_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1",
            **settings,
        },
    )
