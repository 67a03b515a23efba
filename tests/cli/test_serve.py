"""`coderouter serve` as a process: what it reads, whom it answers, how it ends."""

from __future__ import annotations

import signal
import socket
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from coderouter_core.testing import Reply, Upstream

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine


def config(upstream: Upstream, more: str = "") -> str:
    return f"""\
default_profile: main
ledger: {{url: "memory:"}}
{more}
providers:
  - {{name: box, base_url: "{upstream.url}/v1", model: m, api_key_env: BOX_API_KEY}}
profiles:
  - {{name: main, providers: [box]}}
  - {{name: other, providers: [box]}}
mode_aliases: {{quick: other}}
"""


def written(coderouter: CommandLine, upstream: Upstream, more: str = "") -> Path:
    return coderouter.write("router.yaml", config(upstream, more))


def test_it_answers_from_the_configured_provider(coderouter: CommandLine) -> None:
    with Upstream("hello") as upstream:
        serving = coderouter.serve("--config", written(coderouter, upstream), BOX_API_KEY="box-key")

        answer = serving.ask()

    assert answer.json()["content"][0]["text"] == "hello"


def test_without_config_the_file_in_the_home_directory_is_read(coderouter: CommandLine) -> None:
    with Upstream("hello") as upstream:
        coderouter.write(".coderouter/providers.yaml", config(upstream))

        answer = coderouter.serve(BOX_API_KEY="box-key").ask()

    assert answer.headers["x-coderouter-provider"] == "box"


def test_mode_chooses_the_default_profile(coderouter: CommandLine) -> None:
    with Upstream("hello") as upstream:
        file = written(coderouter, upstream)

        answer = coderouter.serve("--config", file, "--mode", " quick ", BOX_API_KEY="box-key").ask()

    assert answer.headers["x-coderouter-profile"] == "other"


def test_an_unknown_mode_is_told_as_it_was_given(coderouter: CommandLine) -> None:
    with Upstream("hello") as upstream:
        file = written(coderouter, upstream)

    told = coderouter.run("serve", "--config", file, "--mode", "lage").stderr

    assert told.startswith("--mode: no profile or mode alias is named 'lage'")


def test_blank_mode_is_no_mode(coderouter: CommandLine) -> None:
    with Upstream("hello") as upstream:
        file = written(coderouter, upstream)

        answer = coderouter.serve("--config", file, "--mode", " ", BOX_API_KEY="box-key").ask()

    assert answer.headers["x-coderouter-profile"] == "main"


def test_the_startup_event_is_logged_for_machines(coderouter: CommandLine) -> None:
    with Upstream("hello") as upstream:
        serving = coderouter.serve("--config", written(coderouter, upstream))

        assert '"default_profile":"main"' in serving.line("coderouter-startup")


def test_log_level_governs_the_event_log(coderouter: CommandLine) -> None:
    with Upstream("hello") as upstream:
        serving = coderouter.serve("--config", written(coderouter, upstream), "--log-level", "WARNING")
        serving.ask()
        serving.stop()

    # The one line for people, and the warning that the key is not set.
    assert [line for line in serving.lines if '"level":"info"' in line] == []
    assert serving.line("skip-missing-key")


def test_variables_of_an_env_file_reach_the_providers(coderouter: CommandLine) -> None:
    keys = coderouter.write("keys.env", "BOX_API_KEY=from-the-file\n")
    with Upstream("hello") as upstream:
        serving = coderouter.serve("--config", written(coderouter, upstream), "--env-file", keys)
        serving.ask()

    assert upstream.calls[0].headers["authorization"] == "Bearer from-the-file"


def test_what_an_env_file_sets_is_told_by_name_alone(coderouter: CommandLine) -> None:
    keys = coderouter.write("keys.env", "BOX_API_KEY=from-the-file\n")
    with Upstream("hello") as upstream:
        file = written(coderouter, upstream)

        said = coderouter.run("serve", "--config", file, "--env-file", keys, "--print-config").stderr

    assert (said.count("BOX_API_KEY"), said.count("from-the-file")) == (1, 0)


def test_the_environment_wins_over_an_env_file_unless_told_otherwise(coderouter: CommandLine) -> None:
    keys = coderouter.write("keys.env", "BOX_API_KEY=from-the-file\n")
    with Upstream("hello") as upstream:
        words = ("--config", written(coderouter, upstream), "--env-file", keys)
        coderouter.serve(*words, BOX_API_KEY="from-outside").ask()
        coderouter.serve(*words, "--env-file-override", BOX_API_KEY="from-outside").ask()

    sent = [call.headers["authorization"] for call in upstream.calls]
    assert sent == ["Bearer from-outside", "Bearer from-the-file"]


def test_a_wrong_env_file_ends_the_start_with_1(coderouter: CommandLine) -> None:
    keys = coderouter.write("keys.env", "GOOD=1\nno assignment\n")

    done = coderouter.run("serve", "--env-file", keys)

    assert (done.returncode, done.stderr.partition(f"{keys}:2: ")[0]) == (1, "serve: --env-file: ")


def test_a_missing_env_file_ends_the_start_with_1(coderouter: CommandLine) -> None:
    done = coderouter.run("serve", "--env-file", "missing.env")

    assert (done.returncode, done.stderr.startswith("serve: --env-file: missing.env: ")) == (1, True)


def test_all_problems_of_a_configuration_are_told_without_a_traceback(coderouter: CommandLine) -> None:
    file = coderouter.write(
        "bad.yaml",
        "providers:\n  - {name: box, base_url: nowhere, model: m}\nprofiles:\n  - {name: default, providers: [bax]}\n",
    )

    done = coderouter.run("serve", "--config", file)

    places = [line.partition(": ")[0].removeprefix(f"{file}:") for line in done.stderr.splitlines()]
    assert (done.returncode, places) == (2, ["2:27", "4:33"])


def test_a_config_that_is_not_there_is_an_error(coderouter: CommandLine) -> None:
    with Upstream("hello") as upstream:
        coderouter.write(".coderouter/providers.yaml", config(upstream))

        done = coderouter.run("serve", "--config", "elsewhere.yaml")

    assert (done.returncode, done.stderr) == (
        2,
        "--config: there is no file 'elsewhere.yaml'; correct the path, or leave it out\n",
    )


def test_a_port_in_use_ends_with_1_and_says_what_to_do(coderouter: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, Upstream("hello") as upstream:
        port = taken.getsockname()[1]

        done = coderouter.run("serve", "--config", written(coderouter, upstream), "--port", str(port))

    assert (done.returncode, done.stderr) == (
        1,
        f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another with --port or --host\n",
    )


def test_without_keys_it_refuses_to_listen_beyond_this_machine(coderouter: CommandLine) -> None:
    with Upstream("hello") as upstream:
        done = coderouter.run("serve", "--config", written(coderouter, upstream), "--host", "0.0.0.0")

    assert (done.returncode, "auth: {keys:" in done.stderr) == (2, True)


def test_insecure_is_a_warning(coderouter: CommandLine) -> None:
    # The port is in use, so that nothing is really opened to the network.
    with socket.create_server(("0.0.0.0", 0)) as taken, Upstream("hello") as upstream:
        words = ("--host", "0.0.0.0", "--port", str(taken.getsockname()[1]), "--insecure")

        done = coderouter.run("serve", "--config", written(coderouter, upstream), *words)

    assert (done.returncode, done.stderr.partition(":")[0]) == (1, "--insecure")


def test_with_keys_it_may_listen_beyond_this_machine(coderouter: CommandLine) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken, Upstream("hello") as upstream:
        file = written(coderouter, upstream, "auth: {keys: [CLIENT_KEY]}")
        words = ("--host", "0.0.0.0", "--port", str(taken.getsockname()[1]))

        done = coderouter.run("serve", "--config", file, *words, CLIENT_KEY="a-client-key")

    assert (done.returncode, done.stderr.partition(" on ")[0]) == (1, "cannot listen")


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=["sigterm", "sigint", "sighup"]
)
def test_told_to_stop_it_ends_with_0(coderouter: CommandLine, number: int) -> None:
    with Upstream("hello") as upstream:
        serving = coderouter.serve("--config", written(coderouter, upstream))
        serving.line("coderouter-startup")

        assert serving.stop(number) == 0


def test_an_answer_under_way_is_finished_before_it_ends(coderouter: CommandLine) -> None:
    answers: list[httpx.Response] = []
    with Upstream(Reply("late, but whole", first_delay_s=0.5)) as upstream:
        serving = coderouter.serve("--config", written(coderouter, upstream), BOX_API_KEY="box-key")
        asking = threading.Thread(target=lambda: answers.append(serving.ask()))
        asking.start()
        upstream.wait_calls(1)

        code = serving.stop()
        asking.join()

    assert (code, answers[0].json()["content"][0]["text"]) == (0, "late, but whole")


def test_print_config_prints_the_file_and_serves_nothing(coderouter: CommandLine) -> None:
    with Upstream("hello") as upstream:
        done = coderouter.run("serve", "--config", written(coderouter, upstream), "--print-config")

    assert (done.returncode, done.stdout) == (0, config(upstream))
