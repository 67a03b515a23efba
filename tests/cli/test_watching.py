"""``coderouter stats`` of a running router: printed once, and live on a terminal."""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any

import pytest

from coderouter_core.cli.stats.facts import read
from coderouter_core.cli.stats.live import Screen
from coderouter_core.cli.stats.page import SORTS, View, page
from coderouter_core.testing import CutAfter, ProviderError, Script, ServedRouter, make_router

PATIENCE_S = 20.0


def plugin(name: str) -> Any:
    """The installed plugin of this name; found as the router finds it."""
    [entry] = entry_points(group="coderouter.plugins", name=name)
    return entry.load()()


PRICED = {"input_tokens_per_million": 3, "output_tokens_per_million": 15, "monthly_budget_usd": 5}


@pytest.fixture(scope="module")
def router() -> Iterator[ServedRouter]:
    """One whose local provider failed twice and whose cloud provider has a price and a budget."""
    script = Script(
        local=[ProviderError("the boiler burst", status=500), "fine", CutAfter(3), "fine"], cloud="there"
    )
    with make_router(
        plugin("metrics"),
        plugin("budget"),
        script,
        providers={"cloud": {"cost": PRICED}},
        display_timezone="Asia/Tokyo",
    ) as served:
        served.ask()
        served.ask(stream=True)
        served.ask(stream=True)
        served.ask(dialect="chat")
        yield served


@pytest.fixture
def document(router: ServedRouter) -> dict[str, Any]:
    answer: dict[str, Any] = router.client.get("/metrics.json").json()
    return answer


def once(router: ServedRouter, *words: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "coderouter_core",
        "stats",
        "--url",
        f"{router.url}/metrics.json",
        *words,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


class Terminal:
    """`coderouter stats` on a terminal of its own, of 24 lines of 80 columns."""

    def __init__(self, url: str, **environ: str) -> None:
        self.master, slave = pty.openpty()
        self.resize(24, 80)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "coderouter_core", "stats", "--url", url, "--interval", "0.1"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm-256color", **environ},
            start_new_session=True,
        )
        os.close(slave)
        self.said = ""

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def sees(self, words: str) -> bool:
        """Whether `words` come, in what is written from now on."""
        self.said = ""
        deadline = time.monotonic() + PATIENCE_S
        while words not in self.said and time.monotonic() < deadline:
            if not select.select([self.master], [], [], 0.2)[0]:
                continue
            try:
                said = os.read(self.master, 65536).decode("utf-8", "replace")
            except OSError:
                break
            self.said += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said)
        return words in self.said

    def left(self) -> int:
        """The exit code, when it has ended."""
        self.sees("what is never written")
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.fixture
def terminal(router: ServedRouter) -> Iterator[Terminal]:
    opened = Terminal(f"{router.url}/metrics.json")
    yield opened
    opened.close()


# ---- once


def test_without_a_terminal_it_prints_once(router: ServedRouter) -> None:
    done = once(router)

    assert (done.returncode, done.stdout.startswith("CodeRouter  profile default  up ")) == (0, True)


def test_the_areas_of_before_have_their_names(router: ServedRouter) -> None:
    lines = once(router, "--once").stdout.splitlines()

    assert all(
        any(line.startswith(name) for line in lines) for name in ("Providers", "Fallback & Gates", "Recent")
    )


def test_the_figures_are_those_of_the_router(router: ServedRouter, document: dict[str, Any]) -> None:
    said = once(router).stdout
    counters = document["counters"]

    attempts = sum(counters["provider_attempts"].values())
    assert f"{counters['requests_total']} requests  {attempts} attempts" in said


def test_the_figures_are_those_of_the_ledger(router: ServedRouter, document: dict[str, Any]) -> None:
    facts = read(document)
    usages = [attempt.usage for attempt in router.attempts]

    assert (facts.attempts, facts.input_tokens, facts.output_tokens) == (
        len(usages),
        sum(usage.prompt for usage in usages),
        sum(usage.output for usage in usages),
    )


def test_money_is_that_of_the_attempts(router: ServedRouter, document: dict[str, Any]) -> None:
    costs = [attempt.cost.usd for attempt in router.attempts if attempt.cost and attempt.cost.usd]

    assert read(document).cost_usd == pytest.approx(sum(costs), abs=1e-6)


def test_both_failures_are_counted(document: dict[str, Any]) -> None:
    [local] = [row for row in read(document).rows if row.name == "local"]

    assert (local.failed, local.error_status is not None or bool(local.error)) == (2, True)


def test_times_are_those_of_the_configured_zone(document: dict[str, Any]) -> None:
    first = document["recent"][-1]["ts"]
    hour = (int(first[11:13]) + 9) % 24

    assert read(document).recent[0].at == f"{hour:02d}{first[13:19]}"


def test_a_terminal_does_not_act_upon_what_an_upstream_said(document: dict[str, Any]) -> None:
    (entry, *others) = document["providers"]
    entry = {**entry, "last_error": {"status": 500, "error": "no\x1b[2J\nnext\u202e"}}

    rows = read({**document, "providers": [entry, *others]}).rows

    assert next(row.error for row in rows if row.name == entry["name"]) == "no\ufffd[2J next\ufffd"


def test_a_budget_has_a_bar(router: ServedRouter) -> None:
    assert re.search(r"budget +cloud +[#.]{16} \$0\.\d+ of \$5\.00", once(router).stdout)


def test_json_is_the_routers_own(router: ServedRouter) -> None:
    assert '"requests_total": 4' in once(router, "--json").stdout


def test_a_router_without_the_plugin_is_told_how_to_get_it() -> None:
    with make_router(Script(local="hi")) as plain:
        done = once(plain)

    assert (done.returncode, "pip install 'coderouter-core[metrics]'" in done.stderr) == (2, True)


def test_a_router_with_keys_asks_for_one() -> None:
    key = "a-long-enough-secret-key"
    digest = hashlib.sha256(key.encode()).hexdigest()
    with make_router(
        plugin("metrics"), Script(local="hi"), auth={"keys": [{"name": "me", "sha256": digest}]}
    ) as kept:
        refused, let_in = once(kept), once(kept, "--key", key)

    assert (refused.returncode, "--key or CODEROUTER_KEY" in refused.stderr, let_in.returncode) == (
        2,
        True,
        0,
    )


# ---- live


def test_it_fills_a_terminal(terminal: Terminal) -> None:
    assert terminal.sees("q quit")
    assert terminal.sees("Fallback & Gates")


@pytest.mark.parametrize("key", ["q", "\x03"], ids=["q", "ctrl-c"])
def test_it_is_left_by_a_key(terminal: Terminal, key: str) -> None:
    terminal.sees("q quit")
    terminal.press(key)

    assert terminal.left() == 0


def test_it_pauses(terminal: Terminal) -> None:
    terminal.sees("q quit")
    terminal.press("p")

    assert terminal.sees("paused")


def test_it_shows_failures_only(terminal: Terminal) -> None:
    terminal.sees("q quit")
    terminal.press("f")

    assert terminal.sees("Recent failures")


def test_it_explains_its_keys(terminal: Terminal) -> None:
    terminal.sees("q quit")
    terminal.press("?")

    assert terminal.sees("sort by the next column")


def test_new_requests_appear(router: ServedRouter, terminal: Terminal) -> None:
    terminal.sees("q quit")
    count = router.client.get("/metrics.json").json()["counters"]["requests_total"]
    router.ask()

    assert terminal.sees(f"{count + 1} requests")


def test_it_follows_the_size_of_its_window(terminal: Terminal) -> None:
    terminal.sees("q quit")
    terminal.resize(40, 160)
    terminal.process.send_signal(signal.SIGWINCH)

    # A column that 80 are too few for.
    assert terminal.sees("cached")


def test_it_says_that_the_router_is_away() -> None:
    with make_router(plugin("metrics"), Script(local="hi")) as first:
        terminal = Terminal(f"{first.url}/metrics.json")
        try:
            seen = [terminal.sees("q quit")]
            first.close()
            seen.append(terminal.sees("away since"))
        finally:
            terminal.close()

    assert seen == [True, True]


# ---- the screen, without a terminal


def screen(document: dict[str, Any]) -> Screen:
    made = Screen()
    made.take(document)
    return made


def test_sorting_goes_round(document: dict[str, Any]) -> None:
    made = screen(document)
    seen = []
    for _ in SORTS:
        made.press("s")
        seen.append(made.view.sort)

    assert seen == [*list(SORTS)[1:], "configured"]


def test_the_provider_that_failed_most_can_stand_first(document: dict[str, Any]) -> None:
    text = "\n".join(line.plain for line in page(read(document), View(sort="failed")))

    assert text.index("\nlocal ") < text.index("\ncloud ")


def test_a_chosen_provider_tells_its_last_error(document: dict[str, Any]) -> None:
    made = screen(document)
    made.press("down")

    assert any(line.plain.startswith("    last error: ") for line in made.lines(120, 40))


def test_one_step_past_the_end_chooses_nobody(document: dict[str, Any]) -> None:
    made = screen(document)
    for _ in range(3):
        made.press("down")

    assert made.view.selected is None


@pytest.mark.parametrize(("width", "height"), [(20, 5), (80, 24), (200, 60)])
def test_the_screen_is_as_large_as_its_window(document: dict[str, Any], width: int, height: int) -> None:
    lines = screen(document).lines(width, height)

    assert (len(lines), max(line.cell_len for line in lines) <= width) == (height, True)


def test_a_lost_router_leaves_the_last_picture(document: dict[str, Any]) -> None:
    made = screen(document)
    made.lose("gone fishing", dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC))
    text = "\n".join(line.plain for line in made.lines(100, 30))

    assert ("Providers" in text, "away since 03:04:05: gone fishing" in text) == (True, True)


def test_a_chain_that_changed_is_shown_with_its_reason(document: dict[str, Any]) -> None:
    changed = {
        "profile": "default",
        "configured": ["local", "cloud"],
        "effective": ["cloud"],
        "rejected": [{"provider": "local", "plugin": "memory-pressure", "reason": "it rests"}],
        "demoted": [],
    }
    text = "\n".join(line.plain for line in page(read({**document, "chains": [changed]}), View()))

    assert ("cloud  (configured local > cloud)" in text, "local: it rests" in text) == (True, True)
