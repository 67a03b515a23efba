"""`coderouter demo`, with its real model. The weights are the user's own, fetched the first time."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import unicodedata
from typing import TYPE_CHECKING

import pytest

from coderouter_core.cli.demo.asking import Told
from coderouter_core.cli.demo.setting import config_text
from coderouter_core.config import parse
from coderouter_core.errors import ConfigError
from coderouter_core.model import StreamEvent, Usage

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine


def acts(show: subprocess.CompletedProcess[str]) -> list[str]:
    """What was shown of each request."""
    pieces = re.split(r"^\d  ", show.stdout.partition("Your own client")[0], flags=re.MULTILINE)
    return pieces[1:]


def test_the_show_comes_to_its_end(show: subprocess.CompletedProcess[str]) -> None:
    assert (show.returncode, show.stderr) == (0, "")


def test_anthropic_and_openai_clients_ask_the_same_port(show: subprocess.CompletedProcess[str]) -> None:
    asked = [re.findall(r"POST (\S+)", act) for act in acts(show)]

    assert asked == [["/v1/messages"], ["/v1/chat/completions"], ["/v1/messages"]]


def test_every_answer_has_text(show: subprocess.CompletedProcess[str]) -> None:
    texts = [re.findall(r"^  > .+?\n\n(.+?)\n\n  route", act, re.DOTALL | re.MULTILINE) for act in acts(show)]

    assert [len(text) for text in texts] == [1, 1, 1]


@pytest.mark.parametrize(
    "fact",
    [
        pytest.param(r"^  route +\S+, attempt \d$", id="route"),
        pytest.param(r"^  tokens +[1-9]\d* in, [1-9]\d* out, \d+ a second$", id="tokens"),
        pytest.param(r"^  first token +after \d+\.\d\d s$", id="first-token"),
        pytest.param(r"^  router's own +\d+\.\d\d ms of that$", id="overhead"),
    ],
)
def test_every_answer_is_measured(show: subprocess.CompletedProcess[str], fact: str) -> None:
    assert [len(re.findall(fact, act, re.MULTILINE)) for act in acts(show)] == [1, 1, 1]


def test_the_refusing_provider_is_told_as_the_reason(show: subprocess.CompletedProcess[str]) -> None:
    reasons = [re.findall(r"^  fallback +(\w+): connection refused", act, re.MULTILINE) for act in acts(show)]

    assert reasons == [[], [], ["unreachable"]]


def test_clients_are_pointed_at_the_port_that_was_served(show: subprocess.CompletedProcess[str]) -> None:
    (port,) = re.findall(r"listens on http://127\.0\.0\.1:(\d+)", show.stdout)

    assert f"ANTHROPIC_BASE_URL=http://127.0.0.1:{port} " in show.stdout


def test_what_is_piped_holds_no_control_characters(show: subprocess.CompletedProcess[str]) -> None:
    assert [char for char in show.stdout if char != "\n" and unicodedata.category(char) == "Cc"] == []


def test_what_is_piped_is_not_filled_up_with_blanks(show: subprocess.CompletedProcess[str]) -> None:
    assert [line for line in show.stdout.splitlines() if line != line.rstrip()] == []


def test_on_a_terminal_it_serves_on_until_it_is_interrupted(coderouter: CommandLine) -> None:
    outside, inside = pty.openpty()
    process = coderouter.start("demo", stdout=inside, XDG_CACHE_HOME=coderouter.cache)
    os.close(inside)
    serving = coderouter.listen_to(process, os.fdopen(outside))
    serving.line("Serving until")

    answer = serving.ask()

    assert (answer.headers["x-coderouter-profile"], serving.stop(signal.SIGINT)) == ("demo", 0)


def test_interrupted_in_the_middle_it_says_so(coderouter: CommandLine) -> None:
    process = coderouter.start("demo", XDG_CACHE_HOME=coderouter.cache)
    assert process.stdout
    while "listens on" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)

    _, said = process.communicate(timeout=30)

    assert (process.returncode, said) == (1, "the demo was stopped before its end\n")


def test_when_nobody_reads_any_more_it_ends_without_a_word(coderouter: CommandLine) -> None:
    process = coderouter.start("demo", XDG_CACHE_HOME=coderouter.cache)
    assert process.stdout
    while "listens on" not in process.stdout.readline():
        pass
    process.stdout.close()
    assert process.stderr

    assert (process.stderr.read(), process.wait(30)) == ("", 1)


def test_without_weights_and_without_fetching_the_command_that_fetches_is_told(
    coderouter: CommandLine,
) -> None:
    done = coderouter.run("demo", "--no-fetch", XDG_CACHE_HOME=str(coderouter.home))

    assert (done.returncode, done.stderr) == (
        1,
        "the weights of the embedded model are not here; run: coderouter embedded fetch\n",
    )


def test_without_the_plugin_the_command_that_installs_it_is_told(coderouter: CommandLine) -> None:
    done = coderouter.run("demo", CODEROUTER_DISABLE="embedded")

    assert (done.returncode, done.stderr.partition("run: ")[2]) == (
        1,
        "pip install 'coderouter-core[embedded]'\n",
    )


def test_a_taken_port_is_told(coderouter: CommandLine) -> None:
    taken = coderouter.serve(ANTHROPIC_API_KEY="none", ALLOW_PAID="1").url.rpartition(":")[2]

    done = coderouter.run("demo", "--port", taken, XDG_CACHE_HOME=coderouter.cache)

    assert (done.returncode, done.stderr.partition(";")[0]) == (
        1,
        f"cannot listen on 127.0.0.1:{taken}: Address already in use",
    )


def test_the_demos_configuration_needs_nothing_of_the_plugin_but_its_kind() -> None:
    with pytest.raises(ConfigError) as told:
        parse(config_text("tiny", 1), "(demo)", [], {})

    assert {problem.path for problem in told.value.problems} == {"providers[0].kind", "providers[1].kind"}


def test_speed_is_of_the_tokens_after_the_first() -> None:
    told = Told()
    told.take(StreamEvent("delta", text="a"), 2.0)
    told.take(StreamEvent("delta", text="b"), 4.0)
    told.take(StreamEvent("usage", usage=Usage(output=11)), 4.0)

    assert (told.first_s, told.tokens_per_s) == (2.0, 5.0)


def test_an_answer_of_one_token_has_no_speed() -> None:
    told = Told()
    told.take(StreamEvent("delta", text="a"), 2.0)
    told.take(StreamEvent("usage", usage=Usage(output=1)), 2.0)

    assert told.tokens_per_s is None
