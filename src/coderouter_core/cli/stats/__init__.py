"""``coderouter stats``: what a running router does, and what requests used and cost."""

from __future__ import annotations

import os
import sys

import click

from coderouter_core.cli import Mistake
from coderouter_core.ledger.sums import GROUPS

#: Where a router serves unless it was told otherwise.
URL = "http://127.0.0.1:4000/metrics.json"


@click.command("stats", short_help="Watch a running router; tell what was used and what it cost.")
@click.option("--url", default=URL, show_default=True, help="The router's /metrics.json.")
@click.option(
    "--key", envvar="CODEROUTER_KEY", help="A key of the router, where it wants one.  [env: CODEROUTER_KEY]"
)
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 3600),
    default=1.0,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option("--once", is_flag=True, help="Print once, and end; so it is where the output is no terminal.")
@click.option(
    "--cost", is_flag=True, help="Tell what requests cost, from the ledger's file; the router need not run."
)
@click.option(
    "--by", type=click.Choice(GROUPS), default="day", show_default=True, help="With --cost: sum up by this."
)
@click.option(
    "--since", help="With --cost: only what began since: 24h, 7d, 4w, 2026-01-31 or 2026-01-31T12:00."
)
@click.option("--config", help="With --cost: the router's configuration; else as serve finds it.")
@click.option("--ledger", help="With --cost: the ledger's file; else the one of the configuration.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
def command(
    *,
    url: str,
    key: str | None,
    interval: float,
    once: bool,
    cost: bool,
    by: str,
    since: str | None,
    config: str | None,
    ledger: str | None,
    as_json: bool,
) -> None:
    """Watch a running router: providers, fallbacks, guards, budgets, the latest attempts. Keys: ? shows them.

    What is shown comes from the plugin metrics of that router. Times are those of display_timezone, else UTC.

    With --cost: what requests used and cost, in tokens and dollars. "cached" are tokens read from a prompt cache,
    "written" those written to it. "unpriced" is the share of attempts of which nobody knows the price, and which the
    cost leaves out; "est." is the share whose tokens were estimated, because the upstream did not get to count them.
    """
    if cost:
        from coderouter_core.cli.stats.costs import report

        report(by, since, config, ledger, as_json=as_json)
        return
    from coderouter_core.cli.stats.source import Source, UnreachableError

    source = Source(url, key or None)
    if once or as_json or not (sys.stdout.isatty() and sys.stdin.isatty()):
        try:
            document = source.fetch()
        except UnreachableError as error:
            raise Mistake(f"coderouter stats: {error}") from None
        _print(document, as_json=as_json)
        return
    from coderouter_core.cli.stats.live import watch

    watch(source, interval, colour="NO_COLOR" not in os.environ)


def _print(document: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        import orjson

        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
        return
    from coderouter_core.cli.stats.facts import read
    from coderouter_core.cli.stats.page import View, page

    click.echo("\n".join(line.plain.rstrip() for line in page(read(document), View(recent=10))))
