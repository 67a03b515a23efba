"""How results are shown: a table on a terminal, plain lines elsewhere, or JSON."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from coderouter_core.cli.conformance.check import NEEDS_UPSTREAM, Check, Result, Verdict

if TYPE_CHECKING:
    from rich.console import Console

MARKS: dict[Verdict, str] = {"pass": "ok", "fail": "FAIL", "skip": "skip"}
STYLES: dict[Verdict, str] = {"pass": "green", "fail": "bold red", "skip": "dim"}


def listing(checks: Sequence[Check]) -> None:
    """Every check, what it asserts, and where that is written."""
    width = max((len(one.id) for one in checks), default=0)
    for one in checks:
        upstream = " (needs --upstream)" if one.scripted else ""
        click.echo(f"{one.id:{width}}  {one.asserts} [{one.source}]{upstream}")


def as_json(url: str, model: str, found: Sequence[Result]) -> bytes:
    import orjson

    told: dict[str, Any] = {"gateway": url, "model": model, **_counts(found)}
    told["checks"] = [
        {
            "id": each.check.id,
            "dialect": each.check.dialect.value if each.check.dialect else None,
            "asserts": each.check.asserts,
            "source": each.check.source,
            "verdict": each.verdict,
            "reason": each.reason,
            "seconds": round(each.seconds, 3),
        }
        for each in found
    ]
    return orjson.dumps(told, option=orjson.OPT_INDENT_2)


def table(found: Sequence[Result]) -> None:
    """What became of each check; for one that failed, what it asserts and where that is written."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    told = [each for each in found if each.reason != NEEDS_UPSTREAM]
    if console.is_terminal:
        _table(console, told)
    else:
        _plain(told)
    click.echo(", ".join(f"{number} {word}" for word, number in _counts(found).items()))
    if unscripted := len(found) - len(told):
        click.echo(f"{unscripted} of them need a scripted upstream behind the gateway: --upstream PORT")


def _table(console: Console, found: Sequence[Result]) -> None:
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for head in ("", "check", "what it asserts"):
        shown.add_column(head, overflow="fold")
    for each in found:
        told = Text(each.check.asserts, "" if each.verdict == "fail" else "dim")
        if each.reason:
            told.append(f"\n{each.reason}", STYLES[each.verdict])
        if each.verdict == "fail":
            told.append(f"\n[{each.check.source}]", "dim")
        shown.add_row(Text(MARKS[each.verdict], STYLES[each.verdict]), each.check.id, told)
    console.print(shown)


def _plain(found: Sequence[Result]) -> None:
    width = max((len(each.check.id) for each in found), default=0)
    for each in found:
        line = f"{MARKS[each.verdict]:4}  {each.check.id:{width}}"
        click.echo(f"{line}  {each.reason}" if each.reason else line.rstrip())
        if each.verdict == "fail":
            click.echo(f"{'':{width + 8}}{each.check.asserts} [{each.check.source}]")


def progress(running: Iterable[Result], total: int) -> list[Result]:
    """Take all results, with a bar that moves where somebody sees it."""
    if not sys.stderr.isatty():
        return list(running)
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    found: list[Result] = []
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("checking", total=total)
        for result in running:
            found.append(result)
            bar.update(task, advance=1, description=result.check.id)
    return found


def _counts(found: Sequence[Result]) -> dict[str, int]:
    counted = Counter(each.verdict for each in found)
    return {"passed": counted["pass"], "failed": counted["fail"], "skipped": counted["skip"]}
