"""How the demo looks: on a terminal it moves, elsewhere it is plain text."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from coderouter_core import __version__

#: Wider lines are hard to read.
MOST_COLUMNS = 88


class _Paper(Console):
    """A console whose reader may leave."""

    def on_broken_pipe(self) -> None:
        # An error like any other, where rich would end the process in the middle of the event loop's work.
        raise BrokenPipeError(errno.EPIPE, "nobody reads any more")


class Stage:
    """Prints to standard output. Whatever it is given is shown as it is, never read as markup."""

    def __init__(self) -> None:
        self._console = _Paper(highlight=False, markup=False, emoji=False)
        if self._console.width > MOST_COLUMNS:
            self._console.width = MOST_COLUMNS

    @property
    def on_terminal(self) -> bool:
        return self._console.is_terminal

    def curtain(self) -> None:
        self._print(
            Text.assemble(
                ("coderouter", "bold"), f" {__version__}: no key, no other server, nothing to set up\n"
            )
        )

    def done(self, what: str) -> None:
        self._print(Text.assemble(("  ✓ ", "green"), what))

    def act(self, number: int, title: str, request: str, question: str) -> None:
        """The heading of one part: who asks, with what request, which question."""
        self._print("")
        self._print(Rule(Text(f"{number}  {title}", "bold"), align="left", style="dim"))
        self._print(Text(f"  {request}", "dim"))
        self._print(Text.assemble(("  > ", "cyan"), question, "\n"))

    @contextmanager
    def answer(self) -> Iterator[Callable[[str], None]]:
        """Where an answer is written: called with the text so far, each time there is more."""
        said = ""

        def grow(text: str) -> None:
            nonlocal said
            said = text.strip()
            live.update(Padding(Text(said), (0, 0, 0, 2)))

        with Live(console=self._console, refresh_per_second=12, transient=True) as live:
            yield grow
        self._indented(said)

    def facts(self, rows: Sequence[tuple[str, str]]) -> None:
        width = max(len(name) for name, _ in rows)
        self._print("")
        for name, value in rows:
            self._indented(Text.assemble((f"{name:{width}}  ", "dim"), value))

    def lines(self, title: str, lines: Sequence[str]) -> None:
        """Lines to paste: never broken, whatever the width."""
        self._print(Text(f"  {title}", "bold"))
        for line in lines:
            self._console.print(Text(f"    {line}", "cyan"), soft_wrap=True)

    def heading(self, title: str) -> None:
        self._print("")
        self._print(Rule(Text(title, "bold"), align="left", style="dim"))

    def note(self, text: str) -> None:
        self._indented(Text(text, "dim"))

    def stay(self) -> None:
        self._print(Text.assemble("\nServing until ", ("Ctrl-C", "bold"), "."))

    def _indented(self, what: str | Text) -> None:
        # By the line, since rich fills what it pads or wraps up to the margin.
        for line in Text.assemble(what).wrap(self._console, self._console.width - 2):
            line.rstrip()
            self._print(Text.assemble("  ", line) if line else "")

    def _print(self, what: str | Text | Rule) -> None:
        self._console.print(what)
