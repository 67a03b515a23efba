"""The live screen: a page that renews itself, and keys."""

from __future__ import annotations

import datetime as dt
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from attrs import define, evolve, field
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from coderouter_core.cli import Mistake
from coderouter_core.cli.stats.facts import Facts, read
from coderouter_core.cli.stats.page import SORTS, View, page, shown
from coderouter_core.cli.stats.source import Source, UnreachableError

#: Seconds that a key may wait for the screen.
TICK_S = 0.1
HELP = (
    ("q", "quit"),
    ("r", "look again now"),
    ("p", "pause, and go on"),
    ("f", "failures only"),
    ("s", "sort by the next column"),
    ("up, down", "choose a provider, to see why it is as it is"),
    ("?", "these keys"),
)
_ARROWS = {b"\x1b[A": "up", b"\x1b[B": "down", b"\x1bOA": "up", b"\x1bOB": "down"}
_KEYS = {b"\x03": "q", b"\x1b": "q"}


@define
class Screen:
    """What is seen, and what keys have changed."""

    facts: Facts | None = None
    view: View = field(factory=View)
    paused: bool = False
    helping: bool = False
    away: str = ""
    away_since: dt.datetime | None = None
    leaving: bool = False
    asking: bool = True

    def press(self, key: str) -> None:
        """Do what a key says; others do nothing."""
        if key == "q":
            self.leaving = True
        elif key == "r":
            self.asking = True
        elif key == "p":
            self.paused = not self.paused
        elif key == "f":
            self.view = evolve(self.view, failures_only=not self.view.failures_only)
        elif key == "s":
            order = list(SORTS)
            self.view = evolve(self.view, sort=order[(order.index(self.view.sort) + 1) % len(order)])
        elif key in ("up", "down") and self.facts is not None:
            self._choose(self.facts, 1 if key == "down" else -1)
        elif key == "?":
            self.helping = not self.helping

    def _choose(self, facts: Facts, step: int) -> None:
        names = [row.name for row in shown(facts, self.view)]
        if not names:
            return
        selected = self.view.selected
        at = names.index(selected) + step if selected in names else (0 if step > 0 else len(names) - 1)
        # One step past either end chooses nobody.
        self.view = evolve(self.view, selected=names[at] if 0 <= at < len(names) else None)

    def take(self, document: dict[str, Any]) -> None:
        """New figures came."""
        self.facts, self.away, self.away_since = read(document), "", None

    def lose(self, why: str, now: dt.datetime) -> None:
        """The router does not answer; what was seen last stays."""
        self.away, self.away_since = why, self.away_since or now

    def lines(self, width: int, height: int) -> list[Text]:
        """The screen, cut to its size; the last line tells how things stand."""
        if self.helping:
            body = [Text("Keys", style="bold"), *(Text(f"  {key:<10}{what}") for key, what in HELP)]
        elif self.facts is None:
            body = [
                Text("waiting for the router …" if not self.away else "nothing was seen yet", style="dim")
            ]
        else:
            view = evolve(self.view, width=width, recent=0)
            above = len(page(self.facts, view))
            body = page(self.facts, evolve(view, recent=height - above - 1))
        lines = body[: height - 1]
        lines += [Text()] * (height - 1 - len(lines))
        return [*(_fitted(line, width) for line in lines), _fitted(self._foot(), width)]

    def _foot(self) -> Text:
        if self.away_since is not None:
            since = self.away_since.strftime("%H:%M:%S")
            return Text(f"away since {since}: {self.away}", style="bold red")
        state = Text("paused  ", style="bold yellow") if self.paused else Text()
        return state.append("q quit  r refresh  p pause  f failures  s sort  ? help", style="dim")


def watch(source: Source, interval_s: float, *, colour: bool) -> None:
    """Show the screen until the user leaves it. Raises `Mistake` where a terminal cannot be read by the key."""
    console = Console(no_color=not colour, highlight=False)
    screen = Screen()
    # Not as a context: that would wait for a router that does not answer, after the user has left.
    fetching = ThreadPoolExecutor(1, thread_name_prefix="coderouter-stats")
    try:
        with _keys() as keys, Live(console=console, screen=True, auto_refresh=False) as live:
            _run(screen, source, interval_s, fetching, keys, live)
    finally:
        fetching.shutdown(wait=False, cancel_futures=True)


def _run(
    screen: Screen,
    source: Source,
    interval_s: float,
    fetching: ThreadPoolExecutor,
    keys: Iterator[str | None],
    live: Live,
) -> None:
    coming: Future[dict[str, Any]] | None = None
    due = 0.0
    while not screen.leaving:
        if coming is not None and coming.done():
            try:
                screen.take(coming.result())
            except UnreachableError as error:
                screen.lose(str(error), dt.datetime.now().astimezone())
            coming = None
        if coming is None and (screen.asking or (not screen.paused and time.monotonic() >= due)):
            coming, screen.asking = fetching.submit(source.fetch), False
            due = time.monotonic() + interval_s
        size = live.console.size
        live.update(Group(*screen.lines(size.width, size.height)), refresh=True)
        key = next(keys)
        if key is not None:
            screen.press(key)


@contextmanager
def _keys() -> Iterator[Iterator[str | None]]:
    """Keys as they are pressed, None where there was none for a moment. The terminal is as before afterwards."""
    try:
        import termios
        import tty
    except ImportError:
        raise Mistake("coderouter stats: this terminal cannot be read by the key; use --once") from None
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    resized, wake = os.pipe()
    os.set_blocking(wake, False)
    old = signal.signal(signal.SIGWINCH, lambda *_: None)
    old_wake = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    try:
        tty.setcbreak(fd)
        # Ctrl+C is a key like another: what it leaves must be left in order.
        quiet = termios.tcgetattr(fd)
        quiet[3] &= ~termios.ISIG
        termios.tcsetattr(fd, termios.TCSADRAIN, quiet)
        yield _pressed(fd, resized)
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
        signal.set_wakeup_fd(old_wake)
        signal.signal(signal.SIGWINCH, old)
        os.close(resized)
        os.close(wake)


def _pressed(fd: int, resized: int) -> Iterator[str | None]:
    while True:
        ready, _, _ = select.select([fd, resized], [], [], TICK_S)
        if resized in ready:
            os.read(resized, 1024)
        if fd not in ready:
            yield None
            continue
        said = os.read(fd, 16)
        if not said:
            # The terminal is gone.
            yield "q"
        elif said in _ARROWS:
            yield _ARROWS[said]
        elif said in _KEYS:
            yield _KEYS[said]
        else:
            yield from said.decode("utf-8", "replace")


def _fitted(line: Text, width: int) -> Text:
    line = line.copy()
    line.truncate(width, overflow="ellipsis")
    line.no_wrap = True
    return line
