"""Something that moves, for people who wait at a terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: Seconds of work that nobody needs to be told of.
SHORT_S = 0.5


@contextmanager
def working(what: str, about_s: float | None = None) -> Iterator[None]:
    """Show that `what` is done, for how long already, and how long it takes as a rule; nothing where it is short,
    and nothing at all where standard error is no terminal. Standard output is never touched."""
    if not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    showing = threading.Thread(target=_show, args=(what, about_s, done), daemon=True)
    showing.start()
    try:
        yield
    finally:
        done.set()
        showing.join()


def _show(what: str, about_s: float | None, done: threading.Event) -> None:
    if done.wait(SHORT_S):
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    usual = f"of about {about_s:.0f} s" if about_s is not None else ""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description} …", markup=False),
        TimeElapsedColumn(),
        TextColumn(usual),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(what, total=None)
        done.wait()
