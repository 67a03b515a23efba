"""What requests used and cost, from the ledger's file."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from coderouter_core.cli import Mistake
from coderouter_core.cli.progress import working
from coderouter_core.cli.stats.books import Books, find_books
from coderouter_core.cli.stats.words import tokens, usd
from coderouter_core.ledger import sums_of
from coderouter_core.ledger.sums import Sums

if TYPE_CHECKING:
    from rich.console import Console

_AGO = re.compile(r"(\d{1,5})\s*([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}
_HEADS = (
    "requests", "attempts", "input", "cached", "written", "output", "cost", "saved", "unpriced", "est.", "unsettled",
)  # fmt: skip

#: Cells that say nothing.
_NOTHING = ("0", "$0.00", "-")


def report(by: str, since: str | None, config: str | None, ledger: str | None, *, as_json: bool) -> None:
    """Print what requests used and cost. Raises `Mistake`, and `ConfigError` where there is no ledger to read."""
    books = find_books(config, ledger, os.environ)
    with working("reading the ledger"):
        groups, total = sums_of(books.path, by, since=_since(since, books.zone), zone=books.zone)
    if as_json:
        click.echo(_json(by, groups, total, books))
    else:
        _show(by, groups, total)


def _since(said: str | None, zone: dt.tzinfo) -> float:
    """Unix time of what the user wrote."""
    if not said:
        return 0.0
    if ago := _AGO.fullmatch(said.strip().lower()):
        hours = int(ago[1]) * _HOURS[ago[2]]
        return (dt.datetime.now(dt.UTC) - dt.timedelta(hours=hours)).timestamp()
    try:
        at = dt.datetime.fromisoformat(said.strip())
        return (at if at.tzinfo else at.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        raise Mistake(f"--since: must be like 24h, 7d, 4w or 2026-01-31, not {said!r}") from None


def _json(by: str, groups: Mapping[str, Sums], total: Sums, books: Books) -> bytes:
    import attrs
    import orjson

    found = {
        "ledger": str(books.path),
        "timezone": str(books.zone),
        "by": by,
        "groups": [{by: name, **attrs.asdict(sums)} for name, sums in groups.items()],
        "total": attrs.asdict(total),
    }
    return orjson.dumps(found, option=orjson.OPT_INDENT_2)


def _show(by: str, groups: Mapping[str, Sums], total: Sums) -> None:
    if not groups:
        click.echo("nothing was recorded")
        return
    from rich.console import Console

    console = Console(highlight=False)
    rows = [(name, *_cells(sums)) for name, sums in groups.items()]
    last = ("total", *_cells(total))
    if console.is_terminal:
        _show_table(console, by, rows, last)
    else:
        click.echo(_plain([(by, *_HEADS), *rows, last]))
    if total.unsettled:
        click.echo(
            f"unsettled: {total.unsettled:,} attempts that began, and whose end is not known, or not yet; what they cost "
            "is in none of these sums"
        )


def _show_table(console: Console, by: str, rows: Sequence[tuple[str, ...]], last: tuple[str, ...]) -> None:
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold", show_footer=True, footer_style="bold")
    table.add_column(by, footer=last[0], overflow="fold")
    # A terminal is narrow: what is nothing everywhere is left out.
    shown = [at for at, cell in enumerate(last) if at and cell not in _NOTHING]
    for at in shown:
        table.add_column(_HEADS[at - 1], footer=last[at], justify="right", no_wrap=True)
    for row in rows:
        table.add_row(row[0], *(row[at] for at in shown))
    console.print(table)


def _plain(rows: list[tuple[str, ...]]) -> str:
    """The first column to the left, numbers to the right, two spaces between."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in rows
    )


def _cells(sums: Sums) -> tuple[str, ...]:
    return (
        f"{sums.requests:,}",
        f"{sums.attempts:,}",
        tokens(sums.input_tokens),
        tokens(sums.cache_read_tokens),
        tokens(sums.cache_write_5m_tokens + sums.cache_write_1h_tokens),
        tokens(sums.output_tokens),
        usd(sums.cost_usd),
        usd(sums.savings_usd),
        _share(sums.unpriced, sums.attempts),
        _share(sums.estimated, sums.attempts),
        f"{sums.unsettled:,}" if sums.unsettled else "-",
    )


def _share(part: int, whole: int) -> str:
    if not part:
        return "-"
    return f"{max(1, round(100 * part / whole))} %"
