"""``coderouter stats``: what requests used and cost, from the ledger's file."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from coderouter_core.cli import Mistake
from coderouter_core.ledger.sums import GROUPS, Sums

if TYPE_CHECKING:
    from coderouter_core.cli.books import Books

_AGO = re.compile(r"(\d{1,5})\s*([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}
_HEADS = ("requests", "attempts", "input", "cached", "written", "output", "cost", "saved", "unpriced", "est.")

#: Cells that say nothing.
_NOTHING = ("0", "$0.00", "-")


@click.command("stats", short_help="Tell what was used and what it cost.")
@click.option("--cost", is_flag=True, help="Tell what requests cost.")
@click.option("--by", type=click.Choice(GROUPS), default="day", show_default=True, help="Sum up by this.")
@click.option("--since", help="Only what began since: 24h, 7d, 4w, 2026-01-31 or 2026-01-31T12:00.")
@click.option("--config", help="The router's configuration; else as serve finds it.")
@click.option("--ledger", help="The ledger's file; else the one of the configuration.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
def command(
    cost: bool, by: str, since: str | None, config: str | None, ledger: str | None, as_json: bool
) -> None:
    """Tell what requests used and cost, from the ledger's file; the router need not run.

    Times are those of display_timezone where the configuration names one, else UTC. "cached" are tokens read from a
    prompt cache, "written" those written to it. "unpriced" is the share of attempts of which nobody knows the price,
    and which the cost leaves out; "est." is the share whose tokens were estimated, because the upstream did not get
    to count them.
    """
    from coderouter_core.cli.books import find_books
    from coderouter_core.ledger import sums_of

    if not cost:
        raise Mistake("stats: say what to show: coderouter stats --cost")
    books = find_books(config, ledger, os.environ)
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
    if not console.is_terminal:
        click.echo(_plain([(by, *_HEADS), *rows, last]))
        return
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
        _tokens(sums.input_tokens),
        _tokens(sums.cache_read_tokens),
        _tokens(sums.cache_write_5m_tokens + sums.cache_write_1h_tokens),
        _tokens(sums.output_tokens),
        _usd(sums.cost_usd),
        _usd(sums.savings_usd),
        _share(sums.unpriced, sums.attempts),
        _share(sums.estimated, sums.attempts),
    )


def _tokens(count: int) -> str:
    """Short above ten thousand, exact below."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= 10 * size or (unit != "k" and count >= size):
            return f"{count / size:.1f}{unit}"
    return str(count)


def _usd(amount: float) -> str:
    """To the cent from a dollar on, finer below."""
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${amount:.4f}"


def _share(part: int, whole: int) -> str:
    if not part:
        return "-"
    return f"{max(1, round(100 * part / whole))} %"
