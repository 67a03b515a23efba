"""What a served router writes: to stderr, and to the file that the environment names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from coderouter_core.testing import ProviderError, Upstream

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine

CONFIG = """\
ledger: {{url: "memory:"}}
auth: {{keys: [TEAM_API_KEY]}}
providers: [{{name: box, base_url: "{url}/v1?token=canary-in-the-query", model: m, api_key_env: BOX_API_KEY}}]
profiles: [{{name: default, providers: [box]}}]
"""
KEYS = {"TEAM_API_KEY": "sk-canary-of-a-client", "BOX_API_KEY": "sk-canary-of-a-provider"}
QUOTING = ProviderError("sk-canary-of-a-provider and canary-in-the-query are not known", status=401)


def lines_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_workers_write_the_lines_of_stderr_to_one_file_of_which_none_holds_a_key(
    coderouter: CommandLine,
) -> None:
    with Upstream([QUOTING]) as upstream:
        serving = coderouter.serve(
            "--config",
            coderouter.write("router.yaml", CONFIG.format(url=upstream.url)),
            *("--workers", "2", "--log-level", "debug"),
            CODEROUTER_EVENTS_PATH="~/logs/events.jsonl",
            **KEYS,
        )
        statuses = [serving.ask({"x-api-key": KEYS["TEAM_API_KEY"]}).status_code for _ in range(4)]
        serving.stop()
        serving.line("coderouter-shutdown")

    file = coderouter.home / "logs" / "events.jsonl"
    written = lines_in(file)
    shown = [json.loads(line) for line in serving.lines if line.startswith("{")]
    assert statuses == [401] * 4
    assert sorted(map(str, written)) == sorted(map(str, shown))
    assert [line["msg"] for line in written].count("request-finished") == 4
    assert "canary" not in "".join([*serving.lines, file.read_text()])


def test_log_level_governs_the_file_too(coderouter: CommandLine) -> None:
    with Upstream(["hello"]) as upstream:
        serving = coderouter.serve(
            "--config",
            coderouter.write("router.yaml", CONFIG.format(url=upstream.url)),
            *("--log-level", "error"),
            CODEROUTER_EVENTS_PATH="~/events.jsonl",
            **KEYS,
        )
        serving.ask({"x-api-key": KEYS["TEAM_API_KEY"]})
        serving.stop()

    assert lines_in(coderouter.home / "events.jsonl") == []


def test_a_file_that_cannot_be_written_ends_the_start_with_what_to_do(coderouter: CommandLine) -> None:
    file = coderouter.write("router.yaml", CONFIG.format(url="http://127.0.0.1:9"))

    ended = coderouter.run("serve", "--config", file, "--port", "0", CODEROUTER_EVENTS_PATH="~", **KEYS)

    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False)
    assert "CODEROUTER_EVENTS_PATH: '~': is a directory; name a file that can be written" in ended.stderr
